//! For the tests of programs that use Manyhands. docs/testing.md has examples.
//!
//! A handler alone is tested with [`Job::build`], which needs no server, nor do [`perform`] and [`recorded_puts`]. [`inline`] and
//! [`Worker::drain`] perform what stands in one, for which `embedded:DIR` and a namespace of the test's own will do. With the cargo
//! feature `async` each has a twin for programs that run on tokio, whose name ends in `_async`.

#[cfg(feature = "async")]
mod asynchronous;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::client::Client;
use crate::error::Result;
use crate::middleware::AroundPut;
use crate::ops::{Job, Placed, Put, QueuePut};
use crate::request::Request;
use crate::worker::{Outcome, Worker};

#[cfg(feature = "async")]
pub use asynchronous::{inline_async, perform_async, recorded_puts_async};

/// Runs a built job through the worker's middleware and a handler, without a server; what they make of it.
///
/// # Errors
/// `CLOSED` in a forked child.
pub fn perform(worker: &Worker, job: &Job, handler: impl Fn(&Job) -> Outcome) -> Result<Outcome> {
    worker.try_out(job, handler)
}

/// A clone of a client whose puts perform what may run in the worker's queues before they return: see [`Worker::drain`]. What
/// becomes of a job is its own affair, as there.
///
/// A handler that puts through this client performs that at once too.
pub fn inline(client: &Client, worker: &Worker, handler: impl Fn(&Job) -> Outcome + Send + Sync + 'static) -> Client {
    let worker = worker.clone();
    client.with(move |puts: Vec<Put>, next: AroundPut<'_>| {
        let placed = next.call(puts)?;
        worker.drain(&handler)?;
        Ok(placed)
    })
}

/// A clone of a client whose puts are recorded and go no further, and what it records. Nothing is sent.
///
/// The client's middleware sees the puts, and wrong arguments are refused, as far as that needs no server. Each [`Placed`]
/// says `put`. What goes by [`Client::call`] or [`Client::send`] is no put: that is sent.
///
/// ```
/// # fn main() -> manyhands::Result<()> {
/// use manyhands::testing::recorded_puts;
/// use manyhands::{Client, Put};
///
/// let (client, puts) = recorded_puts(&Client::open(Some("embedded:.manyhands"), "")?);
/// client.queue("mail").put(Put::new("welcome").priority(10))?;
/// puts.assert_put("welcome", |put| put.queue == "mail" && put.priority == 10);
/// puts.assert_not_put("goodbye", |_| true);
/// # Ok(())
/// # }
/// ```
pub fn recorded_puts(client: &Client) -> (Client, RecordedPuts) {
    let recorded = RecordedPuts::default();
    let record = recorded.clone();
    let recording = client.with(move |puts: Vec<Put>, _: AroundPut<'_>| record.take(puts));
    (recording, recorded)
}

/// What was put through the client of [`recorded_puts`]; clones are the same record.
#[derive(Clone, Debug, Default)]
pub struct RecordedPuts(Arc<Mutex<Vec<Put>>>);

impl RecordedPuts {
    /// All of them, in order, each with its jid.
    pub fn all(&self) -> Vec<Put> {
        self.puts().clone()
    }

    /// Forgets those so far.
    pub fn clear(&self) {
        self.puts().clear();
    }

    /// A job of this kind was put of which `is` is true. Answers the first.
    ///
    /// # Panics
    /// When there is none; says what was put.
    #[track_caller]
    pub fn assert_put(&self, kind: &str, is: impl Fn(&Put) -> bool) -> Put {
        let puts = self.all();
        let found = puts.iter().find(|put| put.kind == kind && is(put));
        assert!(found.is_some(), "no such job of kind {kind:?} was put, but {puts:#?}");
        found.cloned().unwrap_or_else(|| Put::new(kind))
    }

    /// No job of this kind was put of which `is` is true.
    ///
    /// # Panics
    /// When there is one; says which.
    #[track_caller]
    pub fn assert_not_put(&self, kind: &str, is: impl Fn(&Put) -> bool) {
        let found = self.all().into_iter().find(|put| put.kind == kind && is(put));
        assert!(found.is_none(), "a job of kind {kind:?} was put: {found:#?}");
    }

    fn take(&self, puts: Vec<Put>) -> Result<Vec<Placed>> {
        let parts = QueuePut::new(puts).split().map_err(|error| error.during(QueuePut::OPERATION))?;
        let puts: Vec<Put> = parts.into_iter().flat_map(QueuePut::into_jobs).collect();
        let placed = puts.iter().map(placed).collect();
        self.puts().extend(puts);
        Ok(placed)
    }

    fn puts(&self) -> MutexGuard<'_, Vec<Put>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn placed(put: &Put) -> Placed {
    Placed { jid: put.jid.clone().unwrap_or_default(), outcome: "put".to_owned(), satisfied: Vec::new() }
}
