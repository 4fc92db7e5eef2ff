//! The worker runtime: JavaScript asks for jobs and gives outcomes back.

use std::sync::mpsc::{SendError, Sender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use manyhands::{Error, Outcome};
use napi::Env;
use napi::bindgen_prelude::{Function, PromiseRaw};
use napi_derive::napi;

use crate::client::Client;
use crate::delivery::{Jobs, Shared, Wanted, end_with_environment, first, start_waiter};
use crate::errors::thrown;
use crate::job::{Batch, Job};
use crate::news::News;
use crate::pool::{self, Line, Pending};

/// An outcome that the engine refused after its handler had ended.
#[napi(object, object_from_js = false, js_name = "NativeRefused")]
pub struct Refused {
    /// The job.
    pub jid: String,
    /// The token it was finished under.
    pub token: String,
    /// What was refused.
    pub operation: String,
    /// Why.
    pub reason: String,
}

/// What a running handler must be told.
#[napi(object, object_from_js = false, js_name = "NativeInterrupt")]
pub struct Interrupt {
    /// The job.
    pub jid: String,
    /// The token it runs under.
    pub token: String,
    /// Why it should end.
    pub reason: String,
}

/// One worker of this environment.
#[napi]
pub struct Worker {
    pub(crate) shared: Arc<Shared>,
    /// The line of its client.
    line: Arc<Line>,
    /// There once a job was wanted: its environment will end it.
    begun: OnceLock<()>,
    /// To the thread that waits for jobs; there once `next` was called. The thread ends with it.
    waiter: OnceLock<Sender<Wanted>>,
    /// There once JavaScript wants to be called.
    news: OnceLock<News>,
}

#[napi]
impl Worker {
    /// Checks the options; no thread starts before a job is wanted.
    #[napi(constructor, catch_unwind)]
    pub fn open(client: &Client, options: String) -> napi::Result<Worker> {
        let core = manyhands::Worker::open(&client.core, &options).map_err(thrown)?;
        Ok(Worker {
            shared: Shared::new(core),
            line: Arc::clone(&client.line),
            begun: OnceLock::new(),
            waiter: OnceLock::new(),
            news: OnceLock::new(),
        })
    }

    /// host:pid:8 hex digits.
    #[napi(getter, catch_unwind)]
    pub fn name(&self) -> String {
        self.shared.core.name().to_owned()
    }

    /// Jobs to start, at least one and at most `most`; null once the worker is stopped.
    #[napi(catch_unwind)]
    pub fn next<'env>(&self, env: &'env Env, most: u32) -> napi::Result<PromiseRaw<'env, Jobs>> {
        self.begin(env)?;
        let waiter = match self.waiter.get() {
            Some(waiter) => waiter,
            None => {
                let waiter = start_waiter(&self.shared).map_err(thrown)?;
                self.waiter.get_or_init(|| waiter)
            }
        };
        let (jobs, promise) = pool::promise(env)?;
        if let Err(SendError(wanted)) = waiter.send(Wanted { most: most as usize, jobs }) {
            wanted.jobs.keep(|| Err(Error::internal("the thread that waits for jobs has ended")));
        }
        Ok(promise)
    }

    /// One job to start, waited for at most so long; none when the time is over or the worker is stopped. Any number may be
    /// waited for at once.
    #[napi(catch_unwind)]
    pub fn next_one<'env>(&self, env: &'env Env, timeout_ms: Option<f64>) -> napi::Result<PromiseRaw<'env, Batch>> {
        self.begin(env)?;
        let until = timeout_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms as u64)));
        let shared = Arc::clone(&self.shared);
        let wait = move |core: &manyhands::Worker| Ok(Batch(first(core, until)?.map(Job::from).into_iter().collect()));
        pool::keep_apart(env, "manyhands-next", move |job: Pending<Batch>| {
            shared.deliver(job, wait, |Batch(jobs)| jobs)
        })
    }

    /// Hands an outcome over and waits for the engine's answer: the job's new state.
    #[napi(catch_unwind)]
    pub fn finish_wait<'env>(
        &self,
        env: &'env Env,
        jid: String,
        token: String,
        outcome: String,
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let core = self.shared.core.clone();
        pool::call(env, &self.line, move || core.finish_wait(&jid, &token, Outcome::from_json(&outcome)?))
    }

    /// Renews one lease now; milliseconds it lasts.
    #[napi(catch_unwind)]
    pub fn heartbeat<'env>(&self, env: &'env Env, jid: String, token: String) -> napi::Result<PromiseRaw<'env, f64>> {
        let core = self.shared.core.clone();
        pool::call(env, &self.line, move || core.heartbeat(&jid, &token).map(|lease_ms| lease_ms as f64))
    }

    /// Outcomes refused since the last look.
    #[napi(catch_unwind)]
    pub fn take_refused(&self) -> Vec<Refused> {
        let refused = self.shared.core.take_refused().into_iter();
        refused.map(|it| Refused { jid: it.jid, token: it.token, operation: it.operation, reason: it.reason }).collect()
    }

    /// Outcomes that the engine has not answered.
    #[napi(catch_unwind)]
    pub fn unanswered(&self) -> u32 {
        u32::try_from(self.shared.core.unanswered()).unwrap_or(u32::MAX)
    }

    /// What running handlers must be told since the last look.
    #[napi(catch_unwind)]
    pub fn take_interrupts(&self) -> Vec<Interrupt> {
        let interrupts = self.shared.core.take_interrupts().into_iter();
        interrupts.map(|it| Interrupt { jid: it.jid, token: it.token, reason: it.reason }).collect()
    }

    /// Every running handler is to be told `killed`.
    #[napi(catch_unwind)]
    pub fn kill_running(&self) {
        self.shared.core.kill_running();
    }

    /// Takes no jobs until it is resumed.
    #[napi(catch_unwind)]
    pub fn pause(&self) {
        self.shared.core.pause();
    }

    /// Takes jobs again.
    #[napi(catch_unwind)]
    pub fn resume(&self) {
        self.shared.core.resume();
    }

    /// Whether it takes no jobs, but will again.
    #[napi(catch_unwind)]
    pub fn is_paused(&self) -> bool {
        self.shared.core.is_paused()
    }

    /// What an operator asked last: quiet, pause, resume or stop.
    #[napi(catch_unwind)]
    pub fn ordered(&self) -> Option<String> {
        self.shared.core.ordered().map(|order| order.name().to_owned())
    }

    /// From now on JavaScript is called when it has something to look at. Until it wants to hear no more the process stays
    /// alive.
    #[napi(catch_unwind)]
    pub fn tell_news(&self, told: Function<'_, (), ()>) -> napi::Result<()> {
        let news = News::told_to(&self.shared.core, told)?;
        self.news.get_or_init(|| news);
        Ok(())
    }

    /// It wants to hear no more.
    #[napi(catch_unwind)]
    pub fn hush(&self) {
        if let Some(news) = self.news.get() {
            news.end();
        }
    }

    /// Whether a handler did not end after its time-out.
    #[napi(catch_unwind)]
    pub fn is_stuck(&self) -> bool {
        self.shared.core.is_stuck()
    }

    /// Until `unwatch_host` the process ends also while a handler never gives the event loop back: at its timeout, and, with
    /// `signals`, when signals say so.
    #[napi(catch_unwind)]
    pub fn watch_host(&self, signals: bool) -> napi::Result<()> {
        self.shared.core.watch_host(signals).map_err(thrown)
    }

    /// It ends by itself from now on.
    #[napi(catch_unwind)]
    pub fn unwatch_host(&self) {
        self.shared.core.unwatch_host();
    }

    /// The oldest signal of the master that nobody took: QUIT, TERM or TTIN.
    #[napi(catch_unwind)]
    pub fn take_signal(&self) -> Option<&'static str> {
        self.shared.core.take_signal().map(manyhands::Signal::name)
    }

    /// The queues that its entries stand for now.
    #[napi(catch_unwind)]
    pub fn serving(&self) -> Vec<String> {
        self.shared.core.serving()
    }

    /// The same, looked up now: also before a job is wanted.
    #[napi(catch_unwind)]
    pub fn look_up<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Vec<String>>> {
        let core = self.shared.core.clone();
        pool::call(env, &self.line, move || core.look_up())
    }

    /// Asks these of them from now on, in this order.
    #[napi(catch_unwind)]
    pub fn set_order(&self, queues: Vec<String>) -> napi::Result<()> {
        self.shared.core.set_order(queues).map_err(thrown)
    }

    /// Takes no new jobs.
    #[napi(catch_unwind)]
    pub fn quiet(&self) {
        self.shared.core.quiet();
    }

    /// Waits at most so long for started jobs, stores outcomes, gives unstarted jobs back, ends the threads. Jobs still
    /// started are left to their leases.
    #[napi(catch_unwind)]
    pub fn stop<'env>(&self, env: &'env Env, timeout_ms: f64) -> napi::Result<PromiseRaw<'env, ()>> {
        let core = self.shared.core.clone();
        pool::call_apart(env, "manyhands-stop", move || core.stop(Duration::from_millis(timeout_ms as u64)))
    }

    /// Milliseconds that a stop leaves to handlers.
    #[napi(catch_unwind)]
    pub fn shutdown_timeout(&self) -> f64 {
        self.shared.core.shutdown_timeout().as_millis() as f64
    }

    /// A stop now, on this thread: handlers end with the process.
    #[napi(catch_unwind)]
    pub fn end(&self) {
        self.shared.end();
    }
}

/// When the process exits while handlers go on, all threads are held first, and what the handlers have begun is given back.
#[napi(catch_unwind)]
pub fn end_at_exit() {
    manyhands::Worker::end_at_exit();
}

/// Threads of Node's own that block all signals, as that of the inspector does, need not be held.
#[napi(catch_unwind)]
pub fn spare_runtime_threads() {
    manyhands::Worker::spare_runtime_threads();
}

impl Worker {
    fn begin(&self, env: &Env) -> napi::Result<()> {
        if self.begun.get().is_none() {
            end_with_environment(env, &self.shared)?;
            self.begun.get_or_init(|| ());
        }
        Ok(())
    }
}
