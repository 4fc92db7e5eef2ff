//! Every operation once, typed and through the door.

use manyhands::ops::{Completion, Ended, Failure, JobComplete, JobFail, JobHeartbeat, JobRelease, Lease, OnConflict};
use manyhands::{Answer, Code, Put};

use crate::support::{Server, member};

#[test]
fn a_job_lives_from_put_to_completed() {
    let server = Server::start();
    let client = server.client();
    let queue = client.queue("mail");
    let data = r#"{"to": "é😀", "n": 12345678901234567890, "x": 1.0}"#;
    let placed = queue.put(Put::new("send").data(data).priority(5).tags(["a"]).route(["archive"])).unwrap();
    assert_eq!((placed.jid.len(), placed.outcome.as_str()), (32, "put"));
    assert_eq!(queue.counts().unwrap().waiting, 1);
    assert!(queue.reserve(0).unwrap_err().message.starts_with("limit 0"));

    let reserved = queue.reserve(10).unwrap();
    let job = &reserved.jobs[0];
    assert_eq!((job.jid.as_str(), job.kind.as_str(), job.data.as_str()), (placed.jid.as_str(), "send", data));
    assert_eq!((job.priority, job.lease_ms), (5, 60_000));
    assert_eq!((job.tags.clone(), job.route.clone()), (vec!["a".to_owned()], vec!["archive".to_owned()]));

    let lease = || Lease { jid: job.jid.clone(), token: job.token.clone() };
    assert_eq!(client.send(JobHeartbeat { jobs: vec![lease()] }).unwrap(), vec![Ok(60_000)]);
    let ended = |how| Ended { jid: job.jid.clone(), token: job.token.clone(), run_ms: 7, how };
    let completion = Completion { result: Some("[1]".into()), ..Completion::default() };
    let answers = client.send(JobComplete { jobs: vec![ended(completion.clone())] }).unwrap();
    assert_eq!(answers, vec![Answer::State("waiting".into())]);

    let stale = client.send(JobComplete { jobs: vec![ended(completion.clone())] }).unwrap();
    assert!(matches!(&stale[0], Answer::LockLost(_)), "{stale:?}");

    let next = client.queue("archive").reserve(1).unwrap().jobs.remove(0);
    let ended = Ended { jid: next.jid.clone(), token: next.token.clone(), run_ms: 1, how: completion };
    assert_eq!(client.send(JobComplete { jobs: vec![ended] }).unwrap(), vec![Answer::State("completed".into())]);
    let view = client.job(&placed.jid).unwrap().expect("a completed job can still be looked at");
    assert_eq!((view.state.as_str(), view.data.as_str(), view.result.as_deref()), ("completed", data, Some("[1]")));
    assert_eq!((view.priority, view.retries, view.remaining, view.failure), (5, 5, 5, None));
    let happened: Vec<_> = view.history.iter().map(|event| (event.what.as_str(), event.queue.as_deref())).collect();
    let (put, rest) = (|queue| ("put", Some(queue)), [("reserved", None), ("completed", None)]);
    assert_eq!(happened, [put("mail"), rest[0], rest[1], put("archive"), rest[0], rest[1]]);
}

