//! Drains JOBS no-op jobs with a Rust worker; prints the seconds it took.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use manyhands::{Client, Outcome, Worker};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let jobs: u64 = std::env::var("JOBS")?.parse()?;
    let threads = std::env::var("THREADS")?;
    let worker = Worker::open(&Client::open(None, "")?, &format!(r#"{{"queues": ["bench"], "threads": {threads}}}"#))?;
    let (done, begun) = (AtomicU64::new(0), OnceLock::new());
    worker.run(|_| {
        begun.get_or_init(Instant::now);
        if done.fetch_add(1, Ordering::Relaxed) + 1 == jobs {
            worker.quiet();
        }
        Outcome::DONE
    })?;
    worker.stop(Duration::from_secs(10))?;
    println!("{}", begun.get().ok_or("no job came")?.elapsed().as_secs_f64());
    Ok(())
}
