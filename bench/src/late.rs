//! How late scheduled jobs start.

use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use manyhands::{Client, Next, Outcome, Put, Worker};

use crate::server::Server;
use crate::table::Table;
use crate::{Tables, extent};

/// Jobs, and the milliseconds between two of them.
const LOADS: [(&str, usize, u64); 2] = [("1,000 a second", 10_000, 1), ("1 a second", 300, 1_000)];
/// How long before the first is due they begin to be put.
const LEAD: Duration = Duration::from_secs(3);
const PUT_AT_ONCE: usize = 250;

/// A line for each load.
pub fn run() -> Tables {
    let mut table = Table::new(
        "lateness of scheduled jobs in ms, one worker with one thread: from the moment a job is due by Redis's clock, whole ms, to its\n\
         start (wall clock of the same machine); bare: a thread that only sleeps until as many moments, beside it: the machine's part",
        ["jobs", "p50", "p99", "most", "bare p50", "bare p99", "bare most"],
    );
    for (name, jobs, spacing_ms) in LOADS {
        let bare = sleeper(extent(jobs), Duration::from_millis(spacing_ms));
        let mut figures = vec![extent(jobs) as f64];
        for mut spans in [lateness(extent(jobs), spacing_ms)?, bare.join().map_err(|_| "the sleeper panicked")?] {
            spans.sort_by(f64::total_cmp);
            figures.extend([0.5, 0.99, 1.0].map(|share| spans[((spans.len() - 1) as f64 * share).ceil() as usize]));
        }
        table.row(name, figures);
    }
    Ok(vec![table])
}

/// How late a thread is that only sleeps, in ms; it wakes halfway between two jobs, for which it is not to warm up the machine.
fn sleeper(times: usize, spacing: Duration) -> JoinHandle<Vec<f64>> {
    let first = Instant::now() + LEAD + spacing / 2;
    std::thread::spawn(move || {
        let late = |number| {
            let due = first + spacing * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due.elapsed().as_secs_f64() * 1e3
        };
        (0..times as u32).map(late).collect()
    })
}

/// How late the jobs start, in ms.
fn lateness(jobs: usize, spacing_ms: u64) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let server = Server::start("late")?;
    let url = server.url();
    let client = Client::open(Some(&url), "")?;
    let queue = client.queue("bench");
    let begun = Instant::now();
    let numbers: Vec<usize> = (0..jobs).collect();
    for some in numbers.chunks(PUT_AT_ONCE) {
        // The delay counts from the put; it rides along as the data, so that what is due when is known at the start.
        queue.put_many(some.iter().map(|number| {
            let due_ms = LEAD.as_millis() as u64 + *number as u64 * spacing_ms;
            let delay_ms = due_ms.saturating_sub(begun.elapsed().as_millis() as u64) as i64;
            Put::new("echo").delay_ms(delay_ms).data(delay_ms.to_string())
        }))?;
    }
    if begun.elapsed() > LEAD {
        return Err("the jobs were due before all were put".into());
    }
    let worker = Worker::open(&Client::open(Some(&url), "")?, r#"{"queues": ["bench"], "threads": 1}"#)?;
    let mut spans = Vec::with_capacity(jobs);
    while spans.len() < jobs {
        match worker.next(Duration::from_secs(10))? {
            Next::Job(job) => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64() * 1e3;
                spans.push(now - (job.put_at_ms as f64 + job.data.parse::<f64>()?));
                worker.finish(&job.jid, &job.token, Outcome::DONE)?;
            }
            Next::Empty => return Err("no job for ten seconds".into()),
            Next::Stopped => return Err("the worker stopped".into()),
        }
    }
    worker.stop(Duration::from_secs(1))?;
    Ok(spans)
}
