//! A job beside a million others of another queue.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use manyhands::{Client, Job, Next, Outcome, Put, Worker};

use support::Server;

const MILLION: usize = 1_000_000;
/// Jobs of a call, and calls under way at once.
const BATCH: usize = 250;
const AT_ONCE: usize = 20;
/// Longer than anything here takes: a test that waits for so long has failed.
const LONG: Duration = Duration::from_secs(20);

/// Puts a million jobs into a queue: by the engine's own function, but past the client, which is slow where it is not optimized.
fn fill(server: &Server, queue: &str) {
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut number = 0;
    let mut jobs = 0..MILLION;
    while !jobs.is_empty() {
        let mut calls = redis::pipe();
        for _ in 0..AT_ONCE {
            number += 1;
            let call =
                calls.cmd("FCALL").arg("mh1_queue_put").arg(1).arg("{mh}:meta").arg("00000000b0bd0ed0").arg(number);
            call.arg(queue).arg("k").arg("").arg(BATCH);
            for job in jobs.by_ref().take(BATCH) {
                call.arg(job).arg("null");
            }
            call.ignore();
        }
        calls.exec(&mut redis).unwrap();
    }
}

fn next(worker: &Worker) -> Job {
    match worker.next(LONG).unwrap() {
        Next::Job(job) => job,
        other => panic!("{other:?} instead of a job"),
    }
}

/// The million stays a million.
fn give_back(worker: &Worker, job: &Job) {
    worker.finish(&job.jid, &job.token, Outcome::Release).unwrap();
}

fn running(client: &Client, queue: &str) -> u64 {
    client.queue(queue).counts().unwrap().running
}

/// In which turn a job starts that is put into the other queue in the midst of the million.
fn turn_of_another(client: &Client, worker: &Worker) -> usize {
    for _ in 0..200 {
        give_back(worker, &next(worker));
    }
    // What it holds goes back while it is in a job; then nothing of the time before the put is under way.
    let job = next(worker);
    let begun = Instant::now();
    while running(client, "big") > 1 {
        assert!(begun.elapsed() < LONG, "it holds what it does not start");
    }
    client.queue("small").put(Put::new("k")).unwrap();
    give_back(worker, &job);
    let mut turns = BTreeSet::new();
    loop {
        let job = next(worker);
        turns.insert(job.token.clone());
        if job.queue == "small" {
            worker.finish(&job.jid, &job.token, Outcome::DONE).unwrap();
            return turns.len();
        }
        give_back(worker, &job);
    }
}

#[test]
fn a_job_beside_a_million_starts_within_a_turn() {
    let server = Server::start();
    let client = server.client();
    client.call("engine_version", "{}").unwrap(); // which loads it
    fill(&server, "big");
    assert_eq!(client.queue("big").counts().unwrap().waiting, MILLION as u64);
    for strategy in ["round_robin", "shuffled_round_robin", "weighted"] {
        let options = format!(r#"{{"queues":["big","small"],"strategy":"{strategy}"}}"#);
        let worker = Worker::open(&client, &options).unwrap();
        let turn = turn_of_another(&client, &worker);
        // Of a turn of one job the others draw the queue.
        let most = if strategy == "round_robin" { 1 } else { 60 };
        assert!(turn <= most, "{strategy}: it started in turn {turn}");
        worker.stop(LONG).unwrap();
    }
}
