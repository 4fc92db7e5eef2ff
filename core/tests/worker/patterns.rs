//! Workers on queue patterns, which stand for other queues while they run. Q24

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use manyhands::{Client, Job, Outcome, PatternPriority, Put, Worker};
use serde_json::json;

use crate::support::{Server, member};
use crate::{LONG, blocked, finish, next, until, waiting};

/// Sooner than a waiter looks again without a token.
const BY_TOKEN: Duration = Duration::from_millis(1_800);

fn worker(client: &Client, queues: &[&str]) -> Worker {
    Worker::open(client, &json!({"queues": queues}).to_string()).unwrap()
}

fn put(client: &Client, queue: &str) {
    client.queue(queue).put(Put::new("k")).unwrap();
}

fn perform(worker: &Worker) -> String {
    let job = next(worker);
    finish(worker, &job, Outcome::DONE);
    job.queue
}

fn save(client: &Client, lists: &[(&str, &[&str])]) {
    let lists = lists.iter().map(|(name, list)| (name.to_string(), list.iter().map(ToString::to_string).collect()));
    client.patterns().set(Some(lists.collect::<BTreeMap<_, _>>()), None).unwrap();
}

#[test]
fn a_put_into_a_new_queue_wakes_a_worker_on_a_pattern() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, &["*"]);
    let begun = Instant::now();
    for name in ["first", "second", "third"] {
        let waiting = waiting_on(&worker, &server);
        put(&client, name);
        let (job, _) = waiting.join().unwrap();
        assert_eq!(job.queue, name);
        finish(&worker, &job, Outcome::DONE);
        // And then by the queue's own token.
        let again = waiting_on(&worker, &server);
        put(&client, name);
        let (job, _) = again.join().unwrap();
        finish(&worker, &job, Outcome::DONE);
    }
    assert!(begun.elapsed() < BY_TOKEN, "by looking again, not by tokens");
    worker.stop(LONG).unwrap();
}

fn waiting_on(worker: &Worker, server: &Server) -> JoinHandle<(Job, Instant)> {
    let waiting = waiting(worker);
    until("the worker blocks", || blocked(server) == 1);
    waiting
}

#[test]
fn what_patterns_stand_for_is_looked_up_of_a_worker_that_has_not_begun() {
    let server = Server::start();
    let client = server.client();
    assert_eq!(worker(&client, &["b", "a"]).look_up().unwrap(), ["b", "a"]);
    let worker = worker(&client, &["mail-*", "!mail-bulk", "@slow"]);
    assert!(worker.look_up().unwrap().is_empty());
    save(&client, &[("slow", &["video"])]);
    for queue in ["mail-b", "mail-a", "mail-bulk"] {
        put(&client, queue);
    }
    assert_eq!(worker.look_up().unwrap(), ["mail-a", "mail-b", "video"]);
    assert!(worker.serving().is_empty(), "nobody follows them yet");
    assert_eq!(client.queue("mail-a").counts().unwrap().waiting, 1, "nothing is taken");
}

// Neither before the first lookup nor while nothing matches is a pattern itself among the queues to choose from.
#[test]
fn a_callback_worker_chooses_from_queues_and_never_from_patterns() {
    let server = Server::start();
    let client = server.client();
    let options = json!({"queues": ["mail-*", "!mail-bulk"], "strategy": "callback"});
    let worker = Worker::open(&client, &options.to_string()).unwrap();
    assert!(worker.serving().is_empty(), "nothing is looked up yet");
    worker.set_order(Vec::new()).unwrap();
    let waiting = waiting_on(&worker, &server);
    assert!(worker.serving().is_empty(), "nothing matches");
    let begun = Instant::now();
    for queue in ["mail-a", "mail-b"] {
        put(&client, queue);
    }
    until("the new queues are known", || worker.serving() == ["mail-a", "mail-b"]);
    assert!(begun.elapsed() < BY_TOKEN, "by looking again, not by tokens");
    worker.set_order(vec!["mail-b".to_owned()]).unwrap();
    let (job, _) = waiting.join().unwrap();
    assert_eq!(job.queue, "mail-b");
    finish(&worker, &job, Outcome::DONE);
    worker.stop(LONG).unwrap();
    assert_eq!(client.queue("mail-a").counts().unwrap().waiting, 1);
}

