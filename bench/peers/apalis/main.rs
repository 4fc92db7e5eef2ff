//! apalis with its storage in Redis: events and the locks of jobs off (these look through the whole queue, and are not needed by
//! jobs shorter than a heartbeat), 100 jobs fetched and performed at once, each a task of its own: the documentation of
//! `apalis_redis::Config`, batch_size, lock_tasks and emit_events, and the README of apalis. Results are kept, by default: without
//! them it acknowledges nothing.

mod leases;
mod protocol;

use std::sync::Arc;
use std::time::Duration;

use apalis::prelude::*;
use apalis_redis::{Config, RedisStorage};
use protocol::Protocol;

const PERFORM_AT_ONCE: usize = 100;
const PUT_AT_ONCE: usize = 500;
/// By itself an idle worker looks for jobs at its heartbeats alone: the documentation of `apalis_core::backend::ext::poll_strategy`.
const LOOK_EVERY: Duration = Duration::from_millis(10);

type Failure = Box<dyn std::error::Error>;

async fn noop(_data: String, protocol: Data<Arc<Protocol>>, worker: WorkerContext) -> Result<(), BoxDynError> {
    if protocol.start() {
        worker.stop()?;
    }
    Ok(())
}

fn main() -> Result<(), Failure> {
    let protocol = Arc::new(Protocol::new()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let connection = runtime.block_on(apalis_redis::connect(format!("redis+unix://{}", protocol.socket)))?;
    let mut config = Config::default().batch_size(PERFORM_AT_ONCE).emit_events(false).lock_tasks(false);
    if leases::short() {
        config = config.heartbeat_interval(Duration::from_secs(1)).missed_heartbeats(1);
    }
    let storage = RedisStorage::<String>::new(connection).with_config(config);
    if protocol.puts() {
        let (mut many, mut single) = (storage.clone(), storage);
        let bulk =
            |count| runtime.block_on(many.push_bulk(vec![protocol.payload.clone(); count])).map_err(Failure::from);
        let one = || runtime.block_on(single.push(protocol.payload.clone())).map_err(Failure::from);
        return protocol.put(PUT_AT_ONCE, bulk, one);
    }
    let name = format!("bench-{}", std::process::id());
    let worker = WorkerBuilder::new(name)
        .backend(PollWith::new(storage, IntervalStrategy::new(LOOK_EVERY)))
        .data(Arc::clone(&protocol))
        .concurrency(PERFORM_AT_ONCE)
        .parallelize(tokio::spawn)
        .build(noop);
    runtime.block_on(worker.run())?;
    Ok(())
}
