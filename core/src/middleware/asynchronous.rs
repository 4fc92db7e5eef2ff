//! Middleware around handlers that are futures, and around the puts of an asynchronous client.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::locals::AsyncLocals;
use super::perform::panic_text;
use crate::client::AsyncClient;
use crate::error::Result;
use crate::ops::{Job, Placed, Put, QueuePut};
use crate::worker::{Outcome, Worker};

/// Code around every run of a job whose handler is a future: what [`Middleware`](super::Middleware) is to other handlers.
///
/// Any `async fn` of this shape is one:
///
/// ```no_run
/// # async fn example() -> manyhands::Result<()> {
/// use std::sync::Arc;
///
/// use manyhands::{AsyncAround, Client, Job, Outcome, Worker};
///
/// async fn logged(job: Arc<Job>, next: AsyncAround) -> Outcome {
///     println!("{} begins", job.jid);
///     let outcome = next.call().await;
///     println!("{} ended: {outcome:?}", job.jid);
///     outcome
/// }
///
/// let worker = Worker::open(&Client::open(None, "")?, r#"{"queues":["mail"]}"#)?.with_async(logged);
/// worker.run_async(|_job| async { Outcome::DONE }).await
/// # }
/// ```
///
/// A type of its own says `async fn around(&self, job: Arc<Job>, next: AsyncAround) -> Outcome`.
pub trait AsyncMiddleware: Send + Sync {
    /// Runs around what is inside: `next` gives its outcome, in which a panic is [`Outcome::Error`] of class `panic`. What this
    /// future gives is the run's outcome for those outside; it counts for nothing when the run was ended already.
    fn around(&self, job: Arc<Job>, next: AsyncAround) -> impl Future<Output = Outcome> + Send;
}

impl<F, R> AsyncMiddleware for F
where
    F: Fn(Arc<Job>, AsyncAround) -> R + Send + Sync,
    R: Future<Output = Outcome> + Send,
{
    fn around(&self, job: Arc<Job>, next: AsyncAround) -> impl Future<Output = Outcome> + Send {
        self(job, next)
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a handler is to the chain.
pub(crate) type AsyncHandler = dyn Fn(Job, AsyncLocals) -> Boxed<'static, Outcome> + Send + Sync;

/// A middleware of any type.
pub(crate) trait AnyMiddleware: Send + Sync {
    fn begin(&self, job: Arc<Job>, next: AsyncAround) -> Boxed<'_, Outcome>;
}

impl<M: AsyncMiddleware> AnyMiddleware for M {
    fn begin(&self, job: Arc<Job>, next: AsyncAround) -> Boxed<'_, Outcome> {
        Box::pin(self.around(job, next))
    }
}

/// What is inside of an asynchronous middleware: the rest of the chain and the handler. It can be called once:
///
/// ```compile_fail,E0382
/// use std::sync::Arc;
///
/// async fn twice(_job: Arc<manyhands::Job>, next: manyhands::AsyncAround) -> manyhands::Outcome {
///     next.call().await;
///     next.call().await
/// }
/// ```
pub struct AsyncAround {
    worker: Worker,
    job: Arc<Job>,
    locals: AsyncLocals,
    chain: Arc<[Arc<dyn AnyMiddleware>]>,
    /// The next of the chain.
    at: usize,
    handler: Arc<AsyncHandler>,
    halt: Arc<Halt>,
}

impl AsyncAround {
    pub(crate) fn new(
        worker: Worker,
        job: Job,
        locals: AsyncLocals,
        chain: Arc<[Arc<dyn AnyMiddleware>]>,
        handler: Arc<AsyncHandler>,
        halt: Arc<Halt>,
    ) -> AsyncAround {
        AsyncAround { worker, job: Arc::new(job), locals, chain, at: 0, handler, halt }
    }

    /// Runs it. What an interrupt finds inside is dropped at its next await, and the outcome is [`Outcome::Release`] after
    /// `killed`, else [`Outcome::Error`] of class `JobInterrupted`.
    pub async fn call(self) -> Outcome {
        let halt = Arc::clone(&self.halt);
        let level = halt.enter();
        let mut inside = pin!(self.begin());
        poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| inside.as_mut().poll(context))) {
            Ok(Poll::Ready(outcome)) => Poll::Ready(outcome),
            Ok(Poll::Pending) => level.poll(context),
            Err(panic) => Poll::Ready(Outcome::thrown("panic", &panic_text(&*panic))),
        })
        .await
    }

    async fn begin(self) -> Outcome {
        let AsyncAround { job, locals, handler, .. } = self;
        match self.chain.get(self.at).cloned() {
            Some(first) => {
                let next = AsyncAround { job: Arc::clone(&job), locals, handler, at: self.at + 1, ..self };
                first.begin(job, next).await
            }
            None => handler(Arc::unwrap_or_clone(job), locals).await,
        }
    }

    /// What this run's middleware and handler share.
    pub fn locals(&self) -> &AsyncLocals {
        &self.locals
    }

    /// The worker that runs the job: to end the run here and now, with [`Worker::finish_wait`], which blocks: on a thread for
    /// that (`spawn_blocking`).
    pub fn worker(&self) -> &Worker {
        &self.worker
    }
}

