//! Subscriptions to events, over lost connections, closes and forks.

use std::time::{Duration, Instant};

use manyhands::{Client, Code, Events, EventsOptions, JobEvent, Put};

use crate::support::Server;
use crate::support::fork::{forked, succeeded};

pub fn direct(server: &Server) -> redis::Connection {
    redis::Client::open(server.url()).unwrap().get_connection().unwrap()
}

/// Kills the connections that have subscribed; answers how many there were.
pub fn kill_subscribers(server: &Server) -> usize {
    redis::cmd("CLIENT").arg(&["KILL", "TYPE", "pubsub"]).query(&mut direct(server)).unwrap()
}

/// A client whose jobs are all told of.
pub fn telling(server: &Server) -> Client {
    let client = server.client();
    client.call("config_set", r#"{"name":"events","value":"all"}"#).unwrap();
    client
}

pub fn listen(client: &Client, what: &[&str], worker: Option<&str>) -> Events {
    let what = what.iter().map(|name| (*name).to_owned()).collect();
    client.events(EventsOptions { what, worker: worker.map(str::to_owned) }).unwrap()
}

/// The next event; there must be one within 10 s.
pub fn heard(events: &Events) -> JobEvent {
    events.next(Some(Duration::from_secs(10))).unwrap().expect("an event")
}

fn names(events: &Events, count: usize) -> Vec<String> {
    (0..count).map(|_| heard(events).event).collect()
}

pub fn put(client: &Client, jid: &str) {
    client.queue("q").put(Put::new("k").jid(jid)).unwrap();
}

/// Takes the next job as worker `w` and completes it.
pub fn perform(client: &Client) {
    let job = client.queue("q").reserve_as(Some("w"), 1).unwrap().jobs.remove(0);
    client.call("job_complete", &format!(r#"{{"jobs":[{{"jid":"{}","token":"{}"}}]}}"#, job.jid, job.token)).unwrap();
}

#[test]
fn the_life_of_a_tracked_job_is_told_and_of_no_other() {
    let server = Server::start();
    let client = server.client();
    let events = listen(&client, &[], None);
    put(&client, "untold");
    perform(&client);
    put(&client, "a");
    client.call("job_track", r#"{"jids":["a"]}"#).unwrap();
    perform(&client);
    client.call("job_untrack", r#"{"jids":["a"]}"#).unwrap();
    let all: Vec<JobEvent> = (0..4).map(|_| heard(&events)).collect();
    let names: Vec<&str> = all.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names, ["track", "reserved", "completed", "untrack"]);
    for event in &all {
        assert_eq!((event.jid.as_str(), event.queue.as_str(), event.kind.as_str()), ("a", "q", "k"));
        assert!(event.at_ms > 1_600_000_000_000, "{event:?}");
    }
    assert_eq!(all[1].worker.as_deref(), Some("w"));
    assert_eq!(all[2].worker, None);
    assert_eq!(events.next(Some(Duration::from_millis(30))).unwrap(), None);
    assert!(!events.is_closed() && events.gaps() == 0);
}

#[test]
fn only_what_was_chosen_is_heard() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &["completed", "put", "put"], None);
    put(&client, "a");
    perform(&client);
    put(&client, "b");
    assert_eq!(names(&events, 3), ["put", "completed", "put"]);
    let error = client.events(EventsOptions { what: vec!["done".into()], worker: None }).err().unwrap();
    assert_eq!(error.code, Code::InvalidArgument, "{error}");
}

#[test]
fn a_worker_hears_what_becomes_of_its_jobs() {
    let server = Server::start();
    let client = server.client();
    let only = listen(&client, &[], Some("w"));
    let both = listen(&client, &["*"], Some("w"));
    put(&client, "a");
    client.call("job_track", r#"{"jids":["a"]}"#).unwrap();
    client.queue("q").reserve_as(Some("w"), 1).unwrap();
    client.call("job_cancel", r#"{"jids":["a"]}"#).unwrap();
    let event = heard(&only);
    assert_eq!((event.event.as_str(), event.jid.as_str(), event.worker.as_deref()), ("cancelled", "a", Some("w")));
    assert_eq!((event.queue.as_str(), event.kind.as_str()), ("q", "k"));
    let mut told = names(&both, 4);
    told.sort();
    assert_eq!(told, ["cancelled", "cancelled", "reserved", "track"]);
}

#[test]
fn a_server_that_was_away_is_heard_again() {
    let mut server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &[], None);
    server.kill();
    assert_eq!(events.next(Some(Duration::from_millis(50))).unwrap(), None);
    assert!(!events.is_closed());
    server.start_again();
    // Subscribes again.
    while subscribers(&server) == 0 {
        assert_eq!(events.next(Some(Duration::from_millis(20))).unwrap(), None);
    }
    telling(&server);
    put(&client, "a");
    assert_eq!(heard(&events).event, "put");
}

/// How many connections have subscribed.
pub fn subscribers(server: &Server) -> usize {
    let list: String = redis::cmd("CLIENT").arg(&["LIST", "TYPE", "pubsub"]).query(&mut direct(server)).unwrap();
    list.lines().count()
}

#[test]
fn a_close_ends_the_wait_of_other_threads() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &[], None);
    let together = std::sync::Barrier::new(5);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| (together.wait(), events.next(None).unwrap()).1)).collect();
        let counting = scope.spawn(|| (together.wait(), events.iter().count()).1);
        together.wait();
        let begun = Instant::now();
        events.close();
        for thread in waiting {
            assert_eq!(thread.join().unwrap(), None);
        }
        assert_eq!(counting.join().unwrap(), 0);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    });
    assert!(events.is_closed());
    events.close();
    put(&client, "a");
    assert_eq!(events.next(None).unwrap(), None);
    while subscribers(&server) > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn closing_the_client_closes_its_subscriptions() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &[], None);
    let mut iter = events.into_iter();
    put(&client, "a");
    assert_eq!(iter.next().unwrap().unwrap().jid, "a");
    client.close();
    assert!(iter.next().is_none() && events.is_closed());
    assert_eq!(client.events(EventsOptions::default()).err().unwrap().code, Code::Closed);
}

