//! Subscriptions to events whose connection is cut: what is told meanwhile.

use std::time::{Duration, Instant};

use manyhands::{Client, Events, JobEvent};

use super::events::{direct, heard, kill_subscribers, listen, perform, put, subscribers, telling};
use crate::support::Server;

/// Events, each as its name and its job.
fn told(events: &Events, count: usize) -> Vec<String> {
    (0..count).map(|_| heard(events)).map(|event| format!("{} {}", event.event, event.jid)).collect()
}

fn nothing_more(events: &Events) {
    assert_eq!(events.next(Some(Duration::from_millis(30))).unwrap(), None);
}

/// Listens until it is known that something was missed, for the `count`th time.
fn missed(events: &Events, count: u64) {
    let begun = Instant::now();
    while events.gaps() < count {
        nothing_more(events);
        assert!(begun.elapsed() < Duration::from_secs(10), "no gap is counted");
    }
    assert_eq!(events.gaps(), count);
}

/// All that the stream has.
fn kept(server: &Server) -> Vec<JobEvent> {
    let entries: Vec<(String, Vec<String>)> =
        redis::cmd("XRANGE").arg(&["{mh}:events", "-", "+"]).query(&mut direct(server)).unwrap();
    let read = |(_, fields): &(String, Vec<String>)| {
        let event: serde_json::Value = serde_json::from_str(&fields[1]).unwrap();
        let text = |name: &str| event[name].as_str().map(str::to_owned);
        let [name, jid, queue, kind] = ["event", "jid", "queue", "kind"].map(|name| text(name).unwrap());
        JobEvent { event: name, jid, queue, kind, worker: text("worker"), at_ms: event["at_ms"].as_i64().unwrap() }
    };
    entries.iter().map(read).collect()
}

#[test]
fn what_is_told_while_the_connection_is_away_is_heard_from_the_stream() {
    let server = Server::start();
    let client = telling(&server);
    let all = listen(&client, &[], None);
    let some = listen(&client, &["completed", "put"], None);
    for round in 0..3 {
        assert_eq!(kill_subscribers(&server), 2);
        put(&client, &format!("a{round}"));
        perform(&client);
        put(&client, &format!("b{round}"));
        perform(&client);
        let expected: Vec<String> = ["put a", "reserved a", "completed a", "put b", "reserved b", "completed b"]
            .iter()
            .map(|event| format!("{event}{round}"))
            .collect();
        assert_eq!(told(&all, 6), expected);
        assert_eq!(told(&some, 4), [&expected[..1], &expected[2..4], &expected[5..]].concat());
        nothing_more(&all);
        nothing_more(&some);
        // By push again.
        put(&client, &format!("c{round}"));
        assert_eq!((told(&all, 1), told(&some, 1)), (vec![format!("put c{round}")], vec![format!("put c{round}")]));
        perform(&client);
        assert_eq!((told(&all, 2).len(), told(&some, 1)), (2, vec![format!("completed c{round}")]));
    }
    assert_eq!((all.gaps(), some.gaps()), (0, 0));
}

