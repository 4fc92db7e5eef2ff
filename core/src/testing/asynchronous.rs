//! The same for programs that run on tokio.

use std::future::Future;
use std::sync::Arc;

use super::RecordedPuts;
use crate::client::AsyncClient;
use crate::error::Result;
use crate::middleware::AsyncAroundPut;
use crate::ops::{Job, Put};
use crate::worker::{Outcome, Worker};

/// [`perform`](super::perform) for a handler that is a future: through the middleware of [`Worker::with_async`], without a server.
///
/// # Errors
/// `CLOSED` in a forked child; `WRONG_STATE` as [`Worker::run_async`].
pub async fn perform_async<F, R>(worker: &Worker, job: Job, handler: F) -> Result<Outcome>
where
    F: Fn(Job) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    worker.try_out_async(job, handler).await
}

/// [`inline`](super::inline) for a client on tokio and a handler that is a future: a clone of the client whose puts perform what
/// may run in the worker's queues before they return, as [`Worker::drain_async`] does.
pub fn inline_async<F, R>(client: &AsyncClient, worker: &Worker, handler: F) -> AsyncClient
where
    F: Fn(Job) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    let (worker, handler) = (worker.clone(), Arc::new(handler));
    client.with(move |puts: Vec<Put>, next: AsyncAroundPut| {
        let (worker, handler) = (worker.clone(), Arc::clone(&handler));
        async move {
            let placed = next.call(puts).await?;
            worker.drain_async(move |job| handler(job)).await?;
            Ok(placed)
        }
    })
}

/// [`recorded_puts`](super::recorded_puts) for a client on tokio.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use manyhands::testing::recorded_puts_async;
/// use manyhands::{AsyncClient, Put};
///
/// let (client, puts) = recorded_puts_async(&AsyncClient::open(Some("embedded:.manyhands"), "")?);
/// client.put(Put::new("welcome").queue("mail").priority(10)).await?;
/// puts.assert_put("welcome", |put| put.queue == "mail" && put.priority == 10);
/// # Ok::<(), manyhands::Error>(())
/// # }).unwrap();
/// ```
pub fn recorded_puts_async(client: &AsyncClient) -> (AsyncClient, RecordedPuts) {
    let recorded = RecordedPuts::default();
    let record = recorded.clone();
    let recording = client.with(move |puts: Vec<Put>, _: AsyncAroundPut| std::future::ready(record.take(puts)));
    (recording, recorded)
}
