//! Handlers of kinds that are futures.

use std::collections::HashMap;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, PoisonError};

use crate::error::{Code, Error, Result};
use crate::kind::JobKind;
use crate::ops::Job;
use crate::worker::{Outcome, Worker};

type Performing = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// The handlers of [`Worker::perform_async`], by kind.
pub type AsyncHandlers = HashMap<String, Arc<dyn Fn(Job) -> Performing + Send + Sync>>;

impl Worker {
    /// [`Worker::perform`] for a handler that is a future: the same worker, with the handler of a kind for
    /// [`Worker::serve_async`]. With the cargo feature `async`.
    ///
    /// ```no_run
    /// # async fn example() -> manyhands::Result<()> {
    /// use manyhands::{AsyncClient, Job, JobKind, Outcome, Worker};
    ///
    /// async fn welcome(job: Job) -> Outcome {
    ///     println!("welcome, {}", job.data);
    ///     Outcome::DONE
    /// }
    ///
    /// let kind = JobKind::new("welcome").queue("mail").retries(3);
    /// let client = AsyncClient::open(None, "")?;
    /// client.put(kind.job(r#"{"to": "ann@example.com"}"#)).await?;
    ///
    /// let worker = Worker::open(client.blocking(), r#"{"queues": ["mail"], "threads": 100}"#)?;
    /// worker.perform_async(&kind, welcome)?.serve_async().await
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`Worker::define`]; `WRONG_STATE` of a worker with handlers that block.
    pub fn perform_async<F, R>(self, kind: &JobKind, handler: F) -> Result<Worker>
    where
        F: Fn(Job) -> R + Send + Sync + 'static,
        R: Future<Output = Outcome> + Send + 'static,
    {
        let inner = self.inner("worker_perform")?;
        let blocking = inner.handlers.read().unwrap_or_else(PoisonError::into_inner);
        if !blocking.is_empty() {
            let message = format!(
                "{} cannot be performed by a future: Worker::perform gave this worker handlers that block",
                kind.name()
            );
            return Err(Error::new(Code::WrongState, message).during("worker_perform"));
        }
        self.know(kind, true)?;
        let mut handlers = inner.async_handlers.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(kind.name().to_owned(), Arc::new(move |job| Box::pin(handler(job))));
        drop((handlers, blocking));
        Ok(self)
    }

    /// [`Worker::run_async`] with the handlers of [`Worker::perform_async`]. A job whose kind has none ends as
    /// [`Outcome::UnknownKind`]; that is what middleware hears. With the cargo feature `async`.
    ///
    /// # Errors
    /// Those of [`Worker::run_async`]; `WRONG_STATE` of a worker with handlers that block.
    pub async fn serve_async(&self) -> Result<()> {
        self.run_async(self.by_kind("worker_run")?).await
    }

    /// [`Worker::drain_async`] with the handlers of [`Worker::perform_async`], as [`Worker::serve_async`] has them. With the cargo
    /// feature `async`.
    ///
    /// # Errors
    /// Those of [`Worker::drain_async`]; `WRONG_STATE` of a worker with handlers that block.
    pub async fn drain_served_async(&self) -> Result<usize> {
        self.drain_async(self.by_kind("worker_drain")?).await
    }

    fn by_kind(&self, call: &str) -> Result<impl Fn(Job) -> Performing + Send + Sync + use<>> {
        let inner = self.inner(call)?;
        if !inner.handlers.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let message =
                "the handlers of Worker::perform block: for them there are Worker::serve and Worker::drain_served";
            return Err(Error::new(Code::WrongState, message).during(call));
        }
        let handlers = inner.async_handlers.read().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(move |job: Job| match handlers.get(&job.kind) {
            Some(handler) => handler(job),
            None => Box::pin(ready(Outcome::UnknownKind)),
        })
    }
}
