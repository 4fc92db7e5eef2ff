//! Middleware around perform, as tests/middleware/cases.json says it for all languages; around put; the hooks and observers.

use std::io::Read;
use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use manyhands::ops::Placed;
use manyhands::{
    Around, AroundPut, Backoff, Client, Hooks, Job, Locals, Outcome, Put, Result, RetryRules, Run, Worker,
};
use serde_json::Value;

use crate::support::Server;
use crate::support::cases::{self, Seen, Shared};
use crate::{LONG, finish, losses, next, put, until, view, worker};

/// What the moves write down.
type Trace = Arc<Mutex<Vec<String>>>;
impl Shared for Locals {
    fn keep(&self, seen: Seen) {
        self.set(seen);
    }

    fn kept(&self) -> Option<Seen> {
        self.get()
    }
}

fn broken(message: &str) -> Outcome {
    Outcome::thrown("Error", message)
}

#[test]
fn the_cases_of_all_languages() {
    cases::play(|worker, chain, handler| {
        let worker = chain.into_iter().fold(worker, |worker, step| {
            worker.with(move |job: &Job, next: Around<'_>| {
                let instead = step.before(job, next.worker(), next.locals());
                instead.unwrap_or_else(|| step.after(next.call()))
            })
        });
        worker.run_with(|job, locals| handler.call(job, locals)).unwrap();
    });
}

#[test]
fn middleware_around_put_changes_adds_and_refuses() {
    let server = Server::start();
    let order = Arc::new(Mutex::new(Vec::new()));
    let outer = Arc::clone(&order);
    let client = server.client();
    let tagged = client
        .with(move |puts: Vec<Put>, next: AroundPut<'_>| -> Result<Vec<Placed>> {
            outer.lock().unwrap().push(format!("outer {}", puts.len()));
            let placed = next.call(puts);
            outer.lock().unwrap().push(format!("placed {}", placed.as_ref().map_or(0, Vec::len)));
            placed
        })
        .with(|puts: Vec<Put>, next: AroundPut<'_>| -> Result<Vec<Placed>> {
            if puts.iter().any(|put| put.kind == "never") {
                return Ok(Vec::new());
            }
            next.call(puts.into_iter().map(|put| put.tags(["seen"])).collect())
        });
    let placed = tagged.queue("q").put_many([Put::new("a"), Put::new("b")]).unwrap();
    assert_eq!(view(&client, &placed[1].jid, "/tags/0"), "seen");
    assert_eq!(*order.lock().unwrap(), ["outer 2", "placed 2"]);
    assert_eq!(tagged.queue("q").put_many([Put::new("never")]).unwrap(), []);
    client.queue("q").put(Put::new("never")).unwrap();
    assert_eq!(client.queue("q").counts().unwrap().waiting, 3, "the client it came from is as it was");
}

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Watch(Trace);

impl Watch {
    fn write(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }
}

impl Hooks for Watch {
    fn on_start(&self, worker: &str) {
        self.write(format!("start {}", worker.contains(':')));
    }

    fn before_perform(&self, run: &Run<'_>) {
        self.write(format!("before {} {} {}", run.kind, run.queue, run.attempt));
    }

    fn after_perform(&self, run: &Run<'_>, outcome: &Outcome, took: Duration) {
        assert!(took < LONG && !run.token.is_empty());
        self.write(format!("after {} {}", run.kind, outcome.name()));
        panic!("a hook's panic is its own");
    }

    fn on_failure(&self, run: &Run<'_>, outcome: &Outcome, _took: Duration) {
        self.write(format!("failure {} {}", run.kind, outcome.message().unwrap()));
    }

    fn on_lock_lost(&self, _worker: &str, jid: &str, _token: &str, reason: &str) {
        self.write(format!("lost {jid} {reason}"));
    }

    fn on_stop(&self, _worker: &str) {
        self.write("stop".to_owned());
    }
}

