//! Threads of our own for calls that wait: libuv's four are the host program's, for its files and its names.
//!
//! Every client has a line of its own, so that calls to a server that is away never stand before those to another. The
//! threads are the process's: one that finds its line empty goes to any other, and only a few stay when all are.

use std::cell::Cell;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{PromiseRaw, ToNapiValue};
use napi::{Env, JsDeferred, JsValue};

use crate::errors::{panicked, thrown};

/// Most calls of one line that wait at once; more stand in it.
const MOST_CALLS: usize = 8;
/// Most threads that stay while there is nothing to do.
const MOST_IDLE: usize = 8;

type Task = Box<dyn FnOnce() + Send>;

/// The calls of one client. Ends with its last owner: the client, or a thread that comes for a call.
#[derive(Default)]
pub struct Line {
    calls: Mutex<Calls>,
}

#[derive(Default)]
struct Calls {
    waiting: VecDeque<Task>,
    /// How many threads take calls from here, or are on their way.
    threads: usize,
}

/// The threads that have nothing to do, and the lines that some of them are sent to.
struct Idle {
    threads: usize,
    sent_to: Vec<Arc<Line>>,
}

/// The process's own: worker_threads share it, as they share the connections' cost.
static IDLE: Mutex<Idle> = Mutex::new(Idle { threads: 0, sent_to: Vec::new() });
static SENT: Condvar = Condvar::new();

fn idle() -> MutexGuard<'static, Idle> {
    // No task runs under a lock of this file, so what a panic leaves behind is whole.
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `task` on a thread; the line gets another one as long as all of its own are busy.
    fn submit(self: &Arc<Line>, task: Task) {
        let mut calls = self.calls();
        calls.waiting.push_back(task);
        if calls.threads == MOST_CALLS {
            return;
        }
        calls.threads += 1;
        drop(calls);
        if send_thread(self).is_err() {
            let mut calls = self.calls();
            calls.threads -= 1;
            // With no thread at all nobody would ever come for it: it is done here, which blocks, but loses nothing.
            let stranded = if calls.threads == 0 { calls.waiting.pop_back() } else { None };
            drop(calls);
            if let Some(task) = stranded {
                task();
            }
        }
    }

    /// Does what waits, until nothing does.
    fn serve(&self) {
        loop {
            let mut calls = self.calls();
            let Some(task) = calls.waiting.pop_front() else {
                calls.threads -= 1;
                return;
            };
            drop(calls);
            task();
        }
    }
}

/// Sends an idle thread to the line, else a new one.
fn send_thread(line: &Arc<Line>) -> std::io::Result<()> {
    let mut idle = idle();
    if idle.threads > idle.sent_to.len() {
        idle.sent_to.push(Arc::clone(line));
        SENT.notify_one();
        return Ok(());
    }
    drop(idle);
    let mut line = Arc::clone(line);
    start("manyhands-call", move || {
        loop {
            line.serve();
            drop(line);
            let Some(next) = next_line() else { return };
            line = next;
        }
    })
}

/// Waits until this thread is sent to a line; None when enough others wait.
fn next_line() -> Option<Arc<Line>> {
    let mut idle = idle();
    if idle.threads == MOST_IDLE {
        return None;
    }
    idle.threads += 1;
    loop {
        if let Some(line) = idle.sent_to.pop() {
            idle.threads -= 1;
            return Some(line);
        }
        idle = SENT.wait(idle).unwrap_or_else(PoisonError::into_inner);
    }
}

thread_local! {
    /// Whether this thread's JavaScript goes on: its event loop is not to wait for what is freed.
    static HOSTS: Cell<bool> = const { Cell::new(false) };
}

/// Says that this thread runs JavaScript, until its environment goes away.
pub fn hosts(env: &Env) -> napi::Result<()> {
    if !HOSTS.get() {
        env.add_env_cleanup_hook((), |()| HOSTS.set(false))?;
        HOSTS.set(true);
    }
    Ok(())
}