#[test]
fn a_callback_worker_on_patterns_takes_nothing_before_it_has_an_order() {
    let server = Server::start();
    let client = server.client();
    put(&client, "mail-a");
    let worker = Worker::open(&client, &json!({"queues": ["*"], "strategy": "callback"}).to_string()).unwrap();
    let waiting = waiting(&worker);
    until("they are looked up", || worker.serving() == ["mail-a"]);
    put(&client, "mail-b");
    until("and again", || worker.serving() == ["mail-a", "mail-b"]);
    worker.set_order(vec!["mail-b".to_owned()]).unwrap();
    let (job, _) = waiting.join().unwrap();
    assert_eq!(job.queue, "mail-b");
    finish(&worker, &job, Outcome::DONE);
    worker.stop(LONG).unwrap();
}

#[test]
fn patterns_take_and_leave_queues() {
    let server = Server::start();
    let client = server.client();
    save(&client, &[("slow", &["video", "export-*"])]);
    for queue in ["video", "export-pdf", "mail", "bill", "other"] {
        put(&client, queue);
    }
    let slow = worker(&client, &["@slow"]);
    assert_eq!([perform(&slow), perform(&slow)], ["video", "export-pdf"]);
    let quick = worker(&client, &["mail", "*", "!@slow", "!other"]);
    assert_eq!([perform(&quick), perform(&quick)], ["mail", "bill"]);
    let queues = |worker: &Worker| {
        let list = member(&client.call("worker_list", "{}").unwrap(), "/workers");
        let one = list.as_array().unwrap().iter().find(|one| one["worker"] == worker.name()).unwrap();
        one["status"]["queues"].clone()
    };
    until("the status names the queues", || queues(&quick) == json!(["mail", "bill"]));
    for worker in [slow, quick] {
        worker.stop(LONG).unwrap();
    }
    assert_eq!(client.queue("other").counts().unwrap().waiting, 1);
}

#[test]
fn a_list_that_is_saved_anew_is_followed_at_once() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, &["@mine"]);
    let begun = Instant::now();
    for name in ["a", "b"] {
        put(&client, name);
        let waiting = waiting_on(&worker, &server);
        save(&client, &[("mine", &[name])]);
        let (job, _) = waiting.join().unwrap();
        assert_eq!(job.queue, name);
        finish(&worker, &job, Outcome::DONE);
    }
    assert!(begun.elapsed() < BY_TOKEN, "by looking again, not by tokens");
    worker.stop(LONG).unwrap();
}

#[test]
fn saved_priorities_order_the_queues_of_a_pattern() {
    let server = Server::start();
    let client = server.client();
    let priority = |patterns: &[&str]| PatternPriority {
        patterns: patterns.iter().map(ToString::to_string).collect(),
        fair: false,
    };
    client.patterns().set(None, Some(vec![priority(&["vip-*"]), priority(&["*", "!late"])])).unwrap();
    for queue in ["late", "a", "vip-x", "b"] {
        put(&client, queue);
    }
    let worker = worker(&client, &["*"]);
    let order: Vec<String> = (0..4).map(|_| perform(&worker)).collect();
    assert_eq!(order, ["vip-x", "a", "b", "late"]);
    worker.stop(LONG).unwrap();
}

#[test]
fn a_worker_with_outcomes_and_no_queue_left_flushes_them() {
    let server = Server::start();
    let client = server.client();
    save(&client, &[("mine", &["a"])]);
    put(&client, "a");
    let worker = worker(&client, &["@mine"]);
    let job = next(&worker);
    let waiting = waiting_on(&worker, &server);
    save(&client, &[("mine", &["!a"])]);
    finish(&worker, &job, Outcome::DONE);
    until("the outcome is there", || client.job(&job.jid).unwrap().unwrap().state == "completed");
    put(&client, "a");
    save(&client, &[("mine", &["a"])]);
    let (again, _) = waiting.join().unwrap();
    finish(&worker, &again, Outcome::DONE);
    worker.stop(LONG).unwrap();
}
