//! Handlers that are futures, a hundred at once on two threads of tokio: cargo run --example futures --features async.

use std::sync::LazyLock;
use std::time::Duration;

use manyhands::{Backoff, Client, Job, JobKind, Outcome, Worker};

/// What holds for every greeting: its puts may say otherwise, its runs may not.
static GREET: LazyLock<JobKind> = LazyLock::new(|| {
    let kind = JobKind::new("greet").queue("greetings").retries(3).timeout(Duration::from_secs(30));
    kind.backoff(Backoff::exponential(Duration::from_secs(2)))
});

async fn greet(job: Job) -> Outcome {
    tokio::task::yield_now().await; // where others run meanwhile, and where an interrupt ends this one
    println!("Hello, {}!", job.data);
    Outcome::DONE
}

fn main() -> manyhands::Result<()> {
    let client = Client::open(None, "")?;
    for name in ["Ada", "Grace", "Mary"] {
        GREET.put(&client, format!("\"{name}\""))?;
    }
    GREET.put_with(&client, "\"whoever comes first\"", |job| job.priority(9))?;

    let worker = Worker::open(&client, r#"{"queues": ["greetings"], "threads": 100, "max_jobs": 4}"#)?;
    let worker = worker.perform_async(&GREET, greet)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("the system gives threads");
    runtime.block_on(worker.serve_async())?;
    worker.stop(worker.shutdown_timeout())
}