#[test]
fn a_worker_hears_of_its_jobs_from_the_stream_but_of_no_cancelled_one() {
    let server = Server::start();
    let client = telling(&server);
    let [only, other] = ["w", "v"].map(|worker| listen(&client, &[], Some(worker)));
    let both = listen(&client, &["waiting"], Some("w"));
    put(&client, "a");
    client.queue("q").reserve_as(Some("w"), 1).unwrap();
    kill_subscribers(&server);
    client.call("job_timeout", r#"{"jid":"a"}"#).unwrap();
    assert_eq!(told(&only, 1), ["lost a"]);
    assert_eq!(told(&both, 2), ["waiting a", "lost a"]);
    while subscribers(&server) < 3 {
        nothing_more(&other);
    }
    assert_eq!((only.gaps(), both.gaps(), other.gaps()), (0, 0, 0));
    client.queue("q").reserve_as(Some("w"), 1).unwrap();
    kill_subscribers(&server);
    client.call("job_cancel", r#"{"jids":["a"]}"#).unwrap();
    missed(&only, 1);
    missed(&both, 1);
}

#[test]
fn without_the_stream_what_was_missed_is_counted() {
    let server = Server::start();
    let client = server.client();
    let events = listen(&client, &[], None);
    for round in 1..=3 {
        put(&client, "a");
        client.call("job_track", r#"{"jids":["a"]}"#).unwrap();
        assert_eq!(told(&events, 1), ["track a"]);
        assert_eq!(kill_subscribers(&server), 1);
        client.call("job_untrack", r#"{"jids":["a"]}"#).unwrap();
        missed(&events, round);
    }
}

#[test]
fn a_stream_that_was_trimmed_or_began_later_tells_what_it_has() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &["put"], None);
    let trim = || redis::cmd("XTRIM").arg(&["{mh}:events", "MAXLEN", "1"]).exec(&mut direct(&server)).unwrap();
    for (round, before) in [0, 1].into_iter().enumerate() {
        (0..before).for_each(|number| put(&client, &format!("before {number}")));
        assert_eq!(told(&events, before).len(), before);
        kill_subscribers(&server);
        put(&client, &format!("lost {round}"));
        put(&client, &format!("kept {round}"));
        trim();
        assert_eq!(told(&events, 1), [format!("put kept {round}")]);
        assert_eq!(events.gaps(), round as u64 + 1);
    }
    client.call("config_set", r#"{"name":"events","value":null}"#).unwrap();
    kill_subscribers(&server);
    put(&client, "untold");
    missed(&events, 3);
    // Kept again, but not yet when the connection began.
    telling(&server);
    kill_subscribers(&server);
    put(&client, "too early");
    missed(&events, 4);
    put(&client, "a");
    assert_eq!(told(&events, 1), ["put a"]);
    kill_subscribers(&server);
    put(&client, "b");
    assert_eq!(told(&events, 1), ["put b"]);
    assert_eq!(events.gaps(), 4);
}

#[test]
fn a_server_that_forgot_everything_is_a_gap() {
    let mut server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &["put"], None);
    put(&client, "a");
    assert_eq!(told(&events, 1), ["put a"]);
    server.kill();
    server.start_again();
    telling(&server);
    put(&client, "b");
    assert_eq!(told(&events, 1), ["put b"]);
    assert_eq!(events.gaps(), 1);
}

#[test]
fn a_stream_that_cannot_be_read_is_a_gap() {
    let server = Server::start();
    let client = telling(&server);
    let hear_again = |events: &Events, gaps| {
        kill_subscribers(&server);
        put(&client, "untold");
        missed(events, gaps);
        put(&client, "a");
        assert_eq!(told(events, 1), ["put a"]);
    };
    for forbidden in ["-xrevrange", "-xinfo"] {
        let mut user = vec!["SETUSER", "other", "reset", "on", ">pw", "~*", "&*", "+@all"];
        user.push(forbidden);
        redis::cmd("ACL").arg(&user).exec(&mut direct(&server)).unwrap();
        let other = Client::open(Some(&format!("{}?user=other&password=pw", server.url())), "{}").unwrap();
        let events = listen(&other, &["put"], None);
        hear_again(&events, 1);
        hear_again(&events, 2);
    }
    let events = listen(&client, &["put"], None);
    redis::cmd("SET").arg(&["{mh}:events", "no stream"]).exec(&mut direct(&server)).unwrap();
    hear_again(&events, 1);
    redis::cmd("DEL").arg("{mh}:events").exec(&mut direct(&server)).unwrap();
    kill_subscribers(&server);
    put(&client, "b");
    assert_eq!(told(&events, 1), ["put b"]);
    assert_eq!(events.gaps(), 2, "it was no stream before");
}

/// Its connection is cut again and again, as soon as it is there.
#[test]
fn a_flood_is_heard_once_and_in_order_over_many_cuts() {
    const JOBS: usize = 600;
    let server = Server::start();
    let client = telling(&server);
    let all = listen(&client, &["*"], None);
    let some = listen(&client, &["completed", "reserved"], None);
    let both = listen(&client, &["put"], Some("w"));
    let flood = |queue: &str| {
        let queue = server.client().queue(queue);
        for number in 0..JOBS {
            queue.put(manyhands::Put::new("k").jid(format!("{number}"))).unwrap();
            queue.reserve_as(Some("w"), 1).unwrap();
        }
    };
    let collect = |events: &Events| {
        let mut collected = Vec::new();
        while collected.last().is_none_or(|event: &JobEvent| event.jid != "last") {
            collected.push(heard(events));
        }
        collected
    };
    let mut cut = 0;
    let (all_told, some_told, both_told) = std::thread::scope(|scope| {
        let floods = ["q", "r"].map(|queue| scope.spawn(move || flood(queue)));
        let collected = [&all, &some, &both].map(|events| scope.spawn(move || collect(events)));
        while floods.iter().any(|flood| !flood.is_finished()) {
            cut += kill_subscribers(&server);
        }
        put(&client, "last");
        client.queue("q").reserve_as(Some("w"), 250).unwrap();
        let [all, some, both] = collected.map(|thread| thread.join().unwrap());
        (all, some, both)
    });
    let kept = kept(&server);
    assert!(cut > 10, "{cut} cuts");
    let of = |names: &[&str]| -> Vec<JobEvent> {
        kept.iter().filter(|event| names.contains(&event.event.as_str())).cloned().collect()
    };
    let until_last = |mut events: Vec<JobEvent>| {
        let last = events.iter().position(|event| event.jid == "last").unwrap();
        events.truncate(last + 1);
        events
    };
    assert_eq!(all_told, until_last(kept.clone()));
    assert_eq!(some_told, until_last(of(&["completed", "reserved"])));
    assert_eq!(both_told, until_last(of(&["put", "lost"])));
    assert_eq!((all.gaps(), some.gaps(), both.gaps()), (0, 0, 0));
}

#[test]
fn events_that_look_the_same_are_told_apart() {
    let server = Server::start();
    let client = telling(&server);
    client.call("config_set", r#"{"name":"test-clock","value":1000000000000}"#).unwrap();
    let events = listen(&client, &[], None);
    let mut expected = 0;
    let mut told_so_far = Vec::new();
    for heard_before in [0, 1, 3, 2, 5] {
        for _ in 0..3 {
            put(&client, "a");
            client.call("job_cancel", r#"{"jids":["a"]}"#).unwrap();
            expected += 2;
        }
        told_so_far.extend((0..heard_before).map(|_| heard(&events)));
        kill_subscribers(&server);
    }
    told_so_far.extend((told_so_far.len()..expected).map(|_| heard(&events)));
    assert_eq!(told_so_far, kept(&server));
    nothing_more(&events);
    assert_eq!(events.gaps(), 0);
}
