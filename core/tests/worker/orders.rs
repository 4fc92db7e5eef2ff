//! What an operator asks from afar, and what a worker tells of itself.

use std::time::Duration;

use manyhands::{Client, Next, Order, Outcome, Worker};
use serde_json::Value;

use crate::support::Server;
use crate::{LONG, finish, next, put, until, worker};

/// What the worker last told of itself.
fn status(client: &Client, worker: &Worker) -> Option<Value> {
    let found = client.workers(0, 100).unwrap().items;
    let view = found.into_iter().find(|view| view.name == worker.name())?;
    serde_json::from_str(&view.status?).ok()
}

fn told(client: &Client, worker: &Worker, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    until(what, || status(client, worker).is_some_and(|status| is_so(&status)));
    status(client, worker).unwrap()
}

#[test]
fn a_worker_pauses_resumes_and_stops_when_asked() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    assert_eq!(client.order(worker.name(), Order::Pause).unwrap(), 0, "nobody has heard of it");
    assert_eq!(worker.next(Duration::ZERO).unwrap(), Next::Empty);
    told(&client, &worker, "it lives", |_| true);
    assert_eq!(client.order(worker.name(), Order::Pause).unwrap(), 1);
    until("it is paused", || worker.is_paused());
    told(&client, &worker, "it says so", |status| status["paused"] == true);
    put(&client, 1, "k");
    assert_eq!(worker.next(Duration::ZERO).unwrap(), Next::Empty);
    assert_eq!(client.order("*", Order::Resume).unwrap(), 1);
    let job = next(&worker);
    assert_eq!(worker.ordered(), Some(Order::Resume));
    assert_eq!(client.order(worker.name(), Order::Stop).unwrap(), 1);
    assert_eq!(worker.next(LONG).unwrap(), Next::Stopped);
    assert_eq!(worker.ordered(), Some(Order::Stop));
    finish(&worker, &job, Outcome::DONE);
    worker.stop(LONG).unwrap();
}

#[test]
fn a_quiet_order_ends_the_handing_out_of_jobs() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    let host = std::thread::spawn({
        let worker = worker.clone();
        move || worker.next(LONG).unwrap()
    });
    told(&client, &worker, "it lives", |_| true);
    client.order(worker.name(), Order::Quiet).unwrap();
    assert_eq!(host.join().unwrap(), Next::Stopped);
    assert_eq!(worker.ordered(), Some(Order::Quiet));
    told(&client, &worker, "it says so", |status| status["quiet"] == true);
    worker.stop(LONG).unwrap();
}

#[test]
fn the_status_says_what_runs_since_when() {
    let server = Server::start();
    let client = server.client();
    put(&client, 2, "k");
    let worker = worker(&client, r#","threads":2"#);
    let jobs = [next(&worker), next(&worker)];
    let status = told(&client, &worker, "both run", |status| status["running"] == 2);
    let names: Vec<_> = (0..2).map(|at| status["jobs"][at]["jid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, jobs.each_ref().map(|job| job.jid.clone()), "the oldest first");
    assert_eq!((&status["jobs"][0]["kind"], &status["jobs"][0]["queue"]), (&"k".into(), &"q".into()));
    let since = |status: &Value| status["since_ms"].as_u64().unwrap();
    assert!(status["jobs"][0]["since_ms"].as_u64().unwrap() <= since(&status));
    assert!(status["memory"].as_u64().unwrap() > 1_000_000);
    assert_eq!((&status["paused"], &status["quiet"]), (&false.into(), &false.into()));
    let later = told(&client, &worker, "another pulse", |other| since(other) > since(&status));
    assert!(later["jobs"][1]["since_ms"].as_u64() > status["jobs"][1]["since_ms"].as_u64());
}
