//! What a reserve costs does not grow with what stands in Redis: counted in commands, which no other program's load can
//! change. Bench's part `bounded` measures the time.

use std::collections::BTreeMap;

use manyhands::{Client, Put};

use crate::support::Server;

/// How often each command ran inside the engine while `act` was at it.
fn commands(server: &Server, act: impl FnOnce()) -> BTreeMap<String, u64> {
    let socket = format!("redis+unix://{}", server.socket().display());
    let mut connection = redis::Client::open(socket).unwrap().get_connection().unwrap();
    redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut connection).unwrap();
    act();
    let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).unwrap();
    let counts = stats.lines().filter_map(|line| {
        let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), figures.split(',').next()?.parse().ok()?))
    });
    counts.filter(|(name, _)| name != "config|resetstat" && name != "fcall").collect()
}

fn reserve(client: &Client, queues: &[String], limit: usize) -> usize {
    let args = serde_json::json!({"worker": "w", "queues": queues, "limit": limit, "share": true});
    let reply: serde_json::Value =
        serde_json::from_str(&client.call("queue_reserve", &args.to_string()).unwrap()).unwrap();
    reply["jobs"].as_array().unwrap().len()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("idle-{number}")).collect()
}

/// Jobs in every state, but none to be taken.
fn crowd(client: &Client, many: usize) {
    let queue = client.queue("busy");
    let jobs = |name: &'static str| (0..many).map(move |number| Put::new("k").jid(format!("{name}{number}")));
    queue.put_many(jobs("run")).unwrap();
    queue.reserve(many as i64).unwrap();
    queue.put_many(jobs("later").map(|job| job.delay_ms(3_600_000))).unwrap();
    queue.put_many(jobs("wait")).unwrap();
    client.call("queue_pause", r#"{"queues":["busy"]}"#).unwrap();
}

#[test]
fn many_idle_queues_are_asked_with_as_many_commands_as_one() {
    let server = Server::start();
    let client = server.client();
    reserve(&client, &names(1), 10);
    let one = commands(&server, || assert_eq!(reserve(&client, &names(1), 10), 0));
    let two = commands(&server, || assert_eq!(reserve(&client, &names(2), 10), 0));
    let many = commands(&server, || assert_eq!(reserve(&client, &names(64), 10), 0));
    assert_eq!(two, many);
    // One is looked into at once, of several it is asked first whether any has jobs.
    assert_eq!(one.values().sum::<u64>(), many.values().sum::<u64>(), "{one:?} {many:?}");
    assert!(one.values().sum::<u64>() <= 8, "{one:?}");
}

#[test]
fn what_stands_elsewhere_costs_nothing() {
    let server = Server::start();
    let client = server.client();
    client.call("queue_pause", r#"{"queues":["paused"]}"#).unwrap(); // while any queue is, reserves ask which are
    reserve(&client, &names(3), 10);
    let empty = commands(&server, || assert_eq!(reserve(&client, &names(3), 10), 0));
    crowd(&client, 250);
    let queues: Vec<String> = names(2).into_iter().chain(["busy".to_owned()]).collect();
    let full = commands(&server, || assert_eq!(reserve(&client, &queues, 10), 0));
    assert_eq!(empty, full);
}

#[test]
fn a_long_line_costs_what_a_short_one_does() {
    let server = Server::start();
    let client = server.client();
    let put = |queue: &str, count: usize| client.queue(queue).put_many((0..count).map(|_| Put::new("k"))).unwrap();
    put("short", 20);
    put("long", 20_000);
    reserve(&client, &names(1), 10);
    let take = |queue: &str| commands(&server, || assert_eq!(reserve(&client, &[queue.to_owned()], 10), 10));
    assert_eq!(take("short"), take("long"));
}