/// What may take long to free: the last user of a private server stops it. The garbage collector frees it on a thread of
/// the pool; an environment that ends does so at once, or the process might end before.
pub struct Apart<T: Send + 'static>(ManuallyDrop<T>);

impl<T: Send + 'static> Apart<T> {
    pub fn new(value: T) -> Apart<T> {
        Apart(ManuallyDrop::new(value))
    }
}

impl<T: Send + 'static> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + 'static> Drop for Apart<T> {
    fn drop(&mut self) {
        // SAFETY: this is the drop, which comes once; nobody looks at it after that.
        let value = unsafe { ManuallyDrop::take(&mut self.0) };
        if HOSTS.get() {
            // A panic must not end a thread of the pool; the panic hook has reported it.
            let free = || drop(catch_unwind(AssertUnwindSafe(|| drop(value))));
            Arc::new(Line::default()).submit(Box::new(free));
        }
    }
}

/// Starts a thread of ours by a name that tools show.
pub fn start(name: &str, body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map(drop)
}

/// Turns a value into one for JavaScript, on its thread.
type Resolver<T> = Box<dyn FnOnce(Env) -> napi::Result<T> + Send>;

/// A promise to be kept by whoever holds this.
pub struct Pending<T: ToNapiValue + Send + 'static>(JsDeferred<T, Resolver<T>>);

/// A new promise and what keeps it. While it is pending, the process stays alive.
pub fn promise<T: ToNapiValue + Send + 'static>(env: &Env) -> napi::Result<(Pending<T>, PromiseRaw<'_, T>)> {
    let (deferred, promise) = env.create_deferred()?;
    Ok((Pending(deferred), PromiseRaw::new(env.raw(), promise.raw())))
}

impl<T: ToNapiValue + Send + 'static> Pending<T> {
    /// Keeps the promise with what `body` gives, its error or its panic. Nothing happens when the environment is gone.
    pub fn keep(self, body: impl FnOnce() -> manyhands::Result<T>) {
        self.keep_and(body, || {});
    }

    /// The same; when there is a value, `arrived` is called on JavaScript's thread as it gets it.
    pub fn keep_and(self, body: impl FnOnce() -> manyhands::Result<T>, arrived: impl FnOnce() + Send + 'static) {
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(Ok(value)) => self.0.resolve(Box::new(move |_| {
                arrived();
                Ok(value)
            })),
            Ok(Err(error)) => self.0.reject(thrown(error)),
            Err(payload) => self.0.reject(panicked(&*payload)),
        }
    }
}

/// A promise of what `body` gives, run on a thread of the pool in its turn in the line.
pub fn call<'env, T: ToNapiValue + Send + 'static>(
    env: &'env Env,
    line: &Arc<Line>,
    body: impl FnOnce() -> manyhands::Result<T> + Send + 'static,
) -> napi::Result<PromiseRaw<'env, T>> {
    let (pending, promise) = promise(env)?;
    line.submit(Box::new(move || pending.keep(body)));
    Ok(promise)
}

/// The same on a thread for this call alone: for what takes long by its nature, and must not wait for its turn.
pub fn call_apart<'env, T: ToNapiValue + Send + 'static>(
    env: &'env Env,
    name: &str,
    body: impl FnOnce() -> manyhands::Result<T> + Send + 'static,
) -> napi::Result<PromiseRaw<'env, T>> {
    keep_apart(env, name, |pending| pending.keep(body))
}

/// A promise that `keep` keeps, on a thread for it alone.
pub fn keep_apart<'env, T: ToNapiValue + Send + 'static>(
    env: &'env Env,
    name: &str,
    keep: impl FnOnce(Pending<T>) + Send + 'static,
) -> napi::Result<PromiseRaw<'env, T>> {
    let (pending, promise) = promise(env)?;
    start(name, move || keep(pending)).map_err(|error| napi::Error::from_reason(error.to_string()))?;
    Ok(promise)
}
