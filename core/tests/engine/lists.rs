//! Lists of what may be large: no reply holds more than it may, and a page comes whole all the same.

use manyhands::{Client, RecurringPut};
use serde_json::{Value as Json, json};

use crate::support::Server;

const LARGE: usize = 600_000;

/// What the engine answers by itself to an operation that reads.
fn asked(server: &Server, operation: &str, args: &Json) -> Vec<redis::Value> {
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut call = redis::cmd("FCALL");
    call.arg(format!("mh1_{operation}")).arg(1).arg("{mh}:meta").arg("").arg("").arg(args.to_string());
    call.query(&mut redis).unwrap()
}

/// The member of a reply that names each by the one before it.
fn named<'a>(reply: &'a [redis::Value], name: &str) -> &'a [redis::Value] {
    let at = reply.iter().position(|part| *part == redis::Value::BulkString(name.into())).unwrap();
    match &reply[at + 1] {
        redis::Value::Array(parts) => parts,
        other => panic!("{name}: {other:?}"),
    }
}

fn read(client: &Client, operation: &str, args: &Json) -> Json {
    serde_json::from_str(&client.call(operation, &args.to_string()).unwrap()).unwrap()
}

fn put(client: &Client, count: usize) {
    for number in 0..count {
        let data = json!(number.to_string().repeat(LARGE)).to_string();
        let job = RecurringPut::new("k", 3_600_000).offset_ms(1_000_000 + number as i64 * 1_000);
        client.queue("q").put_recurring(job.jid(format!("r{number}")).data(data)).unwrap();
    }
}

#[test]
fn recurring_jobs_are_listed_in_replies_of_bounded_length() {
    let server = Server::start();
    let client = server.client();
    put(&client, 7);
    let reply = asked(&server, "recurring_list", &json!({"queue": "q", "offset": 1, "limit": 5}));
    assert_eq!(named(&reply, "jobs").len(), 2);
    let rest = named(&reply, "rest");
    assert!(rest.contains(&redis::Value::Int(3)) && rest.len() == 4, "{rest:?}");
    let page = client.queue("q").recurring(1, 5).unwrap();
    let jids: Vec<_> = page.items.iter().map(|job| job.jid.as_str()).collect();
    assert_eq!((page.total, jids.as_slice()), (7, ["r1", "r2", "r3", "r4", "r5"].as_slice()));
    assert!(page.items.iter().all(|job| job.data.len() == LARGE + 2));
    assert_eq!(read(&client, "recurring_list", &json!({"queue": "q"}))["jobs"].as_array().unwrap().len(), 7);
}

#[test]
fn workers_are_listed_in_replies_of_bounded_length() {
    let server = Server::start();
    let client = server.client();
    let kinds: Vec<String> = (0..1_000).map(|number| format!("{number:k>255}")).collect();
    for number in 0..10 {
        client.config().set("test-clock", Some(200_000_000 - number), None).unwrap();
        let pulse = json!({"worker": format!("w{number}"), "status": {"kinds": kinds}, "jobs": []});
        client.call("worker_pulse", &pulse.to_string()).unwrap();
    }
    client.call("worker_lost", r#"{"worker":"w3"}"#).unwrap();
    let reply = asked(&server, "worker_list", &json!({"limit": 100}));
    assert!((4..6).contains(&named(&reply, "workers").len()));
    let page = client.workers(0, 100).unwrap();
    let names: Vec<_> = page.items.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!((page.total, names), (10, vec!["w0", "w1", "w2", "w4", "w5", "w6", "w7", "w8", "w9", "w3"]));
}
