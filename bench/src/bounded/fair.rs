//! Whether a job waits behind a million of another queue.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use manyhands::{Client, Job, Next, Outcome, Put, Worker};
use serde_json::json;

use super::crowd::{Crowd, Step};
use crate::table::Table;

const LONG: Duration = Duration::from_secs(20);
/// So many draws of one of two queues come out the same once in 2^60 runs.
const MOST_DRAWS: usize = 60;

/// A row for each strategy and run.
pub fn table() -> Table {
    Table::new(
        "a job put into the other queue of a worker in the midst of a million: in which turn and as which job it started, and how long\n\
         after the worker was free (wall clock)",
        ["turn", "job", "ms"],
    )
}

/// Lets a worker of both queues, in the midst of the million, find a job that is put into the other. Fails when it does not
/// start within a turn (`round_robin`), or within as many draws as chance could need.
pub fn beside_a_million(crowd: &mut Crowd, table: &mut Table, run: usize) -> Step {
    let client = crowd.client()?;
    for strategy in ["round_robin", "shuffled_round_robin", "weighted"] {
        let options = json!({"queues": ["big", "small"], "strategy": strategy}).to_string();
        let worker = Worker::open(&client, &options)?;
        let (turns, jobs, span) = find(&client, &worker)?;
        if turns > if strategy == "round_robin" { 1 } else { MOST_DRAWS } {
            return Err(format!("{strategy}: the job beside a million started in turn {turns}").into());
        }
        table.row(format!("{strategy}, run {run}"), [turns as f64, jobs as f64, span.as_secs_f64() * 1e3]);
        worker.stop(LONG)?;
    }
    Ok(())
}

/// In which turn, as which job and how long after the worker was free that job started.
fn find(client: &Client, worker: &Worker) -> Step<(usize, usize, Duration)> {
    for _ in 0..1_000 {
        let job = next(worker)?;
        give_back(worker, &job)?;
    }
    // What it holds goes back while it is in a job; then nothing of the time before the put is under way.
    let job = next(worker)?;
    while client.queue("big").counts()?.running > 1 {}
    client.queue("small").put(Put::new("echo"))?;
    let begun = Instant::now();
    give_back(worker, &job)?;
    let mut turns = BTreeSet::new();
    for jobs in 1.. {
        let job = next(worker)?;
        let span = begun.elapsed();
        turns.insert(job.token.clone());
        if job.queue == "small" {
            worker.finish_wait(&job.jid, &job.token, Outcome::DONE)?;
            return Ok((turns.len(), jobs, span));
        }
        give_back(worker, &job)?;
    }
    unreachable!("the million has no end");
}

fn next(worker: &Worker) -> Step<Job> {
    match worker.next(LONG)? {
        Next::Job(job) => Ok(job),
        other => Err(format!("{other:?} instead of a job").into()),
    }
}

/// The million stays a million.
fn give_back(worker: &Worker, job: &Job) -> Step {
    Ok(worker.finish(&job.jid, &job.token, Outcome::Release)?)
}
