//! tests/middleware/cases.json for Rust, whatever performs the jobs.
//!
//! In Rust a handler throws by giving an outcome: what the cases call an exception is every outcome but a completion, and the
//! language's plain error is [`Outcome::Error`] of class `Error`. "Give nothing" is a completion without a result, which is
//! stored as none.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use manyhands::{Client, Hooks, Job, Outcome, Put, Run, Worker};
use serde_json::Value;

use super::{Server, member};

/// Longer than a case takes.
const LONG: Duration = Duration::from_secs(20);

/// What the moves write down.
type Trace = Arc<Mutex<Vec<String>>>;

/// The local `seen`.
#[derive(Clone)]
pub struct Seen(String);

/// The locals of a run.
pub trait Shared {
    fn keep(&self, seen: Seen);
    fn kept(&self) -> Option<Seen>;
}

fn give(json: &str) -> Outcome {
    Outcome::completed(Some(json), "").unwrap()
}

fn broken(message: &str) -> Outcome {
    Outcome::thrown("Error", message)
}

fn completed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Complete { .. })
}

fn seen(locals: &dyn Shared) -> String {
    locals.kept().map_or_else(|| "nothing".to_owned(), |seen| seen.0)
}

/// The middleware `<name> <move>` of a case.
#[derive(Clone)]
pub struct Move {
    name: String,
    step: String,
    trace: Trace,
}

impl Move {
    fn of(entry: &str, trace: &Trace) -> Move {
        let (name, step) = entry.split_once(' ').unwrap();
        Move { name: name.to_owned(), step: step.to_owned(), trace: Arc::clone(trace) }
    }

    fn write(&self, what: &str) {
        self.trace.lock().unwrap().push(format!("{} {what}", self.name));
    }

    /// What it does first: an outcome in place of what is inside, or none.
    pub fn before(&self, job: &Job, worker: &Worker, locals: &dyn Shared) -> Option<Outcome> {
        let Move { name, step, .. } = self;
        match step.as_str() {
            "around" => self.write("before"),
            "write" => locals.keep(Seen(name.clone())),
            "read" => self.write(&format!("sees {}", seen(locals))),
            "break_after" | "rescue" | "replace" | "twice" => {}
            "skip" => {
                self.write("skips");
                return Some(Outcome::DONE);
            }
            "fail" => {
                self.write("fails");
                let [group, message] = ["held".to_owned(), format!("by {name}")];
                return Some(Outcome::Fail { group, message, trace: String::new() });
            }
            "snooze" => {
                self.write("snoozes");
                return Some(Outcome::Snooze { delay_ms: 60_000 });
            }
            "retry" => {
                self.write("retries");
                return Some(Outcome::retry(60_000));
            }
            "finish" => {
                self.write("finishes");
                let result = give(&format!("{{\"by\":\"{name}\"}}"));
                assert_eq!(worker.finish_wait(&job.jid, &job.token, result).unwrap(), "completed");
                // The run is over: what is given now counts for nothing but the trace.
                return Some(Outcome::DONE);
            }
            "break" => {
                self.write("breaks");
                return Some(broken(&format!("broken by {name}")));
            }
            other => panic!("the cases have a new move: {other}"),
        }
        None
    }

