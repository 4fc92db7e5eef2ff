//! The master of a host that forks, told and asked in JSON.

use std::ffi::CString;
use std::time::Instant;

use manyhands::{Code, Next, Outcome, Put, Supervisor, WorkSettings, Worker};
use serde_json::{Value, json};

use crate::support::Server;
use crate::support::fork::{forked, succeeded};
use crate::{LONG, until, view};

fn event(supervisor: &Supervisor, event: &Value) -> Value {
    serde_json::from_str(&supervisor.event(&event.to_string()).unwrap()).unwrap()
}

/// Waits for something to do, which must be this.
fn task(supervisor: &Supervisor, what: &str) -> Value {
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < LONG, "waited in vain for {what}");
        let answer = event(supervisor, &json!({"event": "wait", "timeout_ms": 100}));
        if let Some(task) = answer["tasks"].as_array().unwrap().first() {
            assert_eq!(task["do"], what);
            return task.clone();
        }
    }
}

/// What a host does for a task: forks, and lets the child be the worker process.
fn fork_worker(supervisor: &Supervisor, server: &Server, task: &Value, perform: fn(&Worker)) {
    let pid = forked(std::panic::AssertUnwindSafe(|| {
        event(supervisor, &json!({"event": "forked", "process": task["process"]}));
        for (name, value) in task["environment"].as_object().unwrap() {
            let [name, value] = [name, value.as_str().unwrap()].map(|text| CString::new(text).unwrap());
            // SAFETY: a forked child has one thread. Not by std, whose lock another thread may have held at the fork.
            unsafe { libc::setenv(name.as_ptr(), value.as_ptr(), 1) };
        }
        let worker = Worker::open(&server.client(), r#"{"queues":["q"]}"#).unwrap();
        perform(&worker);
    }));
    event(supervisor, &json!({"event": "started", "process": task["process"], "pid": pid}));
}

#[test]
fn a_host_that_forks_keeps_processes_by_a_dialogue() {
    let server = Server::start();
    let client = server.client();
    let settings = WorkSettings::from_flags(r#"{"worker-count":"1"}"#).unwrap();
    let supervisor = Supervisor::open(&client, &settings).unwrap();
    let jid = client.queue("q").put(Put::new("k").retries(3)).unwrap().jid;

    let first = task(&supervisor, "start");
    assert_eq!(first["process"], 1);
    fork_worker(&supervisor, &server, &first, |worker| {
        assert!(matches!(worker.next(LONG), Ok(Next::Job(_))));
        std::process::abort();
    });

    let second = task(&supervisor, "start");
    assert_eq!(second["process"], 2);
    fork_worker(&supervisor, &server, &second, |worker| {
        worker
            .run(|job| match (job.kind.as_str(), job.retries - job.remaining) {
                ("k", 1) => Outcome::DONE,
                _ => std::process::exit(3),
            })
            .unwrap();
        worker.stop(LONG).unwrap();
    });
    until("the job is done, at its second run", || {
        event(&supervisor, &json!({"event": "wait", "timeout_ms": 1}));
        view(&client, &jid, "/state") == "completed"
    });

    event(&supervisor, &json!({"event": "signal", "name": "QUIT"}));
    assert_eq!(task(&supervisor, "exit")["status"], 0);
}

#[test]
fn a_signal_to_a_child_that_has_just_been_forked_is_not_the_masters() {
    let server = Server::start();
    let supervisor = Supervisor::open(&server.client(), &WorkSettings::from_flags("{}").unwrap()).unwrap();
    task(&supervisor, "start");
    let child = forked(std::panic::AssertUnwindSafe(|| {
        event(&supervisor, &json!({"event": "signal", "name": "TERM"}));
    }));
    assert!(succeeded(child));
    assert_eq!(event(&supervisor, &json!({"event": "wait"}))["status"], "0 of 1 processes serve");
    event(&supervisor, &json!({"event": "signal", "name": "TERM"}));
    assert_eq!(event(&supervisor, &json!({"event": "wait"}))["status"], "stopping; 1 processes left");
}

#[test]
fn an_event_that_is_none_is_refused_by_name() {
    let server = Server::start();
    let supervisor = Supervisor::open(&server.client(), &WorkSettings::from_flags("{}").unwrap()).unwrap();
    for (event, message) in [
        (r#"{"event":"wiat"}"#, "event wiat is unknown"),
        (r#"{"event":"wait","for":1}"#, "for is unknown"),
        (r#"{"event":"started","process":1}"#, "pid is missing"),
        (r#"{"event":"forked"}"#, "process is missing"),
        (r#"{"event":"signal","name":"SIGTERM"}"#, "name SIGTERM is no signal of a master"),
    ] {
        let error = supervisor.event(event).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Code::InvalidArgument, message));
    }
}
