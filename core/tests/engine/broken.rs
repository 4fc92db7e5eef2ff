//! A call that meets a key of another type: what it did is remembered, and what it could not do is said once.

use redis::Value;

use crate::support::Server;

// Q1: the reply of a turn may be lost, its outcomes may not.
#[test]
fn a_turn_beside_a_broken_queue_is_repeated_as_it_was() {
    let server = Server::start();
    let client = server.client();
    let put = r#"{"jobs":[{"queue":"good","kind":"k","jid":"a"},{"queue":"good","kind":"k","jid":"b"}]}"#;
    client.call("queue_put", put).unwrap();
    client.call("config_set", r#"{"name":"test-clock","value":1000000}"#).unwrap();
    let taken = client.call("queue_reserve", r#"{"worker":"w","queues":["good"]}"#).unwrap();
    let token = crate::support::member(&taken, "/jobs/0/token").as_str().unwrap().to_owned();
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd("SET").arg("{mh}:waiting:bad").arg("planted").exec(&mut redis).unwrap();
    let mut turn = |number: u32, jid: &str, token: &str, queues: &[&str]| -> Vec<Value> {
        let mut command = redis::cmd("FCALL");
        command.arg("mh1_worker_turn").arg(1).arg("{mh}:meta").arg("00000000000000aa").arg(number);
        command.arg("w").arg(1).arg(0).arg(queues.len()).arg(queues);
        command.arg("complete").arg(token).arg("").arg(1).arg("").arg(1).arg(jid);
        command.query(&mut redis).unwrap()
    };
    let first = turn(1, "a", &token, &["bad", "good"]);
    assert_eq!(first[0], Value::BulkString(b"completed".to_vec()));
    let Value::Array(reserved) = &first[1] else { panic!("{first:?}") };
    assert_eq!(reserved[7], Value::BulkString(b"b".to_vec()));
    let Value::BulkString(token) = &reserved[0] else { panic!("{first:?}") };
    let token = String::from_utf8(token.clone()).unwrap();
    assert_eq!(turn(1, "a", &token, &["bad", "good"])[0], first[0]);
    let second = turn(2, "b", &token, &["bad"]);
    assert_eq!(second[0], first[0]);
    assert_eq!(turn(2, "b", &token, &["bad"]), second);
    let log = std::fs::read_to_string(server.folder.join("log")).unwrap();
    let said: Vec<_> = log.lines().filter(|line| line.contains("manyhands: ")).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("reserve of queue {mh}:bad: WRONGTYPE"), "{said:?}");
    assert!(said[1].contains("reserve of worker {mh}:w: WRONGTYPE"), "{said:?}");
}
