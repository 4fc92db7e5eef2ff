//! Sugar for Rust programs: handlers on threads of the worker's own.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use super::{Next, Outcome, Worker};
use crate::error::{Code, Result};
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
    /// Those of [`Worker::next`]; all threads end then.
    pub fn run(&self, handler: impl Fn(&Job) -> Outcome + Sync) -> Result<()> {
        let threads = self.inner("worker_run")?.shared.options.threads;
        thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| self.perform_all(&handler))).collect();
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })
    }

    fn perform_all(&self, handler: &(impl Fn(&Job) -> Outcome + Sync)) -> Result<()> {
        loop {
            match self.next(Duration::MAX) {
                Ok(Next::Job(job)) => self.perform(&job, handler)?,
                Ok(Next::Empty) => {}
                Ok(Next::Stopped) => return Ok(()),
                Err(error) => {
                    self.quiet();
                    return Err(error);
                }
            }
        }
    }

    fn perform(&self, job: &Job, handler: &(impl Fn(&Job) -> Outcome + Sync)) -> Result<()> {
        let outcome =
            catch_unwind(AssertUnwindSafe(|| handler(job))).unwrap_or_else(|panic| thrown("panic", &text(&*panic)));
        match self.finish(&job.jid, &job.token, outcome) {
            // What the handler said cannot be kept: that is its error.
            Err(error) if error.code == Code::InvalidArgument => {
                self.finish(&job.jid, &job.token, thrown(error.code.name(), &error.message))
            }
            // The stop did not wait for this job: its lease takes care of it.
            Err(error) if error.code == Code::Closed => Ok(()),
            finished => finished,
        }
    }
}

fn thrown(class: &str, message: &str) -> Outcome {
    Outcome::Error { class: class.to_owned(), message: message.to_owned(), trace: String::new() }
}

/// What a panic said.
fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}
