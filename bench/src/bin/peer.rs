//! Manyhands in Rust, as bench/peers/README.md asks: `peer SOCKET JOBS SIZE MODE`.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use manyhands::{Client, Outcome, Put, Worker};

const AT_ONCE: usize = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, socket, jobs, size, mode] = arguments.as_slice() else { return Err("peer SOCKET JOBS SIZE MODE".into()) };
    let jobs: usize = jobs.parse()?;
    let job = Put::new("noop").data(format!("\"{}\"", "x".repeat(size.parse::<usize>()? - 2)));
    let client = Client::open(Some(&format!("unix://{socket}")), "")?;
    let queue = client.queue("bench");
    match mode.as_str() {
        "put" => {
            let begun = seconds();
            for first in (0..jobs).step_by(AT_ONCE) {
                queue.put_many(std::iter::repeat_n(job.clone(), AT_ONCE.min(jobs - first)))?;
            }
            say(seconds() - begun);
        }
        "putter" => {
            for _ in std::io::stdin().lines() {
                let begun = seconds();
                queue.put(job.clone())?;
                say(begun);
            }
        }
        _ => perform(&client, jobs, mode)?,
    }
    Ok(())
}

fn perform(client: &Client, jobs: usize, mode: &str) -> manyhands::Result<()> {
    if ["hold", "rescue"].contains(&mode) {
        client.config().set("heartbeat", Some(1_000), None)?;
        client.config().set("grace-period", Some(0), None)?;
    }
    let worker = Worker::open(client, r#"{"queues": ["bench"]}"#)?;
    let (started, begun) = (AtomicUsize::new(0), OnceLock::new());
    worker.run(|_| {
        let now = seconds();
        if mode != "drain" {
            say(now);
        }
        if mode == "hold" {
            std::thread::sleep(std::time::Duration::from_secs(3600));
        }
        let begun = *begun.get_or_init(|| now);
        if started.fetch_add(1, Ordering::Relaxed) + 1 == jobs && mode == "drain" {
            say(now - begun);
            worker.quiet();
        }
        Outcome::DONE
    })?;
    worker.stop(worker.shutdown_timeout())
}

fn say(seconds: f64) {
    println!("{seconds:.6}");
}

/// By the clock that all processes share.
fn seconds() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is ours, and the clock is one that Linux always has.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
