//! How many jobs a turn takes: many when they are short, and none that would wait in a busy worker's hands.

use std::collections::BTreeMap;
use std::hint::spin_loop;
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

use manyhands::{Client, Outcome, Put, Worker};

use crate::orders::status;
use crate::support::Server;
use crate::{finish, next, put, until, worker};

/// Sooner than this whatever a busy worker holds starts elsewhere.
const ELSEWHERE: Duration = Duration::from_millis(200);
/// On a machine that others use too, the best of so many counts.
const TRIES: usize = 5;
/// Jobs behind the one that takes long.
const BEHIND: usize = 40;

#[test]
fn of_jobs_that_take_no_time_a_turn_takes_many() {
    const JOBS: usize = 4_000;
    let server = Server::start();
    let client = server.client();
    put(&client, JOBS, "k");
    let worker = worker(&client, "");
    // All jobs of a turn have the same token.
    let mut turns = BTreeMap::<String, usize>::new();
    for _ in 0..JOBS {
        let job = next(&worker);
        finish(&worker, &job, Outcome::DONE);
        *turns.entry(job.token).or_default() += 1;
    }
    assert!(JOBS / turns.len() >= 50, "{:?}", turns.values().collect::<Vec<_>>());
}

/// Performs `count` jobs of a quarter of a millisecond each.
fn practise(worker: &Worker, count: usize) {
    for _ in 0..count {
        let (job, begun) = (next(worker), Instant::now());
        while begun.elapsed() < Duration::from_micros(250) {
            spin_loop();
        }
        finish(worker, &job, Outcome::DONE);
    }
}

/// A worker of short jobs gets one that does not end, and another worker has nothing to do: how long after that the last of
/// those behind it starts, none of which ends either. How many the first one held.
fn last_start_elsewhere(client: &Client, long: &str) -> (Duration, u64) {
    let (busy, idle) = (worker(client, ""), worker(client, &format!(",\"threads\":{BEHIND}")));
    idle.pause();
    let (started, all_run) = (Mutex::new(Vec::new()), Barrier::new(BEHIND + 1));
    let answer = std::thread::scope(|scope| {
        for _ in 0..BEHIND {
            scope.spawn(|| {
                let job = next(&idle);
                started.lock().unwrap().push(Instant::now());
                all_run.wait();
                finish(&idle, &job, Outcome::DONE);
            });
        }
        until("the other waits", || status(client, &idle).is_some());
        put(client, 300, "k");
        client.queue("q").put(Put::new(long)).unwrap();
        put(client, BEHIND, "k");
        practise(&busy, 300);
        let job = next(&busy);
        let begun = Instant::now();
        let held = client.queue("q").counts().unwrap().running - 1;
        idle.resume();
        all_run.wait();
        finish(&busy, &job, Outcome::DONE);
        (started.lock().unwrap().iter().max().unwrap().duration_since(begun), held)
    });
    [busy, idle].iter().for_each(|worker| worker.stop(crate::LONG).unwrap());
    answer
}

fn starts_elsewhere(long: &str) {
    let server = Server::start();
    let client = server.client();
    let mut tried = Vec::new();
    while tried.len() < TRIES {
        let (wait, held) = last_start_elsewhere(&client, long);
        if wait < ELSEWHERE && held > 0 {
            return;
        }
        tried.push((wait, held));
    }
    panic!("last start, and how many were held: {tried:?}");
}

#[test]
fn what_a_worker_in_a_long_job_holds_starts_elsewhere() {
    starts_elsewhere("long");
}

#[test]
fn nobody_waits_when_jobs_of_one_kind_begin_to_take_long() {
    starts_elsewhere("k");
}