#[test]
fn hooks_are_told_what_happens() {
    let server = Server::start();
    let client = server.client();
    let watch = Watch::default();
    let worker = worker(&client, r#","threads":2"#).hooked(watch.clone());
    let lost = losses(&worker);
    put(&client, 1, "good");
    let good = next(&worker);
    finish(&worker, &good, Outcome::DONE);
    put(&client, 1, "bad");
    let bad = next(&worker);
    finish(&worker, &bad, broken("oh"));
    client.queue("q").put_many(["one", "two"].map(|jid| Put::new("k").jid(jid))).unwrap();
    let (one, two) = (next(&worker), next(&worker));
    client.call("job_cancel", r#"{"jids":["one"]}"#).unwrap();
    assert_eq!(lost.recv_timeout(LONG).unwrap(), "cancelled");
    client.call("job_cancel", r#"{"jids":["two"]}"#).unwrap();
    worker.finish_wait(&one.jid, &one.token, Outcome::Release).unwrap_err();
    worker.finish_wait(&two.jid, &two.token, Outcome::DONE).unwrap_err();
    worker.stop(LONG).unwrap();
    let told = watch.0.lock().unwrap().clone();
    let lost: Vec<_> = told.iter().filter(|line| line.starts_with("lost")).collect();
    assert_eq!(lost, ["lost one cancelled", "lost two cancelled"], "each once");
    let rest: Vec<_> = told.iter().filter(|line| !line.starts_with("lost")).collect();
    assert_eq!(
        rest,
        [
            "start true",
            "before good q 1",
            "after good complete",
            "before bad q 1",
            "after bad error",
            "failure bad oh",
            "before k q 1",
            "before k q 1",
            "after k release",
            "after k complete",
            "stop"
        ]
    );
}

/// At its start has another thread ask for a job, and waits until that one is held up or has its answer.
struct SlowStart {
    worker: Arc<OnceLock<Worker>>,
    trace: Trace,
}

impl Hooks for SlowStart {
    fn on_start(&self, _worker: &str) {
        let (worker, trace) = (self.worker.get().unwrap().clone(), Arc::clone(&self.trace));
        let (sent, id) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            // SAFETY: it only tells the thread's number.
            sent.send(unsafe { libc::gettid() }).unwrap();
            worker.next(Duration::ZERO).unwrap();
            trace.lock().unwrap().push("asked".to_owned());
        });
        let status = format!("/proc/self/task/{}/status", id.recv().unwrap());
        until("the other thread waits", || {
            other.is_finished() || std::fs::read_to_string(&status).is_ok_and(|status| status.contains("(sleeping)"))
        });
        // One that asks here is not held up: it would wait for itself.
        self.worker.get().unwrap().next(Duration::ZERO).unwrap();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let held = status.lines().find(|line| line.starts_with("SigBlk:")).unwrap();
        self.trace.lock().unwrap().push(format!("started {}", held.trim_end_matches('0')));
    }
}

#[test]
fn no_thread_has_a_job_before_the_hook_of_the_start_has_returned() {
    let server = Server::start();
    let (place, trace) = (Arc::new(OnceLock::new()), Trace::default());
    let hook = SlowStart { worker: Arc::clone(&place), trace: Arc::clone(&trace) };
    let worker = worker(&server.client(), r#","threads":2"#).hooked(hook);
    place.set(worker.clone()).unwrap();
    worker.next(Duration::ZERO).unwrap();
    until("both are through", || trace.lock().unwrap().len() == 2);
    assert_eq!(*trace.lock().unwrap(), ["started SigBlk:\t", "asked"], "with signals as they were");
    worker.stop(LONG).unwrap();
}

#[test]
fn figures_go_to_statsd() {
    let server = Server::start();
    let client = server.client();
    let figures = UdpSocket::bind("127.0.0.1:0").unwrap();
    figures.set_read_timeout(Some(LONG)).unwrap();
    let port = figures.local_addr().unwrap().port();
    let statsd = format!(r#","statsd":{{"host":"127.0.0.1","port":{port},"key":"app"}}"#);
    let worker = worker(&client, &statsd);
    put(&client, 1, "k");
    let job = next(&worker);
    finish(&worker, &job, broken("x"));
    let mut bytes = [0; 1_000];
    let length = figures.recv(&mut bytes).unwrap();
    let text = std::str::from_utf8(&bytes[..length]).unwrap();
    assert!(text.starts_with("app.k.count:1|c\napp.k.error:1|c\napp.k.time:") && text.ends_with("|ms"), "{text}");
    worker.stop(LONG).unwrap();
}

#[test]
fn without_a_receiver_of_figures_jobs_run_as_ever() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, r#","statsd":{"host":"no such host.invalid"},"max_jobs":2"#);
    put(&client, 2, "k");
    worker.run(|_| Outcome::DONE).unwrap();
    worker.stop(LONG).unwrap();
    assert_eq!(client.queue("q").counts().unwrap().waiting, 0);
}

#[test]
fn the_log_goes_to_standard_error() {
    let server = Server::start();
    put(&server.client(), 1, "k");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["middleware::logging", "--exact", "--ignored", "--nocapture"])
        .env("WORKER_TEST_URL", server.url())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let events: Vec<_> = lines.iter().map(|line| (line["event"].as_str(), line["outcome"].as_str())).collect();
    assert_eq!(events, [(Some("start"), None), (Some("end"), Some("complete"))], "{said}");
    assert_eq!((&lines[1]["queue"], &lines[1]["kind"], &lines[1]["attempt"]), (&"q".into(), &"k".into(), &1.into()));
    assert_eq!(lines[1]["pid"], child.id());
}

/// The process that logs.
#[test]
#[ignore = "a part of the_log_goes_to_standard_error"]
fn logging() {
    let client = Client::open(Some(&std::env::var("WORKER_TEST_URL").unwrap()), "{}").unwrap();
    let worker = worker(&client, r#","log":"json","verbose":true,"max_jobs":1"#);
    worker.run(|_| Outcome::DONE).unwrap();
    worker.stop(LONG).unwrap();
}

#[test]
fn retry_rules_say_what_becomes_of_a_job_after_an_error() {
    let server = Server::start();
    let client = server.client();
    let rules = RetryRules::new()
        .discard_on("NoSuchUser")
        .retry_on("RateLimited", Backoff::list([Duration::ZERO, Duration::from_secs(600)]))
        .retry_on("panic", Backoff::fixed(Duration::from_secs(600)));
    let heard = Trace::default();
    let hears = Arc::clone(&heard);
    let worker = worker(&client, "").with(move |_: &Job, next: Around<'_>| {
        let outcome = next.call();
        hears.lock().unwrap().push(outcome.name().to_owned());
        outcome
    });
    let worker = worker.with(rules);
    let jid = |kind: &str| client.queue("q").put(Put::new(kind).retries(5)).unwrap().jid;
    let jids = ["NoSuchUser", "RateLimited", "panic", "Other", "done"].map(jid);
    worker
        .run(|job| match job.kind.as_str() {
            "done" => Outcome::DONE,
            "panic" => panic!("on purpose"),
            "RateLimited" if job.remaining == 4 => {
                worker.quiet();
                Outcome::thrown("RateLimited", "again")
            }
            class => Outcome::thrown(class, "on purpose"),
        })
        .unwrap();
    worker.stop(LONG).unwrap();
    let state = |jid: &str| view(&client, jid, "/state");
    assert_eq!(jids.each_ref().map(|jid| state(jid)), ["failed", "scheduled", "scheduled", "scheduled", "completed"]);
    assert_eq!(view(&client, &jids[0], "/failure/group"), "NoSuchUser:NoSuchUser");
    assert_eq!(view(&client, &jids[1], "/remaining"), 3);
    let due_in = |jid: &str| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        view(&client, jid, "/due_at_ms").as_f64().unwrap() - now.as_millis() as f64
    };
    assert!(due_in(&jids[1]) > 500_000.0 && due_in(&jids[2]) > 500_000.0 && due_in(&jids[3]) < 5_000.0);
    assert_eq!(heard.lock().unwrap().iter().filter(|name| *name == "error").count(), 5, "those outside hear the error");
}