/// How a run hears that it should end: the innermost call that is under way ends then, and those outside go on with its outcome.
#[derive(Default)]
pub(crate) struct Halt(Mutex<Halting>);

#[derive(Default)]
struct Halting {
    /// How many calls are under way, one in the other.
    depth: usize,
    /// What the innermost is to end with.
    outcome: Option<Outcome>,
    /// Of the innermost.
    waker: Option<Waker>,
}

/// A call that is under way.
struct Level<'a> {
    halt: &'a Halt,
    depth: usize,
}

impl Halt {
    /// The innermost call ends with this.
    pub fn end(&self, outcome: Outcome) {
        let waker = {
            let mut state = self.state();
            state.outcome = Some(outcome);
            state.waker.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    fn enter(&self) -> Level<'_> {
        let mut state = self.state();
        state.depth += 1;
        Level { halt: self, depth: state.depth }
    }

    fn state(&self) -> MutexGuard<'_, Halting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Level<'_> {
    /// What this call is to end with, when it is the innermost and must end.
    fn poll(&self, context: &Context<'_>) -> Poll<Outcome> {
        let mut state = self.halt.state();
        if state.depth > self.depth {
            return Poll::Pending;
        }
        match state.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Level<'_> {
    fn drop(&mut self) {
        let mut state = self.halt.state();
        (state.depth, state.waker) = (self.depth - 1, None);
    }
}

/// Code around every put of a client made with [`AsyncClient::with`]: it may change the jobs, add some, or put none.
///
/// Any `async fn` of this shape is one. It sees what [`AsyncClient::put`] and [`AsyncClient::put_all`] put; not what goes by
/// [`AsyncClient::call`] or [`AsyncClient::send`].
///
/// ```no_run
/// # async fn example() -> manyhands::Result<()> {
/// use manyhands::{AsyncAroundPut, AsyncClient, Placed, Put, Result};
///
/// async fn tagged(puts: Vec<Put>, next: AsyncAroundPut) -> Result<Vec<Placed>> {
///     next.call(puts.into_iter().map(|put| put.tags(["new"])).collect()).await
/// }
///
/// let client = AsyncClient::open(None, "")?.with(tagged);
/// client.put(Put::new("welcome").queue("mail")).await?;
/// # Ok(())
/// # }
/// ```
pub trait AsyncPutMiddleware: Send + Sync {
    /// Runs around a put; `next` answers what became of each job it is given, in order.
    ///
    /// # Errors
    /// Those of [`AsyncClient::put_all`], or its own: whoever puts gets them.
    fn around(&self, puts: Vec<Put>, next: AsyncAroundPut) -> impl Future<Output = Result<Vec<Placed>>> + Send;
}

impl<F, R> AsyncPutMiddleware for F
where
    F: Fn(Vec<Put>, AsyncAroundPut) -> R + Send + Sync,
    R: Future<Output = Result<Vec<Placed>>> + Send,
{
    fn around(&self, puts: Vec<Put>, next: AsyncAroundPut) -> impl Future<Output = Result<Vec<Placed>>> + Send {
        self(puts, next)
    }
}

/// A middleware around puts, of any type.
pub(crate) trait AnyPutMiddleware: Send + Sync {
    fn begin(&self, puts: Vec<Put>, next: AsyncAroundPut) -> Boxed<'_, Result<Vec<Placed>>>;
}

impl<M: AsyncPutMiddleware> AnyPutMiddleware for M {
    fn begin(&self, puts: Vec<Put>, next: AsyncAroundPut) -> Boxed<'_, Result<Vec<Placed>>> {
        Box::pin(self.around(puts, next))
    }
}

/// What is inside of an asynchronous middleware around puts: the rest of the chain, and the put. It can be called once.
pub struct AsyncAroundPut {
    client: AsyncClient,
    /// The next of the chain.
    at: usize,
}

impl AsyncAroundPut {
    pub(crate) fn new(client: AsyncClient) -> AsyncAroundPut {
        AsyncAroundPut { client, at: 0 }
    }

    /// Puts these jobs.
    ///
    /// # Errors
    /// Those of [`AsyncClient::put_all`], and of the rest of the chain.
    pub async fn call(self, puts: Vec<Put>) -> Result<Vec<Placed>> {
        match self.client.around_put(self.at) {
            Some(first) => first.begin(puts, AsyncAroundPut { at: self.at + 1, ..self }).await,
            None => self.client.put_now(QueuePut::new(puts)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_ends_the_innermost_call_once() {
        let halt = Halt::default();
        let context = Context::from_waker(Waker::noop());
        let outer = halt.enter();
        let inner = halt.enter();
        assert!(inner.poll(&context).is_pending() && outer.poll(&context).is_pending());
        halt.end(Outcome::Release);
        assert!(outer.poll(&context).is_pending());
        assert_eq!(inner.poll(&context), Poll::Ready(Outcome::Release));
        drop(inner);
        assert!(outer.poll(&context).is_pending(), "it goes on after the inner one");
        halt.end(Outcome::UnknownKind);
        assert_eq!(outer.poll(&context), Poll::Ready(Outcome::UnknownKind));
    }
}
