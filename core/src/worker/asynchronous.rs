//! Handlers that are futures: a thread of the worker's own waits for jobs, the program's runtime performs them.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::interrupts::KILLED;
use super::{Next, Outcome, Worker};
use crate::error::{Code, Error, Result};
use crate::middleware::{AnyMiddleware, AsyncAround, AsyncHandler, AsyncLocals, AsyncMiddleware, Halt, Ruled};
use crate::native;
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
    /// a lost one is not this worker's any more. What the handler has spawned goes on. Middleware around it hears of that as its
    /// outcome; middleware that is not inside of its `next` is dropped itself.
    ///
    /// Dropping the future that this returns, or its runtime, drops the futures of handlers and middleware, releases their jobs
    /// and makes the worker quiet. Stop it with [`Worker::stop`], which blocks: on a thread for that (`spawn_blocking`).
    ///
    /// Hooks, the log, StatsD, timeouts and what [`Worker::define`] says hold as ever. Middleware is that of
    /// [`Worker::with_async`]. [`Worker::serve_async`] has a handler for each kind.
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
    /// Those of [`Worker::next`], when all handlers have ended; `WRONG_STATE` outside of a tokio runtime, of a worker with
    /// middleware for handlers that block, and of one that runs already.
    pub async fn run_async<F, R>(&self, handler: F) -> Result<()>
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        self.run_async_with(move |job, _| handler(job)).await
    }

    /// The same for a handler that shares something with the middleware of [`Worker::with_async`].
    ///
    /// # Errors
    /// Those of [`Worker::run_async`].
    pub async fn run_async_with<F, R>(&self, handler: F) -> Result<()>
    where
        F: Fn(Job, AsyncLocals) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let runs = self.runs("worker_run", handler)?;
        let _running = self.begin_run()?;
        let _quieting = Quieting(self);
        runs.bridge(|runs| runs.perform_all()).await
    }

    /// The same worker, with middleware around the handler of a later [`Worker::run_async`], inside of what it has already. With
    /// the cargo feature `async`.
    #[must_use]
    pub fn with_async(self, middleware: impl AsyncMiddleware + 'static) -> Worker {
        if let Ok(inner) = self.inner("worker_with") {
            inner.async_chain.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(middleware));
        }
        self
    }

    /// [`Worker::drain`] for handlers that are futures, on the runtime this is awaited on, one after another; for tests. Middleware
    /// and interrupts are as in [`Worker::run_async`]. Dropping the future drops the handler's, and releases its job. With the cargo
    /// feature `async`.
    ///
    /// ```no_run
    /// # async fn example() -> manyhands::Result<()> {
    /// use manyhands::{AsyncClient, Outcome, Put, Worker};
    ///
    /// let client = AsyncClient::open(Some("embedded:.manyhands"), "")?;
    /// let worker = Worker::open(client.blocking(), r#"{"queues":["mail"]}"#)?;
    /// client.put(Put::new("welcome").queue("mail")).await?;
    /// assert_eq!(worker.drain_async(|_job| async { Outcome::DONE }).await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Worker::drain`]; `WRONG_STATE` as [`Worker::run_async`].
    pub async fn drain_async<F, R>(&self, handler: F) -> Result<usize>
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let runs = self.runs("worker_drain", move |job, _| handler(job))?;
        runs.bridge(|runs| runs.worker.drain_jobs(|job| runs.perform_one(job))).await
    }

    /// Runs a built job through the middleware of [`Worker::with_async`] and a handler; no server hears of it.
    pub(crate) async fn try_out_async<F, R>(&self, job: Job, handler: F) -> Result<Outcome>
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let runs = self.runs("worker_perform", move |job, _| handler(job))?;
        Ok(runs.around(job, AsyncLocals::default(), Arc::default()).call().await)
    }

    fn runs<F, R>(&self, call: &str, handler: F) -> Result<Arc<Runs>>
    where
        F: Fn(Job, AsyncLocals) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let wrong = |message: &str| Error::new(Code::WrongState, message).during(call);
        let inner = self.inner(call)?;
        if !inner.chain.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Err(wrong(
                "the middleware of Worker::with is for handlers that block: for futures there is Worker::with_async",
            ));
        }
        let runtime = Handle::try_current().map_err(|_| wrong("handlers that are futures need a tokio runtime"))?;
        let chain = inner.async_chain.read().unwrap_or_else(PoisonError::into_inner).as_slice().into();
        let handler: Arc<AsyncHandler> = Arc::new(move |job, locals| Box::pin(handler(job, locals)));
        let (open, ended) = (Mutex::default(), Condvar::new());
        Ok(Arc::new(Runs { worker: self.clone(), chain, handler, runtime, open, ended }))
    }
}

/// The runs of one call of [`Worker::run_async`] or [`Worker::drain_async`].
struct Runs {
    worker: Worker,
    chain: Arc<[Arc<dyn AnyMiddleware>]>,
    handler: Arc<AsyncHandler>,
    runtime: Handle,
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
struct Running {
    /// None for a moment at its beginning.
    task: Option<AbortHandle>,
    halt: Arc<Halt>,
}

/// Ends the runs when nobody awaits them any more.
struct Abandoning(Arc<Runs>);

/// After a run of the worker it is quiet, however that came to its end.
struct Quieting<'a>(&'a Worker);

