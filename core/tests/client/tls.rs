//! `rediss://`: jobs over TLS, forks, certificates that do not fit, and servers that speak no TLS.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::{Duration, Instant};

use manyhands::{Client, Code, Error, EventsOptions, Next, Outcome, Put, Worker};

use crate::support::Server;
use crate::support::fork::{forked, succeeded};

fn open(url: &str) -> Client {
    Client::open(Some(url), "{}").unwrap()
}

/// What the first call of a client says; it must fail, and soon.
fn refused(url: &str) -> Error {
    let begun = Instant::now();
    let error = open(url).queue("q").put(Put::new("k")).unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(10), "{error} after {:?}", begun.elapsed());
    assert!(!error.message.contains("secret"), "{error}");
    error
}

#[test]
fn a_worker_performs_jobs_and_events_are_heard() {
    let server = Server::start_tls(&["--requirepass", "secret"]);
    let url = server.tls_url("/2?ca=DIR/ca.pem").replace("//", "//:secret@");
    let client = open(&url);
    let events = client.events(EventsOptions { what: vec!["completed".to_owned()], worker: None }).unwrap();
    client.call("config_set", r#"{"name":"events","value":"all"}"#).unwrap();
    let worker = Worker::open(&client, r#"{"queues":["q"]}"#).unwrap();
    thread::scope(|scope| {
        let taken = scope.spawn(|| worker.next(Duration::from_secs(20)).unwrap());
        // More than one record of TLS, to the server and back.
        let data = format!("\"{}\"", "x".repeat(1_000_000));
        client.queue("q").put(Put::new("k").jid("j").data(&*data)).unwrap();
        let Next::Job(job) = taken.join().unwrap() else { panic!("no job") };
        assert_eq!(job.data, data);
        worker.finish(&job.jid, &job.token, Outcome::completed(None, "").unwrap()).unwrap();
    });
    assert_eq!(events.next(Some(Duration::from_secs(10))).unwrap().unwrap().jid, "j");
    assert_eq!(client.job("j").unwrap().unwrap().state, "completed");
    assert!(client.shown_url().starts_with("rediss://:***@127.0.0.1:"));
}

// The child must neither use the parent's connections nor say goodbye on them.
#[test]
fn parent_and_child_go_on_after_a_fork() {
    let server = Server::start_tls(&[]);
    let client = open(&server.tls_url("?ca=DIR/ca.pem"));
    let mut lane = client.lane();
    let id = lane.client_id().unwrap();
    let events = client.events(EventsOptions { what: vec!["put".to_owned()], worker: None }).unwrap();
    client.call("config_set", r#"{"name":"events","value":"all"}"#).unwrap();
    let child = {
        let (client, lane) = (client.clone(), AssertUnwindSafe(&mut lane));
        forked(AssertUnwindSafe(|| {
            let lane = lane;
            assert_ne!(lane.0.client_id().unwrap(), id);
            client.queue("q").put(Put::new("k").jid("child")).unwrap();
            events.close();
            client.close();
            drop(client);
        }))
    };
    assert!(succeeded(child));
    assert_eq!(events.next(Some(Duration::from_secs(10))).unwrap().unwrap().jid, "child");
    assert_eq!(events.gaps(), 0);
    assert!(!lane.unblock(id).unwrap());
    assert_eq!(lane.client_id().unwrap(), id);
    client.queue("q").put(Put::new("k")).unwrap();
    let mut direct = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let info: String = redis::cmd("INFO").arg("stats").query(&mut direct).unwrap();
    let count = info.lines().find_map(|line| line.strip_prefix("total_connections_received:")).unwrap();
    // The parent's lane, events and pool, the child's lane and pool, the two plain ones of this test.
    assert_eq!(count.trim(), "7", "nobody had to connect again");
}

#[test]
fn certificates_must_fit() {
    let server = Server::start_tls(&["--tls-auth-clients", "yes"]);
    let with = |options: &str| server.tls_url(&format!("?cert=DIR/client.pem&key=DIR/client.key{options}"));
    for (url, words) in [
        (with("&ca=DIR/other.pem"), "no certificate authority trusted here has signed the server's certificate"),
        (with("&ca=DIR/ca.pem").replace("127.0.0.1", "127.0.0.2"), "not valid for name \"127.0.0.2\""),
        (server.tls_url("?ca=DIR/ca.pem"), "CertificateRequired"),
        (server.tls_url("?ca=DIR/ca.pem&cert=DIR/other.pem&key=DIR/other.key"), "UnknownCA"),
    ] {
        let error = refused(&url);
        assert_eq!(error.code, Code::Denied, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    // A host of two addresses, of which the first may not answer; what is looked for in the certificate is its name.
    for url in [with("&ca=DIR/ca.pem").replace("127.0.0.1", "localhost"), with("&insecure=1").replace(".1:", ".2:")] {
        open(&url).queue("q").put(Put::new("k")).unwrap();
    }
    for (options, words) in [
        ("?ca=DIR/server.key", "server.key: the file holds no certificate"),
        ("?ca=DIR/ca.pem&cert=DIR/client.pem&key=DIR/ca.pem", "ca.pem: the file holds no private key"),
        ("?ca=DIR/ca.pem&cert=DIR/client.pem&key=DIR/server.key", "server.key: "),
    ] {
        let error = Client::open(Some(&server.tls_url(options)), "{}").map(drop).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

#[test]
fn renewed_certificates_count_without_a_restart() {
    let server = Server::start_tls(&[]);
    let ca = server.folder.join("renewed.pem");
    fs::copy(server.folder.join("other.pem"), &ca).unwrap();
    let client = open(&server.tls_url("?ca=DIR/renewed.pem"));
    assert_eq!(client.queue("q").put(Put::new("k")).unwrap_err().code, Code::Denied);
    fs::copy(server.folder.join("ca.pem"), &ca).unwrap();
    client.queue("q").put(Put::new("k")).unwrap();
}

#[test]
fn what_the_system_trusts_is_trusted_by_default() {
    let server = Server::start_tls(&[]);
    let (url, ca) = (server.tls_url(""), server.folder.join("ca.pem"));
    assert_eq!(refused(&url).code, Code::Denied);
    let child = forked(AssertUnwindSafe(|| {
        // SAFETY: the child has one thread.
        unsafe { std::env::remove_var("SSL_CERT_DIR") };
        // SAFETY: as above.
        unsafe { std::env::set_var("SSL_CERT_FILE", &ca) };
        open(&url).queue("q").put(Put::new("k")).unwrap();
        // SAFETY: as above.
        unsafe { std::env::set_var("SSL_CERT_FILE", "/nonexistent.pem") };
        let error = Client::open(Some(&url), "{}").map(drop).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.message.contains("/nonexistent.pem") && error.message.contains("ca=FILE"), "{error}");
    }));
    assert!(succeeded(child));
}

#[test]
fn servers_without_tls_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rediss://:secret@127.0.0.1:{}?insecure=1", listener.local_addr().unwrap().port());
    // It takes the connection and says nothing: it may be busy, and is tried until the time is over.
    let begun = Instant::now();
    let error = Client::open(Some(&url), r#"{"timeout_ms":300}"#).unwrap().queue("q").put(Put::new("k")).unwrap_err();
    assert_eq!(error.code, Code::Unavailable, "{error}");
    assert!(error.message.contains("no answer in time") && !error.message.contains("secret"), "{error}");
    assert!(begun.elapsed() >= Duration::from_millis(250) && begun.elapsed() < Duration::from_secs(3));
    let plain = thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            drop((&stream).write_all(b"-ERR unknown command\r\n"));
        }
    });
    let error = refused(&url);
    assert_eq!(error.code, Code::Unavailable, "{error}");
    assert!(error.message.contains("not TLS") && error.message.contains("rediss://:***@"), "{error}");
    drop(plain);
}
