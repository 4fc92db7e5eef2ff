//! The worker runtime: JavaScript asks for jobs and gives outcomes back.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, SendError, Sender};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use manyhands::{Error, Next, Outcome};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::client::Client;
use crate::errors::thrown;
use crate::job::Job;
use crate::pool::{self, Pending};

/// Longest single wait for a job. The runtime ends it when the worker stops, so it only has to be long.
const LONG: Duration = Duration::from_secs(3_600);

/// Jobs, or None once the worker is stopped.
type Jobs = Option<Vec<Job>>;

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

/// Wants at least one job and at most so many.
struct Wanted {
    most: usize,
    jobs: Pending<Jobs>,
}

/// One worker of this environment.
#[napi]
pub struct Worker {
    core: Arc<manyhands::Worker>,
    /// To the thread that waits for jobs; there once a job was wanted. The thread ends with it.
    waiter: OnceLock<Sender<Wanted>>,
}

#[napi]
impl Worker {
    /// Checks the options; no thread starts before the first `next`.
    #[napi(constructor, catch_unwind)]
    pub fn open(client: &Client, options: String) -> napi::Result<Worker> {
        let core = manyhands::Worker::open(&client.core, &options).map_err(thrown)?;
        Ok(Worker { core: Arc::new(core), waiter: OnceLock::new() })
    }

    /// host:pid:8 hex digits.
    #[napi(getter, catch_unwind)]
    pub fn name(&self) -> String {
        self.core.name().to_owned()
    }

    /// Jobs to start, at least one and at most `most`; null once the worker is stopped.
    #[napi(catch_unwind)]
    pub fn next<'env>(&self, env: &'env Env, most: u32) -> napi::Result<PromiseRaw<'env, Jobs>> {
        let waiter = match self.waiter.get() {
            Some(waiter) => waiter,
            None => {
                let waiter = start_waiter(&self.core).map_err(thrown)?;
                stop_with_environment(env, &self.core)?;
                self.waiter.get_or_init(|| waiter)
            }
        };
        let (jobs, promise) = pool::promise(env)?;
        if let Err(SendError(wanted)) = waiter.send(Wanted { most: most as usize, jobs }) {
            wanted.jobs.keep(|| Err(Error::internal("the thread that waits for jobs has ended")));
        }
        Ok(promise)
    }

    /// Hands an outcome over; it is sent with the next turn.
    #[napi(catch_unwind)]
    pub fn finish(&self, jid: String, token: String, outcome: String) -> napi::Result<()> {
        let outcome = Outcome::from_json(&outcome).map_err(thrown)?;
        self.core.finish(&jid, &token, outcome).map_err(thrown)
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
        let core = Arc::clone(&self.core);
        pool::call(env, move || core.finish_wait(&jid, &token, Outcome::from_json(&outcome)?)?.accepted(&jid))
    }

    /// Renews one lease now; milliseconds it lasts.
    #[napi(catch_unwind)]
    pub fn heartbeat<'env>(&self, env: &'env Env, jid: String, token: String) -> napi::Result<PromiseRaw<'env, f64>> {
        let core = Arc::clone(&self.core);
        pool::call(env, move || core.heartbeat(&jid, &token).map(|lease_ms| lease_ms as f64))
    }

    /// Why a job in hand is known to be lost.
    #[napi(catch_unwind)]
    pub fn lost(&self, jid: String, token: String) -> Option<String> {
        self.core.lost(&jid, &token)
    }

    /// Outcomes refused since the last look.
    #[napi(catch_unwind)]
    pub fn take_refused(&self) -> Vec<Refused> {
        let refused = self.core.take_refused().into_iter();
        refused.map(|it| Refused { jid: it.jid, token: it.token, operation: it.operation, reason: it.reason }).collect()
    }

    /// Waits for started jobs as long as the options say, stores outcomes, gives unstarted jobs back, ends the threads.
    #[napi(catch_unwind)]
    pub fn stop<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let core = Arc::clone(&self.core);
        pool::call_apart(env, "manyhands-stop", move || core.stop(core.shutdown_timeout()))
    }
}

/// Starts the thread that waits for this worker's jobs. It ends when what is returned is dropped.
fn start_waiter(core: &Arc<manyhands::Worker>) -> manyhands::Result<Sender<Wanted>> {
    let (sender, receiver) = mpsc::channel();
    let core = Arc::clone(core);
    pool::start("manyhands-next", move || wait_for_jobs(&core, &receiver))
        .map_err(|error| Error::internal(format!("cannot start the thread that waits for jobs: {error}")))?;
    Ok(sender)
}

fn wait_for_jobs(core: &manyhands::Worker, wanted: &Receiver<Wanted>) {
    for Wanted { most, jobs } in wanted {
        jobs.keep(|| take(core, most));
    }
}

/// Waits for one job, then takes what else is there at once.
fn take(core: &manyhands::Worker, most: usize) -> manyhands::Result<Jobs> {
    let first = loop {
        match core.next(LONG)? {
            Next::Job(job) => break job,
            Next::Empty => {}
            Next::Stopped => return Ok(None),
        }
    };
    let mut jobs = vec![Job::from(first)];
    while jobs.len() < most {
        // A fault or a stop is told by the next call: these jobs are started and must not be dropped.
        let Ok(Next::Job(job)) = core.next(Duration::ZERO) else { break };
        jobs.push(Job::from(job));
    }
    Ok(Some(jobs))
}

thread_local! {
    /// The workers of this thread's environment that have begun to take jobs; None before the first.
    static WORKERS: RefCell<Option<Vec<Weak<manyhands::Worker>>>> = const { RefCell::new(None) };
}

/// Has the worker stopped when its environment goes away, by `process.exit` or the end of a worker_thread: finished jobs
/// are stored and unstarted ones given back. Handlers end with the environment, so their jobs are left to their leases.
fn stop_with_environment(env: &Env, core: &Arc<manyhands::Worker>) -> napi::Result<()> {
    WORKERS.with_borrow_mut(|workers| {
        if workers.is_none() {
            env.add_env_cleanup_hook((), |()| stop_all())?;
        }
        let workers = workers.get_or_insert_default();
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(core));
        Ok(())
    })
}

fn stop_all() {
    for worker in WORKERS.take().into_iter().flatten() {
        if let Some(worker) = worker.upgrade() {
            // Nobody is left to be told: jobs whose outcomes were not stored run again when their leases end.
            let _ = catch_unwind(AssertUnwindSafe(|| worker.stop(Duration::ZERO)));
        }
    }
}
