//! The worker runtime against real servers.

#[path = "../support/mod.rs"]
mod support;

mod batches;
mod drain;
mod fetch;
mod interrupts;
mod kinds;
mod limits;
mod loss;
mod middleware;
mod orders;
mod outage;
mod patterns;
mod pause;
mod queues;
mod slow_hooks;
mod stop;
mod supervisor;
mod wake;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use manyhands::{Client, Hooks, Job, Next, Outcome, Put, Worker};

use support::Server;

/// Longer than anything here takes: a test that waits for so long has failed.
const LONG: Duration = Duration::from_secs(20);

/// A worker of queue `q` with more options.
fn worker(client: &Client, more: &str) -> Worker {
    Worker::open(client, &format!("{{\"queues\":[\"q\"]{more}}}")).unwrap()
}

fn put(client: &Client, count: usize, kind: &str) {
    let mut left = count;
    while left > 0 {
        let batch = left.min(1_000);
        client.queue("q").put_many((0..batch).map(|_| Put::new(kind))).unwrap();
        left -= batch;
    }
}

/// The worker's next job, which must come.
fn next(worker: &Worker) -> Job {
    match worker.next(LONG).unwrap() {
        Next::Job(job) => job,
        other => panic!("{other:?} instead of a job"),
    }
}

fn finish(worker: &Worker, job: &Job, outcome: Outcome) {
    worker.finish(&job.jid, &job.token, outcome).unwrap();
}

/// Performs the next `count` jobs, which take no time.
fn perform(worker: &Worker, count: usize) {
    for _ in 0..count {
        let job = next(worker);
        finish(worker, &job, Outcome::DONE);
    }
}

/// Waits until something is true that nobody tells of: what stands in Redis, whose answer each look waits for, or what a worker
/// has been told, or thinks of its clock.
fn until(what: &str, is_true: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_true() {
        assert!(begun.elapsed() < LONG, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

struct Losses(Sender<String>);

impl Hooks for Losses {
    fn on_lock_lost(&self, _worker: &str, _jid: &str, _token: &str, reason: &str) {
        let _ = self.0.send(reason.to_owned());
    }
}

/// Why the worker's leases are lost from now on, each when it is known.
fn losses(worker: &Worker) -> Receiver<String> {
    let (tell, told) = channel();
    drop(worker.clone().hooked(Losses(tell)));
    told
}

/// How many connections block for a wake token.
fn blocked(server: &Server) -> usize {
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut redis).unwrap();
    let blocks = |flags: &str| flags.split(' ').next().unwrap().contains('b');
    list.lines().filter(|line| line.contains(" cmd=blpop ") && line.split(" flags=").nth(1).is_some_and(blocks)).count()
}

/// A thread that waits for the worker's next job, and is known to wait once its worker blocks in Redis.
fn waiting(worker: &Worker) -> JoinHandle<(Job, Instant)> {
    let worker = worker.clone();
    std::thread::spawn(move || (next(&worker), Instant::now()))
}

/// What a job's view says at a JSON pointer.
fn view(client: &Client, jid: &str, pointer: &str) -> serde_json::Value {
    support::member(&client.call("job_get", &format!("{{\"jid\":\"{jid}\"}}")).unwrap(), pointer)
}

fn configure(client: &Client, name: &str, value: u64) {
    client.call("config_set", &format!("{{\"name\":\"{name}\",\"value\":{value}}}")).unwrap();
}