#[test]
fn closing_the_client_closes_connections_that_nobody_waits_on() {
    let server = Server::start();
    let client = telling(&server);
    let other = listen(&server.client(), &[], None);
    let [left, waited] = [(); 2].map(|()| listen(&client.clone(), &[], None));
    drop(listen(&client, &[], None));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waited.next(None).unwrap());
        client.close();
        assert_eq!(waiting.join().unwrap(), None);
    });
    while subscribers(&server) > 1 {
        std::thread::yield_now();
    }
    assert!(left.is_closed() && waited.is_closed() && !other.is_closed());
}

#[test]
fn each_event_goes_to_one_of_several_threads() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &["put"], None);
    let mut jids: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let next = || events.next(Some(Duration::from_millis(500))).unwrap();
                    std::iter::from_fn(next).map(|event| event.jid).collect::<Vec<_>>()
                })
            })
            .collect();
        let jobs = (0..200).map(|number| Put::new("k").jid(format!("{number:03}")));
        client.queue("q").put_many(jobs).unwrap();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    jids.sort();
    assert_eq!(jids, (0..200).map(|number| format!("{number:03}")).collect::<Vec<_>>());
}

#[test]
fn a_child_gets_none_of_its_parents_events() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &["put"], None);
    let child = {
        let (client, events) = (client.clone(), std::panic::AssertUnwindSafe(&events));
        forked(std::panic::AssertUnwindSafe(move || {
            let events = events;
            assert_eq!(events.0.next(None).unwrap_err().code, Code::Closed);
            assert!(events.0.is_closed());
            events.0.close();
            let own = listen(&client, &["put"], None);
            put(&client, "child");
            assert_eq!(heard(&own).jid, "child");
        }))
    };
    assert!(succeeded(child));
    assert_eq!(heard(&events).jid, "child");
    put(&client, "parent");
    assert_eq!(heard(&events).jid, "parent");
}

#[test]
fn a_login_that_may_not_publish_works_and_one_that_may_not_subscribe_is_told() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &[], None);
    let mut direct = direct(&server);
    redis::cmd("ACL")
        .arg(&["SETUSER", "quiet", "on", ">pw", "~*", "+@all", "-publish", "resetchannels"])
        .exec(&mut direct)
        .unwrap();
    let quiet = Client::open(Some(&format!("{}?user=quiet&password=pw", server.url())), "{}").unwrap();
    put(&quiet, "unheard");
    perform(&quiet);
    put(&client, "heard");
    assert_eq!(heard(&events).jid, "heard");
    let error = quiet.events(EventsOptions::default()).err().unwrap();
    assert_eq!(error.code, Code::Denied, "{error}");
    assert_eq!(error.operation.as_deref(), Some("events_open"));
    redis::cmd("ACL").arg(&["SETUSER", "quiet", "&{mh}:event:*"]).exec(&mut direct).unwrap();
    let allowed = listen(&quiet, &[], None);
    put(&client, "b");
    assert_eq!(heard(&allowed).jid, "b");
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let mut server = Server::start();
    let client = server.client_with(r#"{"timeout_ms":1000}"#);
    let stranger = server.client();
    client.queue("q").counts().unwrap();
    server.kill();
    let begun = Instant::now();
    assert_eq!(client.events(EventsOptions::default()).err().unwrap().code, Code::Unavailable);
    assert!(begun.elapsed() > Duration::from_millis(300), "tried again");
    let begun = Instant::now();
    assert_eq!(stranger.events(EventsOptions::default()).err().unwrap().code, Code::Unavailable);
    assert!(begun.elapsed() < Duration::from_secs(1), "a server never reached may be a wrong address");
}

#[test]
fn a_server_that_falls_silent_is_left_and_found_again() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &["put"], None);
    let subscriber = || -> String {
        let list: String = redis::cmd("CLIENT").arg(&["LIST", "TYPE", "pubsub"]).query(&mut direct(&server)).unwrap();
        list.split(' ').next().unwrap().to_owned()
    };
    let connection = subscriber();
    server.signal(libc::SIGSTOP);
    // It is asked for a sign of life after 5 s of silence, and given 5 s for it.
    assert_eq!(events.next(Some(Duration::from_secs(11))).unwrap(), None);
    server.signal(libc::SIGCONT);
    put(&client, "a");
    assert_eq!(heard(&events).jid, "a");
    assert_ne!(subscriber(), connection);
    assert_eq!(events.gaps(), 0);
}

#[test]
fn a_quiet_server_is_not_left() {
    let server = Server::start();
    let client = telling(&server);
    let events = listen(&client, &["put"], None);
    assert_eq!(events.next(Some(Duration::from_secs(12))).unwrap(), None);
    assert_eq!(events.gaps(), 0);
    put(&client, "a");
    assert_eq!(heard(&events).jid, "a");
}
