//! Middleware around the handlers of [`Worker::run`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::locals::Locals;
use crate::ops::Job;
use crate::worker::{Outcome, Worker};

/// Code around every run of a job: it may look at the job, change the outcome, or leave the handler out.
///
/// Any function of this shape is one:
///
/// ```no_run
/// # fn main() -> manyhands::Result<()> {
/// use manyhands::{Around, Client, Job, Outcome, Worker};
///
/// fn logged(job: &Job, next: Around<'_>) -> Outcome {
///     println!("{} begins", job.jid);
///     let outcome = next.call();
///     println!("{} ended: {outcome:?}", job.jid);
///     outcome
/// }
///
/// let worker = Worker::open(&Client::open(None, "")?, r#"{"queues":["mail"]}"#)?.with(logged);
/// worker.run(|_job| Outcome::DONE)
/// # }
/// ```
pub trait Middleware: Send + Sync {
    /// Runs around what is inside: `next` gives its outcome, in which a panic is [`Outcome::Error`] of class `panic`. What is
    /// returned is the run's outcome for those outside; it counts for nothing when the run was ended already.
    fn around(&self, job: &Job, next: Around<'_>) -> Outcome;
}

impl<F: Fn(&Job, Around<'_>) -> Outcome + Send + Sync> Middleware for F {
    fn around(&self, job: &Job, next: Around<'_>) -> Outcome {
        self(job, next)
    }
}

/// What a handler is to the chain.
pub(crate) type Handler<'a> = &'a dyn Fn(&Job, &Locals) -> Outcome;

/// What is inside of a middleware: the rest of the chain and the handler. It can be called once:
///
/// ```compile_fail
/// fn twice(_job: &manyhands::Job, next: manyhands::Around<'_>) -> manyhands::Outcome {
///     next.call();
///     next.call()
/// }
/// ```
pub struct Around<'a> {
    worker: &'a Worker,
    job: &'a Job,
    locals: &'a Locals,
    rest: &'a [Arc<dyn Middleware>],
    handler: Handler<'a>,
}

impl<'a> Around<'a> {
    pub(crate) fn new(
        worker: &'a Worker,
        job: &'a Job,
        locals: &'a Locals,
        chain: &'a [Arc<dyn Middleware>],
        handler: Handler<'a>,
    ) -> Around<'a> {
        Around { worker, job, locals, rest: chain, handler }
    }

    /// Runs it.
    pub fn call(self) -> Outcome {
        let Around { job, locals, handler, .. } = self;
        let run = || match self.rest.split_first() {
            Some((first, rest)) => first.around(job, Around { rest, ..self }),
            None => handler(job, locals),
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Outcome::thrown("panic", &panic_text(&*panic)))
    }

    /// What this run's middleware and handler share.
    pub fn locals(&self) -> &'a Locals {
        self.locals
    }

    /// The worker that runs the job: to end the run here and now, with [`Worker::finish_wait`].
    pub fn worker(&self) -> &'a Worker {
        self.worker
    }
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}