/// One run, which ends when this is dropped: after its future.
struct Run {
    runs: Arc<Runs>,
    lease: Lease,
    outcome: Option<Outcome>,
}

impl Runs {
    /// Works on a thread of its own, which may block, for as long as this is awaited.
    async fn bridge<T: Send + 'static>(
        self: Arc<Runs>,
        work: impl FnOnce(&Arc<Runs>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let _abandoning = Abandoning(Arc::clone(&self));
        let (tell, told) = oneshot::channel();
        let bridge = move || {
            // Nobody waits for the end of what was abandoned.
            let _ = tell.send(work(&self));
        };
        native::begin("mh-bridge", bridge)
            .map_err(|error| Error::internal(format!("the system gave the worker no thread: {error}")))?;
        told.await.unwrap_or_else(|_| Err(Error::internal("the thread that waits for jobs ended by a panic")))
    }

    /// Waits for jobs and has them performed, until no more come and all have ended.
    fn perform_all(self: &Arc<Runs>) -> Result<()> {
        let threads = self.worker.threads();
        let ended = loop {
            self.interrupt();
            let running = self.running();
            if running >= threads {
                self.wait(running);
                continue;
            }
            let patience = if running == 0 { Duration::MAX } else { LOOK_EVERY };
            match self.worker.next(patience) {
                Ok(Next::Job(job)) => self.begin(job),
                Ok(Next::Empty) => {}
                Ok(Next::Stopped) => break Ok(()),
                Err(error) => {
                    self.worker.quiet();
                    break Err(error);
                }
            }
        };
        loop {
            let running = self.running();
            if running == 0 {
                break;
            }
            self.interrupt();
            self.wait(running);
        }
        ended.and(self.open().fault.take().map_or(Ok(()), Err))
    }

    /// Has a job performed, and waits for its end.
    fn perform_one(self: &Arc<Runs>, job: Job) -> Result<()> {
        let (lease, mut told) = (Lease { jid: job.jid.clone(), token: job.token.clone() }, None);
        self.begin(job);
        while self.running() > 0 {
            // Taking interrupts would take those of who drains around this.
            let reason = self.worker.interrupted(&lease.jid, &lease.token);
            if reason != told {
                reason.iter().for_each(|reason| self.halt(&lease, reason));
                told = reason;
            }
            self.wait(1);
        }
        let open = &mut *self.open();
        match open.abandoned {
            true => Err(Error::new(Code::Closed, "nobody awaits the drain any more")),
            false => open.fault.take().map_or(Ok(()), Err),
        }
    }

    fn begin(self: &Arc<Runs>, job: Job) {
        let lease = Lease { jid: job.jid.clone(), token: job.token.clone() };
        let run = Run { runs: Arc::clone(self), lease: lease.clone(), outcome: None };
        let (kind, locals, halt) = (job.kind.clone(), AsyncLocals::default(), Arc::<Halt>::default());
        let around = self.around(job, locals.clone(), Arc::clone(&halt));
        self.open().runs.insert(lease.clone(), Running { task: None, halt });
        // A runtime that is ending drops the task at once, and with it the run: no lock is held here.
        let task = self.runtime.spawn(async move {
            let mut run = run;
            let outcome = around.call().await;
            run.outcome = Some(match locals.take::<Ruled>() {
                Some(rule) => rule.apply(&kind, outcome),
                None => outcome,
            });
        });
        let mut open = self.open();
        if open.abandoned {
            task.abort();
        } else if let Some(running) = open.runs.get_mut(&lease) {
            running.task = Some(task.abort_handle());
        }
    }

    /// The handler, and all that is around it.
    fn around(&self, job: Job, locals: AsyncLocals, halt: Arc<Halt>) -> AsyncAround {
        let (worker, chain, handler) = (self.worker.clone(), Arc::clone(&self.chain), Arc::clone(&self.handler));
        AsyncAround::new(worker, job, locals, chain, handler, halt)
    }

    /// Drops the futures of handlers that are to end.
    fn interrupt(&self) {
        for interrupt in self.worker.take_interrupts() {
            self.halt(&Lease { jid: interrupt.jid, token: interrupt.token }, &interrupt.reason);
        }
    }

    fn halt(&self, lease: &Lease, reason: &str) {
        let halt = self.open().runs.get(lease).map(|running| Arc::clone(&running.halt));
        let outcome = match reason {
            KILLED => Outcome::Release,
            reason => Outcome::thrown(INTERRUPTED, &format!("the run of the job was interrupted: {reason}")),
        };
        halt.into_iter().for_each(|halt| halt.end(outcome.clone()));
    }

    fn end(&self, lease: &Lease, outcome: Option<Outcome>) {
        let handed_in = self.worker.end_run(&lease.jid, &lease.token, outcome.unwrap_or(Outcome::Release));
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

    /// Waits for the end of one of so many runs, for as long as no handler need hear anything.
    fn wait(&self, running: usize) {
        let waited = self.ended.wait_timeout_while(self.open(), LOOK_EVERY, |open| open.runs.len() == running);
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
        tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Quieting<'_> {
    fn drop(&mut self) {
        // After a run that came to its end there is nothing to do any more.
        self.0.quiet();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.runs.end(&self.lease, self.outcome.take());
    }
}
