//! rusty-sidekiq has no bulk call: 50 tasks put at once. 50 workers, as what waits for Redis may have more than there are
//! processors, and as many connections: the documentation of `sidekiq::ProcessorConfig` and its README, "Customization
//! Details". A job is off its list before it runs: one whose worker dies is lost.

mod protocol;

use std::sync::{Arc, OnceLock};

use protocol::Protocol;
use sidekiq::{Processor, ProcessorConfig, RedisConnectionManager, RedisPool, Result, Worker};

const PUT_AT_ONCE: usize = 50;
const PERFORM_AT_ONCE: usize = 50;

#[derive(Clone)]
struct Noop(Arc<Protocol>, Arc<OnceLock<Processor>>);

#[async_trait::async_trait]
impl Worker<String> for Noop {
    async fn perform(&self, _data: String) -> Result<()> {
        if self.0.start()
            && let Some(processor) = self.1.get()
        {
            processor.get_cancellation_token().cancel();
        }
        Ok(())
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let protocol = Arc::new(Protocol::new()?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let manager = RedisConnectionManager::new(format!("redis+unix://{}", protocol.socket))?;
    let pool = bb8::Pool::builder().max_size((PERFORM_AT_ONCE + 5) as u32);
    let redis = runtime.block_on(pool.build(manager))?;
    if !protocol.puts() {
        runtime.block_on(perform(&protocol, redis));
        return Ok(());
    }
    let bulk = |count: usize| runtime.block_on(put(&redis, &protocol.payload, count));
    protocol.put(10_000, bulk, || runtime.block_on(Noop::perform_async(&redis, protocol.payload.clone())))
}

async fn put(redis: &RedisPool, payload: &str, count: usize) -> Result<()> {
    let tasks: Vec<_> = (0..PUT_AT_ONCE)
        .map(|task| {
            let (redis, payload) = (redis.clone(), payload.to_owned());
            tokio::spawn(async move {
                for _ in (task..count).step_by(PUT_AT_ONCE) {
                    Noop::perform_async(&redis, payload.clone()).await?;
                }
                Ok::<(), sidekiq::Error>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a task that puts does not panic")?;
    }
    Ok(())
}

async fn perform(protocol: &Arc<Protocol>, redis: RedisPool) {
    let itself = Arc::new(OnceLock::new());
    let queues = vec!["default".to_owned()];
    let mut processor =
        Processor::new(redis, queues).with_config(ProcessorConfig::default().num_workers(PERFORM_AT_ONCE));
    processor.register(Noop(Arc::clone(protocol), Arc::clone(&itself)));
    let _ = itself.set(processor.clone());
    processor.run().await;
}
