//! The status of a worker that is none of ours, which others must be able to read.

use crate::support::Server;

#[test]
fn a_status_that_says_nothing_is_an_empty_object() {
    let server = Server::start();
    let client = server.client();
    client.queue("q").put(manyhands::Put::new("k").jid("a")).unwrap();
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut pulse = redis::cmd("FCALL");
    pulse.arg("mh1_worker_pulse").arg(1).arg("{mh}:meta").arg("00000000000000aa").arg(1).arg("w").arg("");
    pulse.exec(&mut redis).unwrap();
    assert_eq!(client.workers(0, 1).unwrap().items[0].status.as_deref(), Some("{}"));
    assert!(client.call("job_explain", r#"{"jid":"a"}"#).unwrap().contains("no-worker"));
}

#[test]
fn the_largest_status_is_kept_whole() {
    let server = Server::start();
    let client = server.client();
    let names = |letter: &str| -> Vec<String> {
        (0..1_000).map(|number| format!("{number}{}", letter.repeat(255 - 4))).collect()
    };
    let status = serde_json::json!({"queues": names("\""), "kinds": names("\\"), "host": "h"}).to_string();
    let pulse = format!(r#"{{"worker":"w","status":{status},"jobs":[]}}"#);
    client.call("worker_pulse", &pulse).unwrap();
    assert_eq!(client.workers(0, 1).unwrap().items[0].status.as_deref(), Some(status.as_str()));
}
