//! Handlers of kinds that are futures.

use std::future::{Future, pending, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use manyhands::{Backoff, Client, Code, Job, JobKind, Outcome, Put, Result, Worker};

use crate::handlers::{LONG, view, worker};
use crate::run;
use crate::support::{Server, member};

fn said(text: &str) -> Outcome {
    Outcome::completed(Some(&format!("\"{text}\"")), "").unwrap()
}

async fn resize(job: Job) -> Outcome {
    tokio::task::yield_now().await;
    said(&format!("resized {}", job.data))
}

#[test]
fn a_worker_serves_its_handlers_and_says_so() {
    let server = Server::start();
    let client = server.client();
    let kinds = ["greet", "resize", "other"].map(|name| JobKind::new(name).queue("q"));
    let jids = kinds.each_ref().map(|kind| kind.put(&client, "1").unwrap().jid);
    let worker = worker(&client, r#","kinds":["mine"],"threads":2,"max_jobs":3"#);
    let worker = worker.perform_async(&kinds[0], |_| async { panic!("this one is replaced") }).unwrap();
    let worker = worker.perform_async(&kinds[0], |_| ready(said("hello"))).unwrap();
    let worker = worker.perform_async(&kinds[1], resize).unwrap();
    run(worker.serve_async()).unwrap();
    let status = client.workers(0, 10).unwrap().items.remove(0).status;
    assert_eq!(member(&status.unwrap(), "/kinds"), serde_json::json!(["mine", "greet", "resize"]));
    worker.stop(LONG).unwrap();
    let results = [&jids[0], &jids[1]].map(|jid| view(&client, jid, "/result"));
    assert_eq!(results, ["hello", "resized 1"]);
    assert_eq!(view(&client, &jids[2], "/failure/group"), "unknown-kind:other");
}

#[test]
fn what_is_said_of_the_kind_holds_for_its_runs() {
    let server = Server::start();
    let client = server.client();
    let late = JobKind::new("late").queue("q").timeout(Duration::from_millis(1)).backoff(Backoff::fixed(LONG * 100));
    let jid = late.put(&client, "null").unwrap().jid;
    let worker = worker(&client, r#","max_jobs":1"#).perform_async(&late, |_| pending()).unwrap();
    run(worker.serve_async()).unwrap();
    worker.stop(LONG).unwrap();
    assert_eq!(view(&client, &jid, "/failure/group"), "late:JobInterrupted");
    let at = |pointer: &str| view(&client, &jid, pointer).as_u64().unwrap();
    assert!(at("/due_at_ms") > at("/put_at_ms") + 1_000_000);
}

#[test]
fn a_puts_own_timeout_and_backoff_come_before_those_of_its_kind() {
    let server = Server::start();
    let client = server.client();
    let kind = JobKind::new("k").queue("q").timeout(LONG * 100).backoff(Backoff::fixed(Duration::ZERO));
    let own = |job: Put| job.timeout_ms(1).backoff(Backoff::fixed(LONG * 100));
    let jid = kind.put_with(&client, "null", own).unwrap().jid;
    let options = r#","max_jobs":1,"timeouts":{"k":3600000}"#;
    let worker = worker(&client, options).perform_async(&kind, |_| pending()).unwrap();
    run(worker.serve_async()).unwrap();
    worker.stop(LONG).unwrap();
    assert_eq!(view(&client, &jid, "/failure/group"), "k:JobInterrupted");
    let at = |pointer: &str| view(&client, &jid, pointer).as_u64().unwrap();
    assert!(at("/due_at_ms") > at("/put_at_ms") + 1_000_000);
}

#[test]
fn what_may_run_is_drained_by_them() {
    let server = Server::start();
    let client = server.client();
    client.queue("q").put(Put::new("other").jid("other")).unwrap();
    let kind = JobKind::new("resize").queue("q");
    let jid = kind.put(&client, "1").unwrap().jid;
    let worker = worker(&client, "").perform_async(&kind, resize).unwrap();
    assert_eq!(run(worker.drain_served_async()).unwrap(), 2);
    assert_eq!(view(&client, &jid, "/result"), "resized 1");
    assert_eq!(view(&client, "other", "/failure/group"), "unknown-kind:other");
}

/// The message of a call that is refused at once.
fn refused<T>(future: impl Future<Output = Result<T>>) -> String {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => wrong_state(outcome),
        Poll::Pending => panic!("it waits"),
    }
}

fn wrong_state<T>(outcome: Result<T>) -> String {
    let error = outcome.map(drop).unwrap_err();
    assert_eq!(error.code, Code::WrongState);
    error.message
}

#[test]
fn handlers_of_one_worker_all_block_or_are_all_futures() {
    let client = Client::open(Some("unix:///nowhere/redis.sock"), "").unwrap();
    let [greet, other] = ["greet", "other"].map(JobKind::new);

    let futures = worker(&client, "").perform_async(&greet, |_| ready(Outcome::DONE)).unwrap();
    let message = wrong_state(futures.clone().perform(&other, |_| Outcome::DONE));
    assert_eq!(
        message,
        "other cannot be performed by a handler that blocks: Worker::perform_async gave this worker futures"
    );
    for message in [wrong_state(futures.serve()), wrong_state(futures.drain_served())] {
        assert!(message.starts_with("the handlers of Worker::perform_async are futures: "), "{message}");
    }

    let blocking = worker(&client, "").perform(&greet, |_| Outcome::DONE).unwrap();
    let message = wrong_state(blocking.clone().perform_async(&other, |_| ready(Outcome::DONE)));
    assert_eq!(message, "other cannot be performed by a future: Worker::perform gave this worker handlers that block");
    for message in [refused(blocking.serve_async()), refused(blocking.drain_served_async())] {
        assert!(message.starts_with("the handlers of Worker::perform block: "), "{message}");
    }
}

#[test]
fn a_kind_that_no_put_could_have_is_refused() {
    let client = Client::open(Some("unix:///nowhere/redis.sock"), "").unwrap();
    let refused: Result<Worker> =
        worker(&client, "").perform_async(&JobKind::new("k").retries(256), |_| ready(Outcome::DONE));
    let error = refused.unwrap_err();
    assert_eq!((error.code, error.message.as_str()), (Code::InvalidArgument, "retries 256 is outside 0..255"));
}
