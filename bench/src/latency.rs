//! Idle put → start: how long after the put's call begins an idle worker has the job in its hands.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use manyhands::{Client, Next, Outcome as JobOutcome, Put, Worker};

use crate::Tables;
use crate::server::Server;
use crate::table::Table;

const JOBS: usize = 2_000;

/// p50 and p99 of a Rust worker in another thread with connections of its own.
pub fn run() -> Tables {
    let server = Server::start("latency")?;
    let url = server.url();
    let (started, starts) = mpsc::channel();
    let worker = Worker::open(&Client::open(Some(&url), "")?, r#"{"queues": ["bench"], "threads": 1}"#)?;
    let performer = worker.clone();
    let thread = std::thread::spawn(move || -> manyhands::Result<()> {
        loop {
            match performer.next(Duration::from_secs(1))? {
                Next::Job(job) => {
                    let _ = started.send(Instant::now());
                    performer.finish(&job.jid, &job.token, JobOutcome::DONE)?;
                }
                Next::Empty => {}
                Next::Stopped => return Ok(()),
            }
        }
    });
    let queue = Client::open(Some(&url), "")?.queue("bench");
    let mut spans = Vec::with_capacity(JOBS);
    for round in 0..JOBS + 100 {
        std::thread::sleep(Duration::from_millis(2)); // so that the worker is idle again: it is the idle case that is measured
        let begun = Instant::now();
        queue.put(Put::new("echo"))?;
        let at = starts.recv()?;
        if round >= 100 {
            spans.push(at.duration_since(begun).as_secs_f64() * 1000.0);
        }
    }
    worker.stop(Duration::from_secs(1))?;
    thread.join().map_err(|_| "the worker's thread panicked")??;
    spans.sort_by(f64::total_cmp);
    let mut table = Table::new(format!("idle put → start in ms, {JOBS} jobs (wall clock)"), ["p50", "p99"]);
    table.row("Rust", [spans[JOBS / 2], spans[JOBS * 99 / 100]]);
    Ok(vec![table])
}
