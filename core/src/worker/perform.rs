//! Sugar for Rust programs: handlers on threads of the worker's own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use super::{Next, Outcome, Worker};
use crate::error::{Code, Error, Result};
use crate::middleware::{Around, Handler, Locals, Middleware, Ruled};
use crate::ops::Job;

impl Worker {
    /// Performs jobs on as many threads as the option `threads` says, until the worker is quiet or stopped.
    ///
    /// `handler` says how each run ended; one that panics ends as [`Outcome::Error`] of class `panic`. Stop from another
    /// thread, with [`Worker::stop`] on a clone.
    ///
    /// ```no_run
    /// # fn main() -> manyhands::Result<()> {
    /// use manyhands::{Client, Outcome, Worker};
    ///
    /// let worker = Worker::open(&Client::open(None, "")?, r#"{"queues":["mail"],"kinds":["greet"],"threads":4}"#)?;
    /// worker.run(|job| match job.kind.as_str() {
    ///     "greet" => {
    ///         println!("hello {}", job.data);
    ///         Outcome::DONE
    ///     }
    ///     _ => Outcome::UnknownKind,
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Worker::next`]; all threads end then. `WRONG_STATE` of a worker with middleware for futures, and of one that runs
    /// already.
    pub fn run(&self, handler: impl Fn(&Job) -> Outcome + Sync) -> Result<()> {
        self.run_with(|job, _| handler(job))
    }

    /// The same for a handler that shares something with the middleware of [`Worker::with`].
    ///
    /// # Errors
    /// Those of [`Worker::run`].
    pub fn run_with(&self, handler: impl Fn(&Job, &Locals) -> Outcome + Sync) -> Result<()> {
        let threads = self.inner("worker_run")?.shared.options.threads;
        let chain = self.chain("worker_run")?;
        let _running = self.begin_run()?;
        thread::scope(|scope| {
            let perform_all = || self.perform_all(&chain, &handler);
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(perform_all)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    /// Two runs would begin twice as many jobs at once as `threads` says, and take each other's interrupts.
    pub(super) fn begin_run(&self) -> Result<Running<'_>> {
        let runs = &self.inner("worker_run")?.runs;
        if runs.swap(true, Ordering::AcqRel) {
            return Err(Error::new(Code::WrongState, "the worker runs already").during("worker_run"));
        }
        Ok(Running(runs))
    }

    fn perform_all(&self, chain: &[Arc<dyn Middleware>], handler: Handler<'_>) -> Result<()> {
        loop {
            match self.next(Duration::MAX) {
                Ok(Next::Job(job)) => self.run_one(&job, chain, handler)?,
                Ok(Next::Empty) => {}
                Ok(Next::Stopped) => return Ok(()),
                Err(error) => {
                    self.quiet();
                    return Err(error);
                }
            }
        }
    }

    pub(super) fn run_one(&self, job: &Job, chain: &[Arc<dyn Middleware>], handler: Handler<'_>) -> Result<()> {
        let locals = Locals::default();
        let outcome = Around::new(self, job, &locals, chain, handler).call();
        let outcome = match locals.take::<Ruled>() {
            Some(rule) => rule.apply(&job.kind, outcome),
            None => outcome,
        };
        self.end_run(&job.jid, &job.token, outcome)
    }

    /// The middleware of [`Worker::with`].
    pub(super) fn chain(&self, call: &str) -> Result<Vec<Arc<dyn Middleware>>> {
        let inner = self.inner(call)?;
        #[cfg(feature = "async")]
        if !inner.async_chain.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let message =
                "the middleware of Worker::with_async is for futures: for handlers that block there is Worker::with";
            return Err(Error::new(Code::WrongState, message).during(call));
        }
        Ok(inner.chain.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Ends a run as its handler said.
    pub(super) fn end_run(&self, jid: &str, token: &str, outcome: Outcome) -> Result<()> {
        match self.finish(jid, token, outcome) {
            // What the handler said cannot be kept: that is its error.
            Err(error) if error.code == Code::InvalidArgument => {
                let outcome = Outcome::thrown(error.code.name(), &error.message);
                self.finish(jid, token, outcome)
            }
            // The handler or a middleware has ended the run itself.
            Err(error) if error.code == Code::WrongState => Ok(()),
            // The stop did not wait for this job: its lease takes care of it.
            Err(error) if error.code == Code::Closed => Ok(()),
            finished => finished,
        }
    }
}

/// A run of the worker, until this is dropped.
pub(super) struct Running<'a>(&'a AtomicBool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
