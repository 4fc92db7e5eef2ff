//! What an operator asks from afar, and what a worker tells of itself.

use std::time::Duration;

use manyhands::{Client, Next, Order, Outcome, Worker};
use serde_json::Value;

use crate::support::Server;
use crate::{LONG, finish, next, put, until, worker};

/// What the worker last told of itself.
pub fn status(client: &Client, worker: &Worker) -> Option<Value> {
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
fn after_a_quiet_order_a_worker_lives_on_without_jobs_until_it_is_stopped() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    let host = std::thread::spawn({
        let worker = worker.clone();
        move || worker.next(LONG).unwrap()
    });
    told(&client, &worker, "it lives", |_| true);
    client.order(worker.name(), Order::Quiet).unwrap();
    told(&client, &worker, "it says so", |status| status["quiet"] == true);
    assert_eq!(worker.ordered(), Some(Order::Quiet));
    client.order(worker.name(), Order::Resume).unwrap();
    until("it heard that too", || worker.ordered() == Some(Order::Resume));
    put(&client, 1, "k");
    assert_eq!(worker.next(Duration::ZERO).unwrap(), Next::Empty, "nothing takes a quiet order back");
    assert!(!host.is_finished(), "whoever ends with the handing out would end the process");
    client.order(worker.name(), Order::Stop).unwrap();
    assert_eq!(host.join().unwrap(), Next::Stopped);
    worker.stop(LONG).unwrap();
    assert_eq!(client.queue("q").counts().unwrap().waiting, 1);
}

// The reply that carried the order is lost, and so are those to the repeated call, until the runner makes a new one.
#[test]
fn an_order_whose_telling_was_lost_is_told_again() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    assert_eq!(worker.next(Duration::ZERO).unwrap(), Next::Empty);
    let heard = told(&client, &worker, "it lives", |_| true)["heard"].as_i64().unwrap();
    client.order(worker.name(), Order::Pause).unwrap();
    // A pulse in its name, whose answer it never sees.
    let pulse = format!("{{\"worker\":\"{}\",\"status\":{{\"heard\":{heard}}},\"jobs\":[]}}", worker.name());
    client.call("worker_pulse", &pulse).unwrap();
    until("it heard of it", || worker.is_paused());
    told(&client, &worker, "it says so", |status| status["heard"].as_i64() > Some(heard));
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