    /// What it makes of the outcome of what is inside.
    pub fn after(&self, outcome: Outcome) -> Outcome {
        match self.step.as_str() {
            "around" => self.write(if completed(&outcome) { "after" } else { "raised" }),
            "break_after" => {
                self.write("breaks");
                // A panic is the same to those outside, but for its class.
                panic!("broken by {}", self.name)
            }
            "rescue" if !completed(&outcome) => {
                self.write("rescues");
                return give(r#"{"rescued":true}"#);
            }
            "replace" => {
                self.write("replaces");
                return give(&format!("{{\"from\":\"{}\"}}", self.name));
            }
            // The compiler refuses the second call (compile_fail examples of `Around` and `AsyncAround` prove it).
            "twice" => self.write("refused"),
            _ => {}
        }
        outcome
    }
}

/// The handler of a case.
#[derive(Clone)]
pub struct Handler {
    name: String,
    worker: Worker,
    trace: Trace,
}

impl Handler {
    pub fn call(&self, job: &Job, locals: &dyn Shared) -> Outcome {
        let write = |what: String| self.trace.lock().unwrap().push(what);
        match self.name.as_str() {
            "answer" => {
                write("handler".to_owned());
                give(r#"{"answer":42}"#)
            }
            "read" => {
                write(format!("handler sees {}", seen(locals)));
                Outcome::DONE
            }
            "break" => {
                write("handler".to_owned());
                broken("broken")
            }
            "fail" => {
                write("handler".to_owned());
                let [group, message] = ["held", "by handler"].map(str::to_owned);
                let fail = Outcome::Fail { group, message, trace: String::new() };
                assert_eq!(self.worker.finish_wait(&job.jid, &job.token, fail).unwrap(), "failed");
                Outcome::DONE
            }
            other => panic!("the cases have a new handler: {other}"),
        }
    }
}

/// Plays every case. `run` gives the worker its middleware, the first outermost, and runs it with the handler.
pub fn play(run: impl Fn(Worker, Vec<Move>, Handler)) {
    let server = Server::start();
    let text = include_str!("../../../tests/middleware/cases.json");
    let cases: Value = serde_json::from_str(text).unwrap();
    for (number, case) in cases["cases"].as_array().unwrap().iter().enumerate() {
        play_case(case, &server.client_with(&format!("{{\"namespace\":\"case-{number}\"}}")), &run);
    }
}

fn play_case(case: &Value, client: &Client, run: impl Fn(Worker, Vec<Move>, Handler)) {
    let name = case["name"].as_str().unwrap();
    let jobs = case["jobs"].as_u64().unwrap_or(1);
    let retries = case["retries"].as_i64().unwrap_or(5);
    let puts = (0..jobs).map(|_| Put::new("k").retries(retries));
    let jids: Vec<_> = client.queue("q").put_many(puts).unwrap().into_iter().map(|placed| placed.jid).collect();
    let trace = Trace::default();
    let chain = case["chain"].as_array().unwrap().iter().map(|entry| Move::of(entry.as_str().unwrap(), &trace));
    let told = Told::default();
    let worker = Worker::open(client, &format!("{{\"queues\":[\"q\"],\"max_jobs\":{jobs}}}")).unwrap();
    let worker = worker.hooked(told.clone());
    let handler = case["handler"].as_str().unwrap().to_owned();
    let handler = Handler { name: handler, worker: worker.clone(), trace: Arc::clone(&trace) };
    run(worker.clone(), chain.collect(), handler);
    worker.stop(LONG).unwrap();
    assert_eq!(Value::from(trace.lock().unwrap().clone()), case["trace"], "{name}");
    assert_eq!(Value::from(told.0.lock().unwrap().clone()), case["hooks"], "{name}");
    for jid in jids {
        let view = client.call("job_get", &format!("{{\"jid\":\"{jid}\"}}")).unwrap();
        assert_eq!(member(&view, "/state"), case["state"], "{name}");
        for (expected, pointer) in [("result", "/result"), ("group", "/failure/group"), ("message", "/failure/message")]
        {
            if let Some(expected) = case.get(expected) {
                assert_eq!(member(&view, pointer), *expected, "{name}: {pointer}");
            }
        }
    }
}

/// Writes down which hooks of a case are told.
#[derive(Clone, Default)]
struct Told(Trace);

impl Hooks for Told {
    fn before_perform(&self, _run: &Run<'_>) {
        self.0.lock().unwrap().push("before".to_owned());
    }

    fn after_perform(&self, _run: &Run<'_>, outcome: &Outcome, _took: Duration) {
        self.0.lock().unwrap().push(format!("after {}", outcome.name()));
    }

    fn on_failure(&self, _run: &Run<'_>, _outcome: &Outcome, _took: Duration) {
        self.0.lock().unwrap().push("failure".to_owned());
    }
}
