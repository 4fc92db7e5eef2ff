//! What wakes a waiting worker, and what must not keep it busy.

use std::time::{Duration, Instant};

use crate::support::Server;
use crate::{LONG, blocked, finish, losses, next, put, until, waiting, worker};
use manyhands::{Client, Outcome, Worker};

fn redis(server: &Server) -> redis::Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// How often the server has performed a command.
fn calls(server: &Server, command: &str) -> u64 {
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut redis(server)).unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

/// The calls of functions while a waiting worker blocks two times anew; its pulses are among them.
pub fn calls_in_two_waits(server: &Server) -> u64 {
    until("the worker blocks", || blocked(server) == 1);
    let (functions, waits) = (calls(server, "fcall"), calls(server, "blpop"));
    until("it has blocked twice more", || calls(server, "blpop") >= waits + 2);
    calls(server, "fcall") - functions
}

fn stop(worker: &Worker) {
    worker.stop(LONG).unwrap();
}

// Q17
#[test]
fn a_paused_queue_does_not_spin_and_its_unpause_wakes() {
    let server = Server::start();
    let client = server.client();
    put(&client, 5, "k");
    client.call("queue_pause", r#"{"queues":["q"]}"#).unwrap();
    let worker = worker(&client, "");
    let waiting = waiting(&worker);
    let count = calls_in_two_waits(&server);
    assert!(count < 20, "{count} calls in two waits");
    client.call("queue_unpause", r#"{"queues":["q"]}"#).unwrap();
    let (job, _) = waiting.join().unwrap();
    finish(&worker, &job, Outcome::DONE);
    stop(&worker);
}

// Q22
#[test]
fn a_full_throttle_does_not_spin_and_its_rise_wakes() {
    let server = Server::start();
    let client = server.client();
    client.call("throttle_set", r#"{"queue":"q","limit":0}"#).unwrap();
    put(&client, 5, "k");
    let worker = worker(&client, "");
    let waiting = waiting(&worker);
    let count = calls_in_two_waits(&server);
    assert!(count < 20, "{count} calls in two waits");
    client.call("throttle_set", r#"{"queue":"q","limit":1}"#).unwrap();
    let (mut job, _) = waiting.join().unwrap();
    for _ in 0..4 {
        finish(&worker, &job, Outcome::DONE);
        job = next(&worker);
    }
    finish(&worker, &job, Outcome::DONE);
    stop(&worker);
    assert_eq!(client.queue("q").counts().unwrap().throttled, 0);
}

// Q6
#[test]
fn a_recurring_job_put_while_all_wait_is_performed_when_due() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    let waiting = waiting(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    let put = r#"{"jid":"tick","queue":"q","kind":"k","interval_ms":100000,"offset_ms":50}"#;
    client.call("recurring_put", put).unwrap();
    let (job, _) = waiting.join().unwrap();
    assert_eq!(job.jid, "tick-1");
    finish(&worker, &job, Outcome::DONE);
    stop(&worker);
}

/// A connection that takes wake tokens and does nothing with them, as a frozen process does.
fn swallow(server: &Server) -> std::thread::JoinHandle<()> {
    let mut redis = redis(server);
    let thread = std::thread::spawn(move || {
        let _: Option<(String, String)> = redis::cmd("BLPOP").arg("{mh}:wake:q").arg(0).query(&mut redis).unwrap();
    });
    until("it blocks", || blocked(server) == 1);
    thread
}

// The first in line gets the token; the worker behind it must find the job by itself, after its own wait is over.
#[test]
fn a_token_that_a_frozen_waiter_swallowed_costs_one_wait() {
    let server = Server::start();
    let client = server.client();
    let frozen = swallow(&server);
    let worker = worker(&client, "");
    let waiting = waiting(&worker);
    until("both block", || blocked(&server) == 2);
    put(&client, 1, "k");
    frozen.join().unwrap();
    let (job, _) = waiting.join().unwrap();
    finish(&worker, &job, Outcome::DONE);
    stop(&worker);
}

/// How long who runs a job takes to learn that it was cancelled; its lease would last a minute.
fn learns_of_a_cancelled_job() -> Duration {
    let server = Server::start();
    let client: Client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let lost = losses(&worker);
    let job = next(&worker);
    let begun = Instant::now();
    client.call("job_cancel", &format!("{{\"jids\":[\"{}\"]}}", job.jid)).unwrap();
    assert_eq!(lost.recv_timeout(LONG).unwrap(), "cancelled");
    let taken = begun.elapsed();
    assert_eq!(worker.lost(&job.jid, &job.token).as_deref(), Some("cancelled"));
    worker.stop(Duration::ZERO).unwrap();
    taken
}

// Q13: with the next pulse. The least of three: the machine may be busy with others.
#[test]
fn a_running_job_learns_within_two_seconds_that_it_was_cancelled() {
    let spans = [(); 3].map(|()| learns_of_a_cancelled_job());
    assert!(spans.iter().min() < Some(&Duration::from_secs(2)), "{spans:?}");
}
