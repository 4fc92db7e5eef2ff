//! Handlers that are futures: a thread of the worker's own waits for jobs, the program's runtime performs them.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::interrupts::KILLED;
use super::{Next, Outcome, Worker};
use crate::client::SignalsHeld;
use crate::error::{Code, Error, Result};
use crate::middleware::panic_text;
use crate::ops::{Job, Lease};

/// How soon running handlers hear of an interrupt.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The class of the error that an interrupted run ends with, as in other languages.
const INTERRUPTED: &str = "JobInterrupted";

impl Worker {
    /// Performs jobs on the runtime this is awaited on, as many at once as the option `threads` says, until the worker is quiet or
    /// stopped and all handlers have ended. With the cargo feature `async`.
    ///
    /// `handler` gives a future, which says how the run ended; one that panics ends as [`Outcome::Error`] of class `panic`. Jobs
    /// are waited for, and leases renewed, on threads of the worker's own: neither blocks the runtime, nor does a handler that
    /// blocks its thread lose its job.
    ///
    /// An interrupt ([`Worker::take_interrupts`]) drops the handler's future, at its next await within 100 ms. The job is then
    /// released after `killed`, spending no retry; after `timeout` the run ends as [`Outcome::Error`] of class `JobInterrupted`;
    /// a lost one is not this worker's any more. What the handler has spawned goes on.
    ///
    /// Dropping the future that this returns, or its runtime, drops the handlers' futures, releases their jobs and makes the
    /// worker quiet. Stop it with [`Worker::stop`], which blocks: on a thread for that (`spawn_blocking`).
    ///
    /// Hooks, the log, StatsD, timeouts and what [`Worker::define`] says hold as ever. Middleware ([`Worker::with`]) is not for
    /// futures: what is to be around one is an `async fn` that awaits it.
    ///
    /// ```no_run
    /// # async fn example() -> manyhands::Result<()> {
    /// use manyhands::{Client, Job, Outcome, Worker};
    ///
    /// async fn greet(job: Job) -> Outcome {
    ///     println!("hello {}", job.data);
    ///     Outcome::DONE
    /// }
    ///
    /// let worker = Worker::open(&Client::open(None, "")?, r#"{"queues":["mail"],"kinds":["greet"],"threads":100}"#)?;
    /// worker
    ///     .run_async(|job| async move {
    ///         match job.kind.as_str() {
    ///             "greet" => greet(job).await,
    ///             _ => Outcome::UnknownKind,
    ///         }
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Worker::next`], when all handlers have ended; `WRONG_STATE` outside of a tokio runtime, and of a worker with
    /// middleware.
    pub async fn run_async<F, R>(&self, handler: F) -> Result<()>
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let wrong = |message: &str| Error::new(Code::WrongState, message).during("worker_run");
        if !self.inner("worker_run")?.chain.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Err(wrong("middleware is for the handlers of Worker::run: around a future goes an async fn"));
        }
        let runtime = Handle::try_current().map_err(|_| wrong("handlers that are futures need a tokio runtime"))?;
        let runs = Arc::new(Runs { worker: self.clone(), open: Mutex::default(), ended: Condvar::new() });
        let _abandoning = Abandoning(Arc::clone(&runs));
        let (tell, told) = oneshot::channel();
        let bridge = move || {
            // Nobody waits for the end of a run that was abandoned.
            let _ = tell.send(runs.perform_all(&Arc::new(handler), &runtime));
        };
        {
            // Signals are the host's business.
            let _held = SignalsHeld::new();
            let bridge = thread::Builder::new().name("mh-bridge".to_owned()).spawn(bridge);
            bridge.map_err(|error| Error::internal(format!("the system gave the worker no thread: {error}")))?;
        }
        told.await.unwrap_or_else(|_| Err(Error::internal("the thread that waits for jobs ended by a panic")))
    }
}

/// The runs of one call of [`Worker::run_async`].
struct Runs {
    worker: Worker,
    open: Mutex<Open>,
    /// Rings when a run ends.
    ended: Condvar,
}

#[derive(Default)]
struct Open {
    runs: HashMap<Lease, Running>,
    /// Nobody awaits the whole any more.
    abandoned: bool,
    /// What keeps outcomes from being handed in.
    fault: Option<Error>,
}

/// A run whose future is there.
#[derive(Default)]
struct Running {
    /// None for a moment at its beginning.
    task: Option<AbortHandle>,
    /// Why its future was dropped, if it was.
    interrupt: Option<String>,
}

/// Ends the runs when nobody awaits them any more.
struct Abandoning(Arc<Runs>);

/// One run, which ends when this is dropped: after its future.
struct Run {
    runs: Arc<Runs>,
    lease: Lease,
    outcome: Option<Outcome>,
}

impl Runs {
    /// Waits for jobs and has them performed, until no more come and all have ended.
    fn perform_all<F, R>(self: &Arc<Runs>, handler: &Arc<F>, runtime: &Handle) -> Result<()>
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let threads = self.worker.threads();
        let ended = loop {
            self.interrupt();
            let running = self.running();
            if running >= threads {
                self.wait();
                continue;
            }
            let patience = if running == 0 { Duration::MAX } else { LOOK_EVERY };
            match self.worker.next(patience) {
                Ok(Next::Job(job)) => self.begin(job, handler, runtime),
                Ok(Next::Empty) => {}
                Ok(Next::Stopped) => break Ok(()),
                Err(error) => {
                    self.worker.quiet();
                    break Err(error);
                }
            }
        };
        while self.running() > 0 {
            self.interrupt();
            self.wait();
        }
        ended.and(self.open().fault.take().map_or(Ok(()), Err))
    }

    fn begin<F, R>(self: &Arc<Runs>, job: Job, handler: &Arc<F>, runtime: &Handle)
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let lease = Lease { jid: job.jid.clone(), token: job.token.clone() };
        let run = Run { runs: Arc::clone(self), lease: lease.clone(), outcome: None };
        let handler = Arc::clone(handler);
        self.open().runs.insert(lease.clone(), Running::default());
        // A runtime that is ending drops the task at once, and with it the run: no lock is held here.
        let task = runtime.spawn(async move {
            let mut run = run;
            let outcome = caught(async move { handler(job).await }).await;
            run.outcome = Some(outcome);
        });
        let mut open = self.open();
        if open.abandoned {
            task.abort();
        } else if let Some(running) = open.runs.get_mut(&lease) {
            running.task = Some(task.abort_handle());
        }
    }

    /// Drops the futures of handlers that are to end.
    fn interrupt(&self) {
        for interrupt in self.worker.take_interrupts() {
            let lease = Lease { jid: interrupt.jid, token: interrupt.token };
            if let Some(running) = self.open().runs.get_mut(&lease) {
                running.interrupt.get_or_insert(interrupt.reason);
                running.task.iter().for_each(AbortHandle::abort);
            }
        }
    }

    fn end(&self, lease: &Lease, outcome: Option<Outcome>) {
        let interrupt = self.open().runs.get_mut(lease).and_then(|running| running.interrupt.take());
        let outcome = outcome.unwrap_or_else(|| match interrupt.as_deref() {
            None | Some(KILLED) => Outcome::Release,
            Some(reason) => Outcome::thrown(INTERRUPTED, &format!("the run of the job was interrupted: {reason}")),
        });
        let handed_in = self.worker.end_run(&lease.jid, &lease.token, outcome);
        if handed_in.is_err() {
            self.worker.quiet();
        }
        let mut open = self.open();
        open.runs.remove(lease);
        open.fault = open.fault.take().or(handed_in.err());
        drop(open);
        self.ended.notify_one();
    }

    fn running(&self) -> usize {
        self.open().runs.len()
    }

    /// Waits for the end of a run, for as long as no handler need hear anything.
    fn wait(&self) {
        let full = self.open();
        let count = full.runs.len();
        let waited = self.ended.wait_timeout_while(full, LOOK_EVERY, |open| open.runs.len() == count);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Abandoning {
    fn drop(&mut self) {
        let mut open = self.0.open();
        open.abandoned = true;
        let tasks: Vec<_> = open.runs.values().filter_map(|running| running.task.clone()).collect();
        drop(open);
        // After a run that came to its end there is nothing to do any more.
        self.0.worker.quiet();
        tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.runs.end(&self.lease, self.outcome.take());
    }
}

/// What the future of a handler comes to, also by a panic.
async fn caught(future: impl Future<Output = Outcome>) -> Outcome {
    let mut future = Box::pin(future);
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled,
        Err(panic) => Poll::Ready(Outcome::thrown("panic", &panic_text(&*panic))),
    })
    .await
}
