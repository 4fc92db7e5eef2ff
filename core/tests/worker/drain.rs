//! Drain and the other tools for tests of programs: `manyhands::testing`, and the example in docs/testing.md.

use std::sync::{Arc, Mutex};

use manyhands::ops::QueuePut;
use manyhands::testing::{inline, recorded_puts};
use manyhands::{
    Around, AroundPut, Backoff, Client, Code, Hooks, Job, JobKind, Next, Outcome, Placed, Put, Run, Worker,
};

use crate::support::Server;
use crate::{LONG, put, view, worker};

fn state(client: &Client, jid: &str) -> String {
    client.job(jid).unwrap().map_or("none".to_owned(), |job| job.state)
}

fn nowhere() -> Client {
    Client::open(Some("unix:///nowhere/redis.sock"), "").unwrap()
}

#[test]
fn the_page_shows_the_examples() {
    let rust = ("rust", include_str!("../../../examples/rust/greetings.rs"));
    for (language, example) in [rust, ("c", include_str!("../../../examples/c/greetings.c"))] {
        assert!(include_str!("../../../docs/testing.md").contains(&format!("```{language}\n{example}```\n")));
    }
}

#[test]
fn a_job_is_built_with_what_a_put_could_have() {
    let options =
        r#"{"jid":"j","queue":"q","priority":-3,"retries":2,"tags":["t"],"headers":{"a":"b"},"tracked":true}"#;
    let job = Job::build_with("k", "[1.0]", options).unwrap();
    let built =
        Job { jid: "j".into(), queue: "q".into(), priority: -3, retries: 2, remaining: 2, ..Job::build("k", "[1.0]") };
    let headers = [("a".to_owned(), "b".to_owned())].into();
    assert_eq!(job, Job { tags: vec!["t".into()], headers, tracked: true, ..built });
    assert_eq!(Job::build_with("k", "1", "").unwrap(), Job::build("k", "1"));
    let refused = |data, options| Job::build_with("k", data, options).unwrap_err().message;
    assert_eq!(refused("1", r#"{"delay_ms":1}"#), "options.delay_ms is unknown");
    assert_eq!(refused("1", r#"{"priority":128}"#), "priority 128 is outside -128..127");
    assert_eq!(refused("1", r#"{"retries":1,"remaining":2}"#), "remaining 2 is outside 0..1");
    assert!(refused("no", "").starts_with("data is not JSON"));
}

#[test]
fn what_may_run_is_performed_and_what_that_puts() {
    let server = Server::start();
    let client = server.client();
    let queue = client.queue("q");
    queue.put(Put::new("first").jid("first").route(["r"])).unwrap();
    queue.put(Put::new("late").jid("late").delay_ms(3_600_000)).unwrap();
    queue.put(Put::new("last").jid("last").dependencies(["first"])).unwrap();
    client.queue("other").put(Put::new("other").jid("other")).unwrap();
    let worker = Worker::open(&client, r#"{"queues":["q","r*"]}"#).unwrap();
    let seen = Mutex::new(Vec::new());
    let handler = |job: &Job| {
        seen.lock().unwrap().push(format!("{} in {}", job.kind, job.queue));
        if job.jid == "first" && job.queue == "q" {
            client.queue("rest").put(Put::new("more")).unwrap();
        }
        Outcome::DONE
    };
    assert_eq!(worker.drain(handler).unwrap(), 4);
    assert_eq!(*seen.lock().unwrap(), ["first in q", "first in r", "last in q", "more in rest"]);
    assert_eq!(
        ["first", "late", "last", "other"].map(|jid| state(&client, jid)).join(" "),
        "completed scheduled completed waiting"
    );
    put(&client, 300, "many");
    assert_eq!(worker.drain(|_| Outcome::DONE).unwrap(), 300);
    assert_eq!((worker.running(), worker.unanswered(), worker.take_refused().len()), (0, 0, 0));
    assert_eq!(worker.drain(|_| Outcome::DONE).unwrap(), 0);
}

#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Hooks for Heard {
    fn before_perform(&self, run: &Run<'_>) {
        self.0.lock().unwrap().push(format!("before {}", run.kind));
    }

    fn after_perform(&self, run: &Run<'_>, outcome: &Outcome, _took: std::time::Duration) {
        self.0.lock().unwrap().push(format!("after {} {}", run.kind, outcome.name()));
    }
}

#[test]
fn outcomes_are_stored_as_a_running_worker_does() {
    let server = Server::start();
    let client = server.client();
    for kind in ["fails", "panics", "unknown", "ruled", "ends"] {
        client.queue("q").put(Put::new(kind).jid(kind)).unwrap();
    }
    let heard = Heard::default();
    let ends = |job: &Job, next: Around<'_>| {
        if job.kind == "ends" {
            next.worker().finish_wait(&job.jid, &job.token, Outcome::completed(Some("7"), "").unwrap()).unwrap();
        }
        next.call()
    };
    let hour = std::time::Duration::from_secs(3_600);
    let fail = Outcome::Fail { group: "bad".into(), message: "no".into(), trace: String::new() };
    let thrown = || Outcome::thrown("E", "it broke");
    let worker = worker(&client, "").with(ends).hooked(heard.clone());
    let worker = worker.perform(&JobKind::new("fails"), move |_| fail.clone()).unwrap();
    let worker = worker.perform(&JobKind::new("panics"), |_| panic!("out of order")).unwrap();
    let worker = worker.perform(&JobKind::new("ruled").backoff(Backoff::fixed(hour)), move |_| thrown()).unwrap();
    let worker = worker.perform(&JobKind::new("ends"), |_| Outcome::DONE).unwrap();
    assert_eq!(worker.drain_served().unwrap(), 5);
    let failure = |jid: &str| client.job(jid).unwrap().unwrap().failure.unwrap();
    assert_eq!((state(&client, "fails"), failure("fails").group), ("failed".into(), "bad".into()));
    assert_eq!((state(&client, "panics"), failure("panics").message), ("scheduled".into(), "out of order".into()));
    assert_eq!((state(&client, "unknown"), failure("unknown").group), ("failed".into(), "unknown-kind:unknown".into()));
    assert_eq!(failure("ruled").worker, worker.name());
    assert_eq!((state(&client, "ends"), view(&client, "ends", "/result")), ("completed".into(), 7.into()));
    let due = |jid: &str| client.job(jid).unwrap().unwrap().due_at_ms.unwrap();
    assert!(due("ruled") > due("panics") + 1_000_000);
    assert_eq!(heard.0.lock().unwrap()[..2], ["before fails", "after fails fail"]);
    assert_eq!(heard.0.lock().unwrap().len(), 10);
}

#[test]
fn a_drained_worker_takes_jobs_again_when_it_is_resumed() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    put(&client, 1, "a");
    assert_eq!(worker.drain(|_| Outcome::DONE).unwrap(), 1);
    assert!(worker.is_paused());
    put(&client, 1, "b");
    worker.resume();
    let Next::Job(job) = worker.next(LONG).unwrap() else { panic!("no job came") };
    crate::finish(&worker, &job, Outcome::DONE);
    worker.stop(LONG).unwrap();
    let error = worker.drain(|_| Outcome::DONE).unwrap_err();
    assert_eq!((error.code, error.operation.as_deref()), (Code::Closed, Some("worker_drain")));
}

#[test]
fn inline_performs_before_a_put_returns() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    let nested = Arc::new(Mutex::new(None::<Client>));
    let own = Arc::clone(&nested);
    let at_once = inline(&client, &worker, move |job: &Job| {
        if job.kind == "outer" {
            let client = own.lock().unwrap().clone().unwrap();
            let inner = client.queue("q").put(Put::new("inner").jid("inner")).unwrap();
            assert_eq!(state(&client, &inner.jid), "completed");
        }
        Outcome::DONE
    });
    *nested.lock().unwrap() = Some(at_once.clone());
    let placed = at_once.queue("q").put(Put::new("outer")).unwrap();
    assert_eq!((placed.outcome.as_str(), state(&client, &placed.jid).as_str()), ("put", "completed"));
    *nested.lock().unwrap() = None;
}

#[test]
fn recorded_puts_are_checked_and_go_no_further() {
    let adds = |mut puts: Vec<Put>, next: AroundPut<'_>| -> manyhands::Result<Vec<Placed>> {
        puts.push(Put::new("audit").queue("log"));
        next.call(puts)
    };
    let (client, puts) = recorded_puts(&nowhere().with(adds));
    let placed = client.queue("mail").put_many([Put::new("a").jid("own").tags(["t"])]).unwrap();
    assert_eq!(placed.iter().map(|placed| placed.outcome.as_str()).collect::<Vec<_>>(), ["put", "put"]);
    assert_eq!(placed[0].jid, "own");
    assert_eq!(puts.assert_put("audit", |put| put.queue == "log").jid.unwrap(), placed[1].jid);
    puts.assert_not_put("a", |put| put.tags.is_empty());
    let error = client.put_all(QueuePut::new([Put::new("b").queue("q").priority(128)])).unwrap_err();
    assert_eq!(
        (error.code, error.message.as_str()),
        (Code::InvalidArgument, "jobs[0].priority 128 is outside -128..127")
    );
    assert_eq!(puts.all().len(), 2);
    let assertion = std::panic::AssertUnwindSafe(|| puts.assert_put("b", |_| true));
    let said = std::panic::catch_unwind(assertion).unwrap_err();
    assert!(said.downcast::<String>().unwrap().starts_with("no such job of kind \"b\" was put, but ["));
    puts.clear();
    assert_eq!(puts.all(), []);
}
