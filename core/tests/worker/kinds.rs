//! Kinds: the defaults of their puts, their handlers, and what is said of their runs.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use manyhands::ops::{Missing, QueuePut};
use manyhands::{Backoff, Client, Code, Hooks, JobKind, Outcome, Put, RetryRules, Run, Worker};

use crate::support::{Server, member};
use crate::{LONG, finish, next, until, view, worker};

const MINUTE: Duration = Duration::from_secs(60);

fn welcome() -> JobKind {
    let kind = JobKind::new("welcome").queue("q").priority(3).retries(2).tags(["mail"]).route(["r"]).throttles(["t"]);
    kind.headers([("from", "kind")]).delay_ms(0)
}

/// Milliseconds until a job may run again.
fn due_in(client: &Client, jid: &str) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    view(client, jid, "/due_at_ms").as_f64().unwrap() - now.as_millis() as f64
}

#[test]
fn puts_have_its_defaults_unless_they_say_otherwise() {
    let server = Server::start();
    let client = server.client();
    let kind = welcome().checked().unwrap();
    let plain = kind.put(&client, "[1.0]").unwrap().jid;
    let change = |job: Put| job.jid("own").queue("other").priority(0).tags(Vec::<String>::new()).delay_ms(3_600_000);
    let own = kind.put_with(&client, "2", change).unwrap().jid;
    let among = kind.job("3").with_options(r#"{"jid":"among","retries":9,"route":null}"#).unwrap();
    client.put_all(QueuePut::new([Put::new("else").queue("q"), among])).unwrap();
    let shown = |jid: &str| {
        let of = |pointer: &str| view(&client, jid, pointer).to_string();
        ["/kind", "/data", "/queue", "/priority", "/retries", "/tags", "/route", "/throttles", "/headers"]
            .map(of)
            .join(" ")
    };
    let rest = r#"["r"] ["t"] {"from":"kind"}"#;
    assert_eq!(shown(&plain), format!(r#""welcome" [1.0] "q" 3 2 ["mail"] {rest}"#));
    assert_eq!(shown(&own), format!(r#""welcome" 2 "other" 0 2 [] {rest}"#));
    assert_eq!(shown("among"), format!(r#""welcome" 3 "q" 3 9 ["mail"] {rest}"#));
    assert_eq!(view(&client, "own", "/state"), "scheduled");
}

#[test]
fn recurring_puts_have_its_defaults_unless_they_say_otherwise() {
    let server = Server::start();
    let client = server.client();
    let kind = welcome().delay_ms(60_000);
    let plain = kind.put_recurring(&client, "[1.0]", 5_000, |job| job.jid("plain")).unwrap();
    let own = kind.put_recurring(&client, "2", 7_000, |job| job.jid("own").priority(0).route(["s"])).unwrap();
    assert_eq!((plain.kind.as_str(), plain.data.as_str(), plain.queue.as_str()), ("welcome", "[1.0]", "q"));
    assert_eq!((plain.interval_ms, plain.priority, plain.retries), (5_000, 3, 2));
    assert_eq!((&plain.tags, &plain.throttles), (&vec!["mail".to_owned()], &vec!["t".to_owned()]));
    assert_eq!((&plain.route, plain.headers["from"].as_str()), (&vec!["r".to_owned()], "kind"));
    assert_eq!((own.interval_ms, own.priority, own.retries, own.route), (7_000, 0, 2, vec!["s".to_owned()]));
    let elsewhere = client.queue("other").put_recurring(kind.recurring("null", 1).jid("elsewhere")).unwrap();
    assert_eq!((elsewhere.queue.as_str(), elsewhere.retries), ("other", 2));
    let error = JobKind::new("resize").put_recurring(&client, "null", 1, |job| job).unwrap_err();
    let said = (error.code, error.message.as_str(), error.operation.as_deref());
    assert_eq!(said, (Code::InvalidArgument, "queue is missing: resize has no default", Some("recurring_put")));
    let filled = kind.fill_recurring(r#"{"kind":"welcome","interval_ms":5,"jid":"filled","retries":0}"#);
    client.call("recurring_put", &filled).unwrap();
    let filled = client.recurring("filled").unwrap().unwrap();
    assert_eq!((filled.queue.as_str(), filled.priority, filled.retries), ("q", 3, 0));
}

#[test]
fn a_put_without_any_queue_is_refused() {
    let client = Client::open(Some("unix:///nowhere/redis.sock"), "").unwrap();
    let error = JobKind::new("resize").put(&client, "null").unwrap_err();
    let said = (error.code, error.message.as_str(), error.operation.as_deref());
    assert_eq!(said, (Code::InvalidArgument, "queue is missing: resize has no default", Some("queue_put")));
}

#[test]
fn what_no_put_could_have_is_refused_at_its_definition() {
    let refused = |kind: JobKind| kind.checked().unwrap_err().message;
    assert_eq!(refused(JobKind::new("")), "kind is empty");
    assert_eq!(refused(welcome().priority(128)), "priority 128 is outside -128..127");
    assert_eq!(refused(JobKind::new("k").retries(256)), "retries 256 is outside 0..255");
    assert_eq!(refused(JobKind::new("k").queue("a\n")), "queue has a control character at byte 1");
    assert!(refused(JobKind::new("k").timeout(Duration::from_micros(999))).starts_with("timeout 0 is outside 1.."));
    let refused = |json| JobKind::from_json("k", json).unwrap_err().message;
    assert_eq!(refused(r#"{"retries":-1}"#), "retries -1 is outside 0..255");
    assert_eq!(refused(r#"{"jid":"a"}"#), "options.jid is of one job, not of a kind");
    assert_eq!(refused(r#"{"colour":1}"#), "options.colour is unknown");
    assert!(refused(r#"{"timeout_ms":0}"#).starts_with("options.timeout_ms 0 is outside 1.."));
    let worker = Worker::open(&Client::open(Some("unix:///nowhere/redis.sock"), "").unwrap(), r#"{"queues":["q"]}"#);
    let error = worker.unwrap().perform(&JobKind::new("k").retries(256), |_| Outcome::DONE).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
}

#[test]
fn json_says_the_same() {
    let json = r#"{"queue":"q","priority":3,"retries":2,"tags":["mail"],"route":["r"],"throttles":["t"],
        "headers":{"from":"kind"},"delay_ms":0,"timeout_ms":null}"#;
    let kind = JobKind::from_json("welcome", json).unwrap();
    assert_eq!(kind.job("1"), welcome().job("1"));
    assert_eq!(kind.default_queue(), Some("q"));
    assert_eq!(JobKind::from_json("k", "").unwrap().job("null"), Put::new("k"));
    let filled = kind.fill(r#"{"priority": 0, "tags": [], "retries": null, "jid": "a", "missing": "reject"}"#);
    let expected = welcome().job("null").priority(0).tags(Vec::<String>::new()).jid("a").missing(Missing::Reject);
    assert_eq!(Put::new("welcome").queue("q").with_options(&filled).unwrap(), expected);
    assert!(kind.fill_job(r#"{"kind":"welcome","data":[1.50]}"#).contains(r#""data":[1.50],"#));
    assert!(kind.fill_job(r#"{"queue":null}"#).contains(r#""queue":"q""#));
    assert!(kind.fill_job(r#"{"queue":"r"}"#).contains(r#""queue":"r""#));
    assert_eq!((kind.fill("[1"), kind.fill("[]")), ("[1".to_owned(), "[]".to_owned()));
}

#[test]
fn a_worker_serves_its_handlers_and_says_so() {
    let server = Server::start();
    let client = server.client();
    let (greet, resize) = (JobKind::new("greet").queue("q"), JobKind::new("resize").queue("q"));
    let jids = [&greet, &resize, &JobKind::new("other").queue("q")].map(|kind| kind.put(&client, "1").unwrap().jid);
    let said = |text: &str| Outcome::completed(Some(&format!("\"{text}\"")), "").unwrap();
    let worker = worker(&client, r#","kinds":["mine"],"max_jobs":3"#)
        .perform(&greet, |_| panic!("this one is replaced"))
        .unwrap();
    let worker = worker.perform(&greet, move |_| said("hello")).unwrap();
    let worker = worker.perform(&resize, move |job| said(&format!("resized {}", job.data))).unwrap();
    worker.serve().unwrap();
    let status = client.workers(0, 10).unwrap().items.remove(0).status;
    assert_eq!(member(&status.unwrap(), "/kinds"), serde_json::json!(["mine", "greet", "resize"]));
    worker.stop(LONG).unwrap();
    let states = jids.each_ref().map(|jid| view(&client, jid, "/state"));
    assert_eq!(states, ["completed", "completed", "failed"]);
    let results = [&jids[0], &jids[1]].map(|jid| view(&client, jid, "/result"));
    assert_eq!(results, ["hello", "resized 1"]);
    assert_eq!(view(&client, &jids[2], "/failure/group"), "unknown-kind:other");
}

#[test]
fn its_rules_say_what_follows_an_error_whoever_performs() {
    let server = Server::start();
    let client = server.client();
    let rules = RetryRules::new().discard_on("Gone").retry_on("Busy", Backoff::fixed(MINUTE * 10));
    let kind = JobKind::new("k").queue("q").rules(rules.otherwise(Backoff::list([MINUTE, MINUTE * 2])));
    let jids = ["Gone", "Busy", "Else", "Asked"].map(|class| kind.put(&client, format!("\"{class}\"")).unwrap().jid);
    let free = client.queue("q").put(Put::new("free").data("\"Gone\"")).unwrap().jid;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let worker = worker(&client, "").hooked(Failures(Arc::clone(&heard)));
    worker.define(&kind).unwrap();
    for _ in 0..5 {
        let job = next(&worker);
        let outcome = match job.data.trim_matches('"') {
            "Asked" => Outcome::retry(1_200_000),
            class => Outcome::thrown(class, "on purpose"),
        };
        finish(&worker, &job, outcome);
    }
    worker.stop(LONG).unwrap();
    assert_eq!(view(&client, &jids[0], "/failure/group"), "k:Gone");
    assert_eq!(view(&client, &jids[0], "/state"), "failed");
    let minutes = |jid: &str| (due_in(&client, jid) / 60_000.0).ceil();
    assert_eq!([&jids[1], &jids[2], &jids[3], &free].map(|jid| minutes(jid)), [10.0, 1.0, 20.0, 1.0]);
    assert!(due_in(&client, &free) < 5_000.0, "a kind of which nothing was said waits as ever");
    assert_eq!(*heard.lock().unwrap(), ["error", "error", "error", "error"], "hooks hear of the error itself");
}

/// Keeps the outcomes of failures.
struct Failures(Arc<Mutex<Vec<&'static str>>>);

impl Hooks for Failures {
    fn on_failure(&self, _run: &Run<'_>, outcome: &Outcome, _took: Duration) {
        self.0.lock().unwrap().push(outcome.name());
    }
}

#[test]
fn rules_around_the_handler_come_before_its_own() {
    let server = Server::start();
    let client = server.client();
    let kind = JobKind::new("k").queue("q").backoff(Backoff::fixed(MINUTE));
    let jids = ["Named", "Else"].map(|class| kind.put(&client, format!("\"{class}\"")).unwrap().jid);
    let around = RetryRules::new().retry_on("Named", Backoff::fixed(MINUTE * 10));
    let worker = worker(&client, r#","max_jobs":2"#).with(around);
    let worker = worker.perform(&kind, |job| Outcome::thrown(job.data.trim_matches('"'), "on purpose")).unwrap();
    worker.serve().unwrap();
    worker.stop(LONG).unwrap();
    assert_eq!(jids.each_ref().map(|jid| (due_in(&client, jid) / 60_000.0).ceil()), [10.0, 1.0]);
}

#[test]
fn its_timeout_is_that_of_its_runs_unless_the_worker_names_the_kind() {
    let server = Server::start();
    let client = server.client();
    let [short, named, free] = ["short", "named", "free"].map(|name| JobKind::new(name).queue("q"));
    let jids = [&short, &named, &free].map(|kind| kind.put(&client, "null").unwrap().jid);
    let worker = worker(&client, r#","threads":3,"timeout_ms":3600000,"timeouts":{"named":3600000}"#);
    worker.define(&short.timeout(Duration::from_millis(1))).unwrap();
    worker.define(&named.timeout(Duration::from_millis(1))).unwrap();
    let jobs = [next(&worker), next(&worker), next(&worker)];
    let told = || worker.take_interrupt().map(|interrupt| (interrupt.jid, interrupt.reason));
    let first = std::cell::RefCell::new(None);
    until("a handler is told that its time is over", || {
        let told = told();
        let came = told.is_some();
        first.replace(told);
        came
    });
    assert_eq!(first.into_inner(), Some((jids[0].clone(), "timeout".to_owned())));
    assert_eq!(told(), None);
    for job in &jobs {
        finish(&worker, job, Outcome::DONE);
    }
    worker.stop(LONG).unwrap();
}

#[test]
fn a_puts_own_timeout_and_backoff_come_before_all() {
    let server = Server::start();
    let client = server.client();
    let rules = RetryRules::new().retry_on("Busy", Backoff::fixed(MINUTE * 10)).otherwise(Backoff::fixed(MINUTE * 20));
    let kind = JobKind::new("k").queue("q").timeout(MINUTE * 60).rules(rules);
    let own = |job: Put| job.timeout_ms(1).backoff(Backoff::list([MINUTE, MINUTE * 2])).route(["q"]);
    let late = kind.put_with(&client, "\"late\"", own).unwrap().jid;
    let busy = kind.put_with(&client, "\"Busy\"", |job| job.backoff(Backoff::fixed(MINUTE))).unwrap().jid;
    let free =
        client.queue("q").put(Put::new("free").data("\"Else\"").backoff(Backoff::fixed(MINUTE * 3))).unwrap().jid;
    let plain = kind.put(&client, "\"Else\"").unwrap().jid;
    let worker = worker(&client, r#","threads":4,"timeouts":{"k":3600000}"#);
    worker.define(&kind).unwrap();
    let jobs = [next(&worker), next(&worker), next(&worker), next(&worker)];
    assert_eq!((jobs[0].timeout_ms, jobs[3].timeout_ms), (Some(1), None));
    let interrupted = std::cell::RefCell::new(None);
    until("a handler is told that its time is over", || {
        interrupted.replace(worker.take_interrupt().map(|interrupt| (interrupt.jid, interrupt.reason)));
        interrupted.borrow().is_some()
    });
    assert_eq!(interrupted.into_inner(), Some((late.clone(), "timeout".to_owned())));
    for job in &jobs {
        finish(&worker, job, Outcome::thrown(job.data.trim_matches('"'), "on purpose"));
    }
    worker.stop(LONG).unwrap();
    let minutes = [&late, &busy, &free, &plain].map(|jid| (due_in(&client, jid) / 60_000.0).ceil());
    assert_eq!(minutes, [1.0, 10.0, 3.0, 20.0]);
}

#[test]
fn a_puts_own_backoff_comes_after_the_rules_that_name_a_class_wherever_they_are() {
    let server = Server::start();
    let client = server.client();
    let kind = JobKind::new("k").queue("q").rules(RetryRules::new().retry_on("Busy", Backoff::fixed(MINUTE * 10)));
    let around =
        RetryRules::new().retry_on("Named", Backoff::fixed(MINUTE * 20)).otherwise(Backoff::fixed(MINUTE * 30));
    let own = |job: Put| job.backoff(Backoff::fixed(MINUTE));
    let put = |class: &str| kind.put_with(&client, format!("\"{class}\""), own).unwrap().jid;
    let jids = ["Named", "Busy", "Else"].map(put);
    let plain = kind.put(&client, "\"Else\"").unwrap().jid;
    let worker = worker(&client, r#","max_jobs":4"#).with(around);
    let worker = worker.perform(&kind, |job| Outcome::thrown(job.data.trim_matches('"'), "on purpose")).unwrap();
    worker.serve().unwrap();
    worker.stop(LONG).unwrap();
    let minutes = |jid: &str| (due_in(&client, jid) / 60_000.0).ceil();
    assert_eq!(jids.each_ref().map(|jid| minutes(jid)), [20.0, 10.0, 1.0]);
    assert_eq!(minutes(&plain), 30.0);
}
