//! Threads of our own for calls that wait: libuv's four are the host program's, for its files and its names.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};

use napi::bindgen_prelude::{PromiseRaw, ToNapiValue};
use napi::{Env, JsDeferred, JsValue};

use crate::errors::{panicked, thrown};

/// Most calls that wait at once; more stand in line.
const MOST_THREADS: usize = 8;

type Task = Box<dyn FnOnce() + Send>;

struct Line {
    tasks: VecDeque<Task>,
    threads: usize,
    idle: usize,
}

/// The process's own line: worker_threads share it, as they share the connections' cost.
static LINE: Mutex<Line> = Mutex::new(Line { tasks: VecDeque::new(), threads: 0, idle: 0 });
static FILLED: Condvar = Condvar::new();

fn line() -> std::sync::MutexGuard<'static, Line> {
    // No task runs under the lock, so what a panic leaves behind is whole.
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `task` on a thread of the pool, which grows as long as all its threads are busy.
fn submit(task: Task) {
    let mut line = line();
    line.tasks.push_back(task);
    if line.idle >= line.tasks.len() || line.threads == MOST_THREADS {
        FILLED.notify_one();
        return;
    }
    line.threads += 1;
    drop(line);
    if start("manyhands-call", serve).is_err() {
        let mut line = self::line();
        line.threads -= 1;
        // With no thread at all nobody would ever come for it: it is done here, which blocks, but loses nothing.
        let stranded = if line.threads == 0 { line.tasks.pop_back() } else { None };
        drop(line);
        if let Some(task) = stranded {
            task();
        }
    }
}

fn serve() {
    let mut line = line();
    loop {
        if let Some(task) = line.tasks.pop_front() {
            drop(line);
            task();
            line = self::line();
        } else {
            line.idle += 1;
            line = FILLED.wait(line).unwrap_or_else(PoisonError::into_inner);
            line.idle -= 1;
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

/// A promise of what `body` gives, run on a thread of the pool.
pub fn call<T: ToNapiValue + Send + 'static>(
    env: &Env,
    body: impl FnOnce() -> manyhands::Result<T> + Send + 'static,
) -> napi::Result<PromiseRaw<'_, T>> {
    let (pending, promise) = promise(env)?;
    submit(Box::new(move || pending.keep(body)));
    Ok(promise)
}

/// The same on a thread for this call alone: for what takes long by its nature, and must not wait for a place in the pool.
pub fn call_apart<'env, T: ToNapiValue + Send + 'static>(
    env: &'env Env,
    name: &str,
    body: impl FnOnce() -> manyhands::Result<T> + Send + 'static,
) -> napi::Result<PromiseRaw<'env, T>> {
    let (pending, promise) = promise(env)?;
    start(name, move || pending.keep(body)).map_err(|error| napi::Error::from_reason(error.to_string()))?;
    Ok(promise)
}
