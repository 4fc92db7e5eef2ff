//! How many jobs a turn takes: many when they are short, and none that would wait in a busy worker's hands.
//!
//! What a worker in a long job holds starts elsewhere within 200 ms. No clock is asked here: a busy machine would decide. When the
//! worker gives it back, 101 ms after it came at most, is proven in core/src/worker/shift/tests.rs, where the time is passed in; that
//! this leaves a wake token, and the long handler need not end for it, here.

use std::collections::BTreeMap;

use manyhands::{Outcome, Put};

use crate::support::Server;
use crate::{LONG, finish, next, perform, put, until, worker};

/// Short jobs before the one that takes long, so that many are taken at once.
const BEFORE: usize = 300;
/// Jobs behind it.
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

/// How many jobs the worker that runs one holds besides; when any, the queue's wake token is taken away in the same moment.
const HELD: &str = "
    local shared = tonumber(redis.call('GET', '{mh}:leased:q') or '0')
    local held = redis.call('ZCARD', '{mh}:running:q') + shared - 1
    if held > 0 then
        redis.call('DEL', '{mh}:wake:q')
    end
    return held";

fn starts_elsewhere(long: &str) {
    let server = Server::start();
    let client = server.client();
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let busy = worker(&client, "");
    let running = loop {
        put(&client, BEFORE, "k");
        client.queue("q").put(Put::new(long)).unwrap();
        put(&client, BEHIND, "k");
        perform(&busy, BEFORE);
        let job = next(&busy);
        let held: usize = redis::cmd("EVAL").arg(HELD).arg(0).query(&mut redis).unwrap();
        if held > 0 {
            break job;
        }
        // On a busy machine it may have been too slow to hold any, or have given them back already.
        finish(&busy, &job, Outcome::DONE);
        perform(&busy, BEHIND);
    };
    assert_eq!(running.kind, long);
    until("what it held is back", || client.queue("q").counts().unwrap().running == 1);
    let tokens: usize = redis::cmd("LLEN").arg("{mh}:wake:q").query(&mut redis).unwrap();
    assert_eq!(tokens, 1, "whoever is idle need not look by itself");
    let idle = worker(&client, &format!(",\"threads\":{BEHIND}"));
    let started: Vec<_> = (0..BEHIND).map(|_| next(&idle)).collect();
    for (worker, job) in started.iter().map(|job| (&idle, job)).chain([(&busy, &running)]) {
        finish(worker, job, Outcome::DONE);
    }
    [busy, idle].iter().for_each(|worker| worker.stop(LONG).unwrap());
    assert_eq!(client.queue("q").length().unwrap(), 0);
}

#[test]
fn what_a_worker_in_a_long_job_holds_starts_elsewhere() {
    starts_elsewhere("long");
}

#[test]
fn nobody_waits_when_jobs_of_one_kind_begin_to_take_long() {
    starts_elsewhere("k");
}
