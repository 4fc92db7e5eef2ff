//! The typed operations, each once, against the engine.

use std::collections::BTreeMap;

use manyhands::ops::{Completion, Ended, JobComplete};
use manyhands::ops::{Failure, JobFail, Missing};
use manyhands::{
    Answer, Client, Code, Error, Job, PatternPriority, Put, Reason, Recurring, RecurringPut, RecurringUpdate, Requeue,
    Setting,
};

use crate::support::Server;

fn put(client: &Client, queue: &str, jids: &[&str]) {
    client.queue(queue).put_many(jids.iter().map(|jid| Put::new("k").jid(*jid))).unwrap();
}

fn take(client: &Client, queue: &str) -> Job {
    client.queue(queue).reserve_as(Some("w"), 1).unwrap().jobs.remove(0)
}

fn complete(client: &Client, job: &Job) {
    let how = Completion::default();
    let ended = Ended { jid: job.jid.clone(), token: job.token.clone(), run_ms: 1, how };
    assert_eq!(client.send(JobComplete { jobs: vec![ended] }).unwrap(), [Answer::State("completed".into())]);
}

fn fail(client: &Client, job: &Job, group: &str) {
    let how = Failure { group: group.into(), message: "it broke".into(), trace: String::new() };
    let ended = Ended { jid: job.jid.clone(), token: job.token.clone(), run_ms: 1, how };
    assert_eq!(client.send(JobFail { jobs: vec![ended] }).unwrap(), [Answer::State("failed".into())]);
}

fn state(client: &Client, jid: &str) -> String {
    client.job(jid).unwrap().map_or("none".to_owned(), |job| job.state)
}

