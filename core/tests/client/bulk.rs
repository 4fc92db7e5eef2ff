//! Puts of so many jobs that they go by several calls, one after the other.

use std::fs;

use manyhands::ops::QueuePut;
use manyhands::{Client, Code, Error, Placed, Put};

use crate::proxy::{Cut, Proxy};
use crate::support::Server;

/// Jobs whose jids are their numbers: three parts of 250, 250 and 200.
fn jobs() -> impl Iterator<Item = Put> {
    (0..700).map(|number| Put::new("k").jid(number.to_string()).data(number.to_string()))
}

fn numbers(upto: usize) -> Vec<String> {
    (0..upto).map(|number| number.to_string()).collect()
}

/// What of the queue is waiting, in order.
fn waiting(client: &Client) -> Vec<String> {
    let page = |offset| client.queue("q").jobs("waiting", offset, 250).unwrap().items;
    [0, 250, 500].into_iter().flat_map(page).collect()
}

fn all_are_put(client: &Client, placed: Result<Vec<Placed>, Error>) {
    let placed = placed.unwrap();
    assert!(placed.iter().all(|placed| placed.outcome == "put"));
    assert_eq!(placed.into_iter().map(|placed| placed.jid).collect::<Vec<_>>(), numbers(700));
    assert_eq!(waiting(client), numbers(700));
}

#[test]
fn parts_keep_the_order_of_the_jobs() {
    let server = Server::start();
    let client = server.client();
    all_are_put(&client, client.queue("q").put_many(jobs()));
    assert_eq!(client.job("699").unwrap().unwrap().data, "699");
}

#[test]
fn so_do_those_of_json() {
    let server = Server::start();
    let client = server.client();
    let job = |number: &String| format!(r#"{{"queue":"q","kind":"k","jid":"{number}","data":[{number}, 1.0]}}"#);
    let list = format!("[{}]", numbers(700).iter().map(job).collect::<Vec<_>>().join(","));
    all_are_put(&client, client.put_all(QueuePut::from_list(&list, None).unwrap()));
    assert_eq!(client.job("251").unwrap().unwrap().data, "[251, 1.0]");
    let again =
        client.call("queue_put", &format!(r#"{{"jobs":{}}}"#, list.replace("\"k\"", "\"k\",\"tags\":[]"))).unwrap();
    assert!(again.starts_with(r#"[{"jid":"0","outcome":"replaced","satisfied":[]},{"#), "{again}");
    assert!(again.ends_with(r#",{"jid":"699","outcome":"replaced","satisfied":[]}]"#), "{again}");
}

#[test]
fn after_a_part_that_is_refused_nothing_is_sent() {
    let server = Server::start();
    let client = server.client();
    client.config().set("max-data", Some(64), None).unwrap();
    let many = jobs().map(|job| if job.data == "300" { job.data(format!("\"{}\"", "x".repeat(64))) } else { job });
    let error = client.queue("q").put_many(many).unwrap_err();
    let said = "jobs[300].data has 66 bytes, 1 to 64 are allowed; the 250 jobs before jobs[250] are put";
    assert_eq!((error.code, error.message.as_str()), (Code::InvalidArgument, said));
    assert_eq!(waiting(&client), numbers(250));
    // The lane that was used is as good as any other.
    let placed = client.queue("q").put_many(jobs()).unwrap();
    assert_eq!(
        placed.iter().map(|placed| placed.outcome == "replaced").collect::<Vec<_>>(),
        (0..700).map(|number| number < 250).collect::<Vec<_>>()
    );
    assert_eq!(waiting(&client), numbers(700));
}

#[test]
fn what_is_wrong_with_a_job_of_the_last_part_is_said_before_the_first_is_sent() {
    let server = Server::start();
    let client = server.client();
    let many = jobs().map(|job| if job.data == "699" { job.priority(128) } else { job });
    let error = client.queue("q").put_many(many).unwrap_err();
    assert_eq!(error.message, "jobs[699].priority 128 is outside -128..127");
    let list = format!(r#"[{}{{"queue":"q","kind":7}}]"#, r#"{"queue":"q","kind":"k"},"#.repeat(699));
    let error = QueuePut::from_list(&list, None).unwrap_err();
    assert_eq!(error.message, "jobs[699].kind 7 is not a text");
    assert_eq!(waiting(&client), numbers(0));
}

#[test]
fn a_part_that_is_too_much_goes_by_halves_and_the_rest_follows() {
    let server = Server::start();
    let client = server.client();
    client.queue("q").put_many(jobs().take(250).map(|job| job.tags(["a", "b"]))).unwrap();
    let placed = client.queue("q").put_many(jobs()).unwrap();
    let replaced = placed.iter().take_while(|placed| placed.outcome == "replaced").count();
    assert_eq!((replaced, placed.len()), (250, 700));
    assert_eq!(placed.into_iter().map(|placed| placed.jid).collect::<Vec<_>>(), numbers(700));
    assert_eq!(waiting(&client), numbers(700));
}

/// A client through a proxy that cuts the second part.
fn cut_client(server: &Server, cut: Cut) -> (Proxy, Client) {
    let proxy = Proxy::before(&server.socket(), server.folder.join("proxy.sock"));
    let client = Client::open(Some(&format!("unix://{}", proxy.socket.display())), "").unwrap();
    client.call("engine_version", "{}").unwrap();
    // A jid of that part; 250 is how many jobs the first has.
    proxy.cut_at("\r\n251\r\n", cut);
    (proxy, client)
}

#[test]
fn a_connection_that_breaks_at_a_part_changes_nothing() {
    for cut in [Cut::Answer, Cut::Call] {
        let server = Server::start();
        let (proxy, client) = cut_client(&server, cut);
        let placed = client.queue("q").put_many(jobs());
        assert!(proxy.has_cut());
        all_are_put(&server.client(), placed);
    }
}

#[test]
fn a_connection_that_does_not_come_back_leaves_the_part_unknown_and_the_next_unsent() {
    for (cut, stored) in [(Cut::Answer, 500), (Cut::Call, 250)] {
        let server = Server::start();
        let (proxy, client) = cut_client(&server, cut);
        fs::remove_file(&proxy.socket).unwrap();
        // Its user does not wait for the time to be up.
        let client = client.interruptible(|| true);
        let error = client.queue("q").put_many(jobs()).unwrap_err();
        assert_eq!(error.code, Code::OutcomeUnknown, "{error}");
        assert!(error.message.ends_with("; the 250 jobs before jobs[250] are put"), "{error}");
        assert_eq!(waiting(&server.client()), numbers(stored));
    }
}
