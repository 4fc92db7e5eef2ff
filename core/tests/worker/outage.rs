//! Redis goes away, comes back, drops connections: jobs in hand are kept, and each outcome counts once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use manyhands::{Code, Next, Outcome, Worker};

use crate::support::Server;
use crate::{LONG, blocked, finish, next, put, until, view, worker};

fn durable() -> Server {
    Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
}

#[test]
fn outcomes_are_kept_while_redis_is_away() {
    let mut server = durable();
    let client = server.client();
    put(&client, 30, "k");
    let worker = worker(&client, ",\"threads\":30");
    let jobs: Vec<_> = (0..30).map(|_| next(&worker)).collect();
    let (before, during) = jobs.split_at(10);
    for job in before {
        finish(&worker, job, Outcome::DONE);
    }
    server.kill();
    for job in during {
        finish(&worker, job, Outcome::DONE);
    }
    assert_eq!(worker.next(Duration::ZERO).unwrap(), Next::Empty, "an outage is no error of next");
    server.start_again();
    until("all outcomes arrived", || client.queue("q").counts().unwrap().running == 0);
    for job in &jobs {
        assert_eq!(view(&client, &job.jid, "/state"), "completed");
    }
    assert_eq!(worker.take_refused(), []);
    put(&client, 1, "k");
    next(&worker);
}

#[test]
fn an_idle_worker_survives_a_restart() {
    let mut server = durable();
    let client = server.client();
    let worker = worker(&client, "");
    let host = crate::waiting(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    server.kill();
    server.start_again();
    put(&client, 1, "k");
    host.join().unwrap();
}

#[test]
fn a_stop_without_redis_ends_and_says_what_was_not_delivered() {
    let mut server = durable();
    let client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let job = next(&worker);
    server.kill();
    finish(&worker, &job, Outcome::DONE);
    let begun = Instant::now();
    let error = worker.stop(Duration::ZERO).unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
    assert!(error.message.starts_with("1 outcomes did not reach Redis"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn cut_connections_neither_lose_nor_repeat_anything() {
    let server = Server::start();
    let client = server.client();
    put(&client, 5_000, "k");
    let worker = worker(&client, ",\"threads\":2");
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    for number in 0..5_000 {
        let job = next(&worker);
        *seen.entry(job.jid.clone()).or_default() += 1;
        finish(&worker, &job, Outcome::DONE);
        if number % 100 == 0 {
            let _: u64 =
                redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]).query(&mut redis).unwrap();
        }
    }
    until("all outcomes arrived", || client.queue("q").counts().unwrap().running == 0);
    worker.stop(LONG).unwrap();
    assert_eq!(seen.len(), 5_000);
    assert!(seen.values().all(|runs| *runs == 1));
    assert_eq!(worker.take_refused(), []);
}

#[test]
fn a_fault_that_cannot_pass_reaches_the_host() {
    let server = Server::start_with(&["--requirepass", "secret"]);
    let worker: Worker = worker(&server.client(), "");
    let error = worker.next(LONG).unwrap_err();
    assert_eq!(error.code, Code::Denied);
    worker.stop(LONG).unwrap();
}