fn refused<T>(result: Result<T, Error>) -> (Code, Option<String>) {
    let error = result.err().expect("refused");
    (error.code, error.operation)
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn many_jobs_are_got_cancelled_and_tracked() {
    let server = Server::start();
    let client = server.client();
    put(&client, "q", &["a", "b", "c"]);
    let jobs = client.jobs(["b", "none", "a"]).unwrap();
    let jids: Vec<_> = jobs.iter().map(|job| job.as_ref().map(|job| job.jid.as_str())).collect();
    assert_eq!(jids, [Some("b"), None, Some("a")]);
    assert_eq!(client.track(["b", "a", "none"]).unwrap(), 2);
    assert!(!client.handle("a").track().unwrap());
    let page = client.tracked(0, 1).unwrap();
    assert_eq!((page.total, page.items), (2, texts(&["a"])));
    assert!(client.job("a").unwrap().unwrap().tracked);
    assert_eq!(client.untrack(["a"]).unwrap(), 1);
    assert!(client.handle("b").untrack().unwrap());
    assert_eq!(client.cancel(["a", "none", "c"]).unwrap(), ["a", "c"]);
    assert!(client.handle("b").cancel().unwrap() && !client.handle("b").cancel().unwrap());
    assert_eq!(client.queue("q").length().unwrap(), 0);
    client.queue("q").put_many([Put::new("k").jid("a"), Put::new("k").jid("b").dependencies(["a"])]).unwrap();
    assert_eq!(refused(client.cancel(["a"])), (Code::HasDependents, Some("job_cancel".into())));
    assert_eq!(refused(client.jobs([""])).0, Code::InvalidArgument);
}

#[test]
fn large_jobs_come_in_several_replies() {
    let server = Server::start();
    let client = server.client();
    let data = format!("\"{}\"", "x".repeat(1_000_000));
    let jids: Vec<String> = (0..12).map(|number| format!("j{number:02}")).collect();
    for jid in &jids {
        client.queue("q").put(Put::new("k").jid(jid).data(&data)).unwrap();
    }
    let jobs = client.jobs(jids.clone()).unwrap();
    assert_eq!(jobs.iter().map(|job| job.as_ref().unwrap().jid.clone()).collect::<Vec<_>>(), jids);
    let peeked = client.queue("q").peek(1, 250).unwrap();
    assert_eq!(peeked.iter().map(|job| job.jid.as_str()).collect::<Vec<_>>(), jids[1..]);
    assert!(peeked.iter().all(|job| job.data == data));
}

#[test]
fn a_queue_is_paused_listed_and_forgotten() {
    let server = Server::start();
    let client = server.client();
    let queue = client.queue("q");
    // Queues are in the order of milliseconds.
    for (now, name, jids) in [(1_000_000, "q", &["a", "b"][..]), (1_000_001, "other", &["c"])] {
        client.call("config_set", &format!("{{\"name\":\"test-clock\",\"value\":{now}}}")).unwrap();
        put(&client, name, jids);
    }
    assert!(queue.pause().unwrap() && !queue.pause().unwrap());
    assert!(queue.counts().unwrap().paused && queue.reserve(1).unwrap().jobs.is_empty());
    assert!(queue.unpause().unwrap() && !queue.unpause().unwrap());
    let page = client.queues(0, 25).unwrap();
    let queues: Vec<_> = page.items.iter().map(|queue| (queue.name.as_str(), queue.counts.waiting)).collect();
    assert_eq!((page.total, queues), (2, vec![("q", 2), ("other", 1)]));
    assert_eq!(queue.jobs("waiting", 0, 25).unwrap().items, ["a", "b"]);
    assert_eq!(refused(queue.jobs("sleeping", 0, 25)), (Code::InvalidArgument, Some("job_list".into())));
    assert_eq!(refused(queue.forget()), (Code::WrongState, Some("queue_forget".into())));
    client.cancel(["a", "b"]).unwrap();
    assert!(queue.forget().unwrap() && !queue.forget().unwrap());
    assert_eq!(client.queues(0, 25).unwrap().total, 1);
    let job = take(&client, "other");
    complete(&client, &job);
    assert_eq!(client.completed(0, 25).unwrap().items, ["c"]);
}

#[test]
fn a_waiting_job_is_changed() {
    let server = Server::start();
    let client = server.client();
    put(&client, "q", &["a", "b"]);
    let job = client.handle("b");
    job.prioritize(7).unwrap();
    assert_eq!(client.queue("q").jobs("waiting", 0, 25).unwrap().items, ["b", "a"]);
    assert_eq!(job.tag(["x", "y"]).unwrap(), ["x", "y"]);
    assert_eq!(job.untag(["x", "unknown"]).unwrap(), ["y"]);
    assert_eq!(client.tagged("y", 0, 25).unwrap().items, ["b"]);
    assert_eq!(client.tags(0, 25).unwrap().items, [("y".to_owned(), 1)]);
    assert_eq!(job.depend(["a", "unknown"], Missing::Satisfied).unwrap(), ["unknown"]);
    let view = job.view().unwrap().unwrap();
    assert_eq!((view.state.as_str(), view.dependencies), ("blocked", texts(&["a"])));
    assert_eq!(client.job("a").unwrap().unwrap().dependents, ["b"]);
    assert_eq!(refused(job.depend(["unknown"], Missing::Reject)).0, Code::UnknownDependency);
    assert_eq!(refused(client.handle("a").depend(["b"], Missing::Satisfied)).0, Code::Cycle);
    assert_eq!(job.undepend(["a"]).unwrap(), "waiting");
    job.depend(["a"], Missing::Reject).unwrap();
    assert_eq!(job.undepend_all().unwrap(), "waiting");
    let changes = Requeue {
        queue: Some("r".into()),
        data: Some(r#"{"x": 1.0}"#.into()),
        delay_ms: Some(60_000),
        priority: Some(-3),
        retries: Some(1),
        tags: Some(texts(&["z"])),
        route: Some(texts(&["s"])),
        throttles: Some(texts(&["t"])),
        ..Requeue::default()
    };
    assert_eq!(job.requeue(changes).unwrap(), "scheduled");
    let view = job.view().unwrap().unwrap();
    assert_eq!((view.queue.as_str(), view.data.as_str(), view.priority, view.retries), ("r", r#"{"x": 1.0}"#, -3, 1));
    assert_eq!((view.tags, view.route, view.throttles), (texts(&["z"]), texts(&["s"]), texts(&["t"])));
    assert_eq!(job.requeue(Requeue { dependencies: Some(texts(&["a"])), ..Requeue::default() }).unwrap(), "blocked");
    let bad = Requeue { data: Some("NaN".into()), ..Requeue::default() };
    assert_eq!(refused(job.requeue(bad)), (Code::InvalidArgument, Some("job_requeue".into())));
    assert_eq!(refused(client.handle("none").prioritize(1)), (Code::JobNotFound, Some("job_prioritize".into())));
}

#[test]
fn a_running_job_says_how_far_it_is() {
    let server = Server::start();
    let client = server.client();
    put(&client, "q", &["a"]);
    let job = take(&client, "q").handle(&client);
    job.log("begun", Some(r#"{"n": 1.0}"#)).unwrap();
    job.progress(0.25, "a quarter").unwrap();
    assert_eq!(job.save("[1.50]").unwrap(), 60_000);
    let view = job.view().unwrap().unwrap();
    let progress = view.progress.unwrap();
    assert_eq!((progress.value, progress.note.as_str(), view.data.as_str()), (0.25, "a quarter", "[1.50]"));
    let entry = view.history.last().unwrap();
    assert_eq!((entry.what.as_str(), entry.message.as_deref()), ("log", Some("begun")));
    assert_eq!(entry.data.as_deref(), Some(r#"{"n": 1.0}"#));
    assert_eq!(refused(job.progress(1.5, "")).0, Code::InvalidArgument);
    assert_eq!(refused(job.progress(f64::NAN, "")).0, Code::InvalidArgument);
    assert_eq!(refused(client.handle("a").save("1")), (Code::InvalidArgument, Some("job_save".into())));
    assert_eq!(job.timeout().unwrap(), "waiting");
    assert_eq!(refused(job.save("1")), (Code::LockLost, Some("job_save".into())));
    assert_eq!(refused(job.timeout()).0, Code::WrongState);
    client.handle("a").log("anybody may", None).unwrap();
    assert_eq!(refused(job.clone().with_token("1").log("late", None)).0, Code::LockLost);
}

#[test]
fn failed_jobs_wait_again() {
    let server = Server::start();
    let client = server.client();
    put(&client, "q", &["a", "b", "c"]);
    for group in ["bad", "bad", "worse"] {
        let job = take(&client, "q");
        fail(&client, &job, group);
    }
    let groups = client.failures(0, 25).unwrap();
    assert_eq!(groups.items, [("bad".to_owned(), 2), ("worse".to_owned(), 1)]);
    let bad = client.failure("bad");
    assert_eq!(bad.jobs(0, 25).unwrap().items, ["b", "a"]);
    assert_eq!(bad.unfail(None, 1).unwrap(), 1);
    assert_eq!(bad.unfail(Some("r"), 100).unwrap(), 1);
    assert_eq!((state(&client, "a"), client.job("b").unwrap().unwrap().queue), ("waiting".into(), "r".into()));
    assert_eq!((bad.name(), bad.jobs(0, 25).unwrap().total), ("bad", 0));
}

#[test]
fn why_a_job_does_not_run_is_explained() {
    let server = Server::start();
    let client = server.client();
    let why = |jid: &str| client.explain(jid).unwrap().unwrap();
    assert_eq!(client.explain("none").unwrap(), None);
    put(&client, "q", &["a", "b"]);
    assert_eq!((why("b").position, why("b").reasons), (Some(1), vec![Reason::NoWorker]));
    client.queue("q").pause().unwrap();
    assert!(why("a").reasons.contains(&Reason::Paused));
    client.queue("q").unpause().unwrap();
    let job = take(&client, "q");
    let reasons = client.handle("a").explain().unwrap().unwrap().reasons;
    assert!(matches!(&reasons[..], [Reason::Running { worker, lease_left_ms: 1.. }] if worker == "w"), "{reasons:?}");
    fail(&client, &job, "bad");
    assert_eq!(why("a").reasons, [Reason::Failed { group: "bad".into(), message: "it broke".into() }]);
    client.queue("q").put(Put::new("k").jid("c").dependencies(["a", "b"])).unwrap();
    let waits = Reason::Dependencies { count: 2, jids: texts(&["a", "b"]), failed: texts(&["a"]) };
    assert!(why("c").reasons.contains(&waits), "{:?}", why("c"));
    client.queue("q").put(Put::new("k").jid("d").delay_ms(60_000)).unwrap();
    assert!(matches!(why("d").reasons[0], Reason::Scheduled { due_in_ms: 1..=60_000 }), "{:?}", why("d"));
    complete(&client, &take(&client, "q"));
    assert!(matches!(why("b").reasons[..], [Reason::Completed { ago_ms: 0.. }]), "{:?}", why("b"));
    let throttle = client.throttle("t");
    throttle.set(1, None).unwrap();
    client.queue("r").put_many(["e", "f"].map(|jid| Put::new("k").jid(jid).throttles(["t"]))).unwrap();
    client.queue("r").reserve(2).unwrap();
    let full = Reason::Throttled { throttle: "t".into(), limit: 1, held: 1, holders: texts(&["e"]) };
    assert!(why("f").reasons.contains(&full), "{:?}", why("f"));
}

#[test]
fn throttles_limit_and_are_listed() {
    let server = Server::start();
    let client = server.client();
    let throttle = client.throttle("t");
    let view = throttle.view().unwrap();
    assert_eq!((view.id.as_deref(), view.limit, view.held), (Some("t"), None, 0));
    throttle.set(1, None).unwrap();
    client.queue("q").put_many(["a", "b", "c"].map(|jid| Put::new("k").jid(jid).throttles(["t"]))).unwrap();
    assert_eq!(client.queue("q").reserve(3).unwrap().jobs.len(), 1);
    let view = throttle.view().unwrap();
    assert_eq!((view.limit, view.held, view.expires_ms), (Some(1), 1, None));
    assert_eq!(throttle.holders(0, 25).unwrap().items, ["a"]);
    assert_eq!(throttle.pending(0, 25).unwrap().items.len() as u64, view.pending);
    assert!(throttle.release("a").unwrap() && !throttle.release("a").unwrap());
    assert_eq!(client.queue("q").reserve(3).unwrap().jobs.len(), 1);
    throttle.set(5, Some(60_000)).unwrap();
    assert!(matches!(throttle.view().unwrap().expires_ms, Some(1..=60_000)));
    let own = client.queue("q").throttle();
    own.set(0, None).unwrap();
    assert!(client.queue("q").reserve(3).unwrap().jobs.is_empty());
    assert_eq!(own.view().unwrap().queue.as_deref(), Some("q"));
    let listed = client.throttles(0, 25).unwrap();
    assert_eq!((listed.total, listed.items.len()), (2, 2));
    assert!(own.delete().unwrap() && !own.delete().unwrap());
    assert_eq!(client.queue("q").reserve(3).unwrap().jobs.len(), 1);
    assert_eq!(refused(throttle.set(-1, None)), (Code::InvalidArgument, Some("throttle_set".into())));
    assert_eq!(refused(own.release("a")).0, Code::InvalidArgument);
}

#[test]
fn recurring_jobs_are_put_changed_and_cancelled() {
    let server = Server::start();
    let client = server.client();
    let queue = client.queue("q");
    let hour = 3_600_000;
    let job = RecurringPut::new("k", hour).jid("r").data("[1.0]").priority(3).retries(2).tags(["x"]).throttles(["t"]);
    let recurring = queue.put_recurring(job.route(["s"]).backlog(4)).unwrap();
    let same = |one: &Recurring| (one.jid.clone(), one.interval_ms, one.backlog, one.data.clone(), one.priority);
    assert_eq!(same(&recurring), ("r".into(), hour as u64, 4, "[1.0]".into(), 3));
    let first = take(&client, "q");
    assert_eq!((first.jid.as_str(), first.parent.as_deref(), first.data.as_str()), ("r-1", Some("r"), "[1.0]"));
    assert_eq!((first.tags.clone(), first.throttles.clone()), (texts(&["x"]), texts(&["t"])));
    assert_eq!(client.job("r-1").unwrap().unwrap().parent.as_deref(), Some("r"));
    let listed = queue.recurring(0, 25).unwrap();
    assert_eq!((listed.total, listed.items[0].count), (1, 1));
    let changes = RecurringUpdate { interval_ms: Some(5_000), data: Some("{}".into()), ..RecurringUpdate::default() };
    let changed = recurring.update(changes).unwrap();
    assert_eq!((changed.interval_ms, changed.data.as_str(), changed.kind.as_str()), (5_000, "{}", "k"));
    assert_eq!(recurring.tag(["y"]).unwrap(), ["x", "y"]);
    assert_eq!(recurring.untag(["x"]).unwrap(), ["y"]);
    assert!(recurring.pause().unwrap() && !recurring.pause().unwrap());
    let paused = client.recurring("r").unwrap().unwrap();
    assert!(paused.paused && paused.next_at_ms.is_none());
    assert!(recurring.resume().unwrap() && !recurring.resume().unwrap());
    assert!(client.recurring("r").unwrap().unwrap().next_at_ms.is_some());
    assert!(recurring.cancel().unwrap() && !recurring.cancel().unwrap());
    assert!(client.recurring("r").unwrap().is_none());
    assert_eq!(refused(recurring.pause()), (Code::JobNotFound, Some("recurring_pause".into())));
    assert_eq!(refused(queue.put_recurring(RecurringPut::new("k", 0))).0, Code::InvalidArgument);
    assert_eq!(queue.put_recurring(RecurringPut::new("k", 1).offset_ms(hour)).unwrap().jid.len(), 32);
}

#[test]
fn workers_are_seen_and_dropped() {
    let server = Server::start();
    let client = server.client();
    let status = r#"{"language":"rust","version":"0","host":"h","pid":1,"threads":1,"queues":["q"],"kinds":["k"],"running":0,"quiet":false}"#;
    client.call("worker_pulse", &format!(r#"{{"worker":"w","status":{status},"jobs":[]}}"#)).unwrap();
    put(&client, "q", &["a"]);
    take(&client, "q");
    let page = client.workers(0, 25).unwrap();
    let worker = &page.items[0];
    assert_eq!((page.total, worker.name.as_str(), worker.lost, worker.running, worker.stalled), (1, "w", false, 1, 0));
    assert!(worker.status.as_ref().unwrap().contains(r#""language":"rust""#));
    let jobs = client.worker_jobs("w", 0, 25).unwrap();
    assert_eq!((jobs.total, jobs.stalled, jobs.jids), (1, 0, texts(&["a"])));
    assert_eq!(client.deregister(["w", "none"]).unwrap(), 1);
    assert_eq!(client.workers(0, 25).unwrap().total, 0);
}

#[test]
fn settings_are_listed_and_unset() {
    let server = Server::start();
    let config = server.client().config();
    config.set("heartbeat", Some(2_000), Some("q")).unwrap();
    config.set("jobs-history-count", Some(7), None).unwrap();
    config.set_events("all").unwrap();
    assert_eq!(config.events().unwrap(), "all");
    let all = config.all().unwrap();
    assert_eq!(all.values["jobs-history-count"], Setting::Number(7));
    assert_eq!((&all.values["test-clock"], &all.defaults["test-clock"]), (&Setting::Off, &Setting::Off));
    assert_eq!(all.defaults["jobs-history-count"], Setting::Number(50_000));
    assert_eq!(all.queues["q"]["heartbeat"], Setting::Number(2_000));
    assert_eq!(
        (all.values["events"].to_string(), all.defaults["events"].to_string()),
        ("all".into(), "tracked".into())
    );
    config.unset("heartbeat", Some("q")).unwrap();
    config.unset("events", None).unwrap();
    let all = config.all().unwrap();
    assert_eq!((config.events().unwrap().as_str(), all.queues.len()), ("tracked", 0));
    assert_eq!(refused(config.unset("colour", None)), (Code::InvalidArgument, Some("config_unset".into())));
    assert_eq!(refused(config.set_events("some")).0, Code::InvalidArgument);
}

#[test]
fn patterns_are_kept() {
    let server = Server::start();
    let patterns = server.client().patterns();
    assert_eq!(patterns.get().unwrap(), manyhands::PatternLists::default());
    let identifiers = BTreeMap::from([("mails".to_owned(), texts(&["mail-*"]))]);
    let priorities = vec![PatternPriority { patterns: texts(&["@mails", "*"]), fair: true }];
    patterns.set(Some(identifiers.clone()), None).unwrap();
    patterns.set(None, Some(priorities.clone())).unwrap();
    let lists = patterns.get().unwrap();
    assert_eq!((lists.identifiers, lists.priorities), (identifiers, priorities));
    assert_eq!(refused(patterns.set(None, None)), (Code::InvalidArgument, Some("pattern_set".into())));
}

#[test]
fn what_does_not_agree_is_found_and_mended() {
    let server = Server::start();
    let client = server.client();
    put(&client, "q", &["a", "b"]);
    let mut clean = client.check(false);
    assert!(clean.next().is_none() && clean.looked() > 0);
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("ZREM").arg("{mh}:waiting:q").arg("a").exec(&mut direct).unwrap();
    let found: Vec<_> = client.check(true).map(Result::unwrap).collect();
    assert!(
        found.iter().any(|one| one.rule == "missing" && one.jid.as_deref() == Some("a") && one.repaired),
        "{found:?}"
    );
    assert!(client.check(false).next().is_none());
    assert_eq!(client.queue("q").jobs("waiting", 0, 25).unwrap().items, ["a", "b"]);
    client.close();
    assert_eq!(client.check(false).next().unwrap().unwrap_err().code, Code::Closed);
}