#[test]
fn fail_and_release() {
    let server = Server::start();
    let client = server.client();
    let queue = client.queue("q");
    queue.put_many([Put::new("k").jid("a"), Put::new("k").jid("b")]).unwrap();
    let jobs = queue.reserve(2).unwrap().jobs;
    let how = Failure { group: "bad".into(), message: "it broke".into(), trace: String::new() };
    let ended = Ended { jid: "a".into(), token: jobs[0].token.clone(), run_ms: 1, how };
    assert_eq!(client.send(JobFail { jobs: vec![ended] }).unwrap(), vec![Answer::State("failed".into())]);
    let lease = Lease { jid: "b".into(), token: jobs[1].token.clone() };
    assert_eq!(client.send(JobRelease { jobs: vec![lease] }).unwrap(), vec![Answer::State("waiting".into())]);
    let failure = client.job("a").unwrap().and_then(|job| job.failure).expect("it failed");
    assert_eq!((failure.group.as_str(), failure.message.as_str()), ("bad", "it broke"));
    assert_eq!(client.job("none").unwrap(), None);
    assert_eq!(client.job("").unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn settings_of_all_queues_and_of_one() {
    let server = Server::start();
    let config = server.client().config();
    assert_eq!(config.get("heartbeat", None).unwrap(), Some(60_000));
    config.set("heartbeat", Some(2_000), Some("fast")).unwrap();
    assert_eq!(config.get("heartbeat", Some("fast")).unwrap(), Some(2_000));
    assert_eq!(config.get("heartbeat", Some("slow")).unwrap(), Some(60_000));
    config.set("heartbeat", None, Some("fast")).unwrap();
    assert_eq!(config.get("heartbeat", Some("fast")).unwrap(), Some(60_000));
    assert_eq!(config.get("test-clock", None).unwrap(), None);
    let error = config.set("heartbeat", Some(5), None).unwrap_err();
    assert_eq!((error.code, error.message.contains("heartbeat")), (Code::InvalidArgument, true), "{error}");
}

#[test]
fn conflicts_are_answered_or_raised() {
    let server = Server::start();
    let queue = server.client().queue("q");
    let job = || Put::new("k").jid("same");
    assert_eq!(queue.put(job()).unwrap().outcome, "put");
    assert_eq!(queue.put(job()).unwrap().outcome, "replaced");
    assert_eq!(queue.put(job().on_conflict(OnConflict::Keep)).unwrap().outcome, "kept");
    let error = queue.put(job().on_conflict(OnConflict::Reject)).unwrap_err();
    assert_eq!((error.code, error.jid.as_deref()), (Code::JobExists, Some("same")));
    assert_eq!(error.operation.as_deref(), Some("queue_put"));
}

#[test]
fn the_door_speaks_json() {
    let server = Server::start();
    let client = server.client();
    let call = |operation: &str, args: &str| client.call(operation, args).unwrap();
    let placed = call(
        "queue_put",
        r#"{"jobs":[{"queue":"q","kind":"k","jid":"a","data":{"x":[1, 2]},"delay_ms":0,"retries":2},{"queue":"q","kind":"k","jid":"b"}]}"#,
    );
    assert_eq!(placed, r#"[{"jid":"a","outcome":"put","satisfied":[]},{"jid":"b","outcome":"put","satisfied":[]}]"#);
    let reserved = call("queue_reserve", r#"{"queues":["q"],"limit":2,"worker":"w"}"#);
    assert!(reserved.contains(r#""data":{"x":[1, 2]}"#), "{reserved}");
    assert_eq!(member(&reserved, "/jobs/1/data"), serde_json::Value::Null);
    assert_eq!(member(&reserved, "/jobs/0/worker"), "w");
    let token = member(&reserved, "/jobs/0/token").as_str().unwrap().to_owned();
    let item = |jid: &str, token: &str, more: &str| format!(r#"{{"jid":"{jid}","token":"{token}"{more}}}"#);
    let jobs = |items: &[String]| format!(r#"{{"jobs":[{}]}}"#, items.join(","));
    let beat = call("job_heartbeat", &jobs(&[item("a", &token, ""), item("b", "1", "")]));
    assert_eq!(member(&beat, "/0/lease_ms"), 60_000);
    assert_eq!(member(&beat, "/1/error/name"), "LOCK_LOST");
    let ended = call("job_complete", &jobs(&[item("a", &token, r#","run_ms":3,"result":null"#), item("b", "1", "")]));
    assert_eq!(member(&ended, "/0/outcome"), "completed");
    assert_eq!(member(&ended, "/1/error/code"), 201);
    assert_eq!(member(&ended, "/1/error/operation"), "job_complete");
    let snoozed = call("job_snooze", &jobs(&[item("b", &token, r#","delay_ms":60000"#)]));
    assert_eq!(member(&snoozed, "/0/outcome"), "scheduled");
    let counts = call("queue_counts", r#"{"queue":"q"}"#);
    assert_eq!((member(&counts, "/scheduled"), member(&counts, "/paused")), (1.into(), false.into()));
    assert_eq!(member(&call("queue_stats", r#"{"queue":"q"}"#), "/run/count"), 1);
    call("config_set", r#"{"name":"heartbeat","value":2.5,"unit":"s","queue":"q"}"#);
    assert_eq!(call("config_get", r#"{"name":"heartbeat","queue":"q"}"#), "2500");
    assert_eq!(member(&call("sweep", "{}"), "/moved"), 0);
    assert_eq!(member(&call("engine_version", "{}"), "/major"), 1);
}

const GOOD: &str = r#"{"queue":"q","kind":"k"}"#;

#[test]
fn arguments_are_refused_by_name_before_anything_is_sent() {
    let server = Server::start();
    let client = server.client();
    let long = "x".repeat(300);
    for (operation, args, words) in [
        ("queue_put", r#"{"jobs":[{"queue":"","kind":"k"}]}"#.to_owned(), "queue is empty"),
        ("queue_put", format!(r#"{{"jobs":[{{"queue":"q","kind":"k","jid":"{long}"}}]}}"#), "jid has 300 bytes"),
        (
            "queue_put",
            r#"{"jobs":[{"queue":"q","kind":"k","priority":5000}]}"#.into(),
            "priority 5000 is outside -128..127",
        ),
        ("queue_put", r#"{"jobs":[{"queue":"q","kind":"k","delay_ms":-1}]}"#.into(), "delay_ms -1 is negative"),
        ("queue_put", r#"{"jobs":[{"queue":"q","kind":"k","colour":1}]}"#.into(), "colour is unknown"),
        ("queue_put", r#"{"jobs":[{"queue":"q","kind":"k","data":NaN}]}"#.into(), "jobs[0].data is not JSON"),
        ("queue_put", r#"{"jobs":[7]}"#.into(), "jobs[0] must be a JSON object"),
        ("queue_put", r#"{"jobs":[{"kind":"k"}]}"#.into(), "queue is missing"),
        ("queue_put", format!(r#"{{"jobs":[{GOOD},{{"queue":"q","kind":7}}]}}"#), "jobs[1].kind 7 is not a text"),
        ("queue_put", format!(r#"{{"jobs":[{GOOD},{{"queue":"q","kind":""}}]}}"#), "jobs[1].kind is empty"),
        (
            "queue_put",
            format!(r#"{{"jobs":[{GOOD},{{"queue":"q","kind":"k","priority":128}}]}}"#),
            "jobs[1].priority 128 ",
        ),
        ("queue_put", r#"{"jobs":[]}"#.into(), "jobs is empty"),
        ("queue_put", r#"{"jobs":[{"queue":"q","kind":"k","on_conflict":"fight"}]}"#.into(), "on_conflict \"fight\""),
        ("queue_reserve", r#"{"queues":[]}"#.into(), "queues is empty"),
        ("queue_reserve", r#"{"queues":["q"],"limit":1001}"#.into(), "limit 1001"),
        ("job_complete", r#"{"jobs":[{"jid":"a","token":"x"}]}"#.into(), "token \"x\""),
        ("job_complete", r#"{"jobs":[{"jid":"a"}]}"#.into(), "token is missing"),
        ("job_get", "[]".into(), "the arguments must be a JSON object"),
        ("job_get", r#"{"jid":"a","x":1}"#.into(), "args has the unknown key x"),
    ] {
        let error = client.call(operation, &args).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument, "{operation} {args}: {error}");
        assert!(error.message.starts_with(words), "{operation} {args}: {error}");
        assert_eq!(error.operation.as_deref(), Some(operation));
    }
    let unknown = client.call("queue_pop", "{}").unwrap_err();
    assert_eq!((unknown.code, unknown.operation.as_deref()), (Code::UnknownOperation, Some("queue_pop")));
    for (queue, worker, limit, words) in [
        ("", None, 1, "queue is empty"),
        ("q", Some(""), 1, "worker is empty"),
        ("q", None, 0, "limit 0 is outside 1..250"),
    ] {
        let error = client.queue(queue).reserve_as(worker, limit).unwrap_err();
        assert_eq!((error.message.as_str(), error.operation.as_deref()), (words, Some("queue_reserve")));
    }
    assert_eq!(client.queue("q").counts().unwrap().waiting, 0);
}

#[test]
fn a_waiter_is_woken_by_a_put_and_by_unblock() {
    let server = Server::start();
    let client = server.client();
    let mut lane = client.lane();
    let key = vec!["{mh}:wake:q".to_owned()];
    client.queue("q").put(Put::new("k")).unwrap();
    let minute = std::time::Duration::from_secs(60);
    assert_eq!(lane.block_pop(&key, minute).unwrap().as_deref(), Some("{mh}:wake:q"));
    assert_eq!(lane.block_pop(&key, std::time::Duration::ZERO).unwrap(), None);
    let id = lane.client_id().unwrap();
    let waiter = std::thread::spawn(move || lane.block_pop(&key, minute).unwrap());
    while !client.lane().unblock(id).unwrap() {
        std::thread::yield_now();
    }
    assert_eq!(waiter.join().unwrap(), None);
}

#[test]
fn many_threads_share_a_client() {
    let server = Server::start();
    let client = server.client();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    client.queue("q").put(Put::new("k")).unwrap();
                }
            });
        }
    });
    assert_eq!(client.queue("q").counts().unwrap().waiting, 400);
}
