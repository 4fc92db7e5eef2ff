//! The program against a server of its own.

#[path = "../../core/tests/support/mod.rs"]
mod support;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::Server;

const PATIENCE: Duration = Duration::from_secs(30);

fn program(server: &Server, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_manyhands"));
    command.args(arguments).args(["--url", &server.url()]);
    command
}

fn state(client: &manyhands::Client, jid: &str) -> String {
    support::member(&client.call("job_get", &format!("{{\"jid\":\"{jid}\"}}")).unwrap(), "/state")
        .as_str()
        .unwrap()
        .to_owned()
}

fn ask_to_stop(child: &Child) {
    // SAFETY: a signal to a child of ours that has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id().cast_signed(), libc::SIGTERM) }, 0);
}

// Q1 Q5 G4: nobody reserves, nobody pulses.
#[test]
fn the_nanny_does_what_falls_due_and_ends_at_term() {
    let server = Server::start();
    let client = server.client();
    client.call("queue_put", r#"{"jobs":[{"queue":"q","kind":"k","jid":"late","delay_ms":50}]}"#).unwrap();
    client.call("config_set", r#"{"name":"heartbeat","value":100}"#).unwrap();
    client.call("config_set", r#"{"name":"grace-period","value":0}"#).unwrap();
    client.call("queue_put", r#"{"jobs":[{"queue":"r","kind":"k","jid":"lost"}]}"#).unwrap();
    client.call("queue_reserve", r#"{"worker":"gone","queues":["r"]}"#).unwrap();
    let mut nanny = program(&server, &["nanny", "--verbose"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(nanny.stderr.take().unwrap());
    let mut first = String::new();
    said.read_line(&mut first).unwrap();
    assert!(first.starts_with("manyhands nanny: looks after mh at unix:"), "{first}");
    let begun = Instant::now();
    while (state(&client, "late"), state(&client, "lost")) != ("waiting".to_owned(), "waiting".to_owned()) {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    ask_to_stop(&nanny);
    assert!(nanny.wait().unwrap().success());
}

#[test]
fn the_namespace_is_the_flags_else_that_of_the_environment() {
    let server = Server::start();
    for (arguments, variable, namespace) in [
        (["nanny"].as_slice(), "ours", "ours"),
        (&["nanny", "--namespace", "yours"], "ours", "yours"),
        (&["nanny"], "", "mh"),
    ] {
        let mut nanny = program(&server, arguments).env("NAMESPACE", variable).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(nanny.stderr.take().unwrap()).read_line(&mut first).unwrap();
        assert!(first.starts_with(&format!("manyhands nanny: looks after {namespace} at unix:")), "{first}");
        ask_to_stop(&nanny);
        assert!(nanny.wait().unwrap().success());
    }
}

#[test]
fn a_wrong_namespace_is_refused_by_the_name_it_was_written_under() {
    let server = Server::start();
    for (arguments, variable, place) in
        [(["check", "--namespace", "a:b"].as_slice(), "ours", "--namespace"), (&["check"], "a:b", "NAMESPACE")]
    {
        let output = program(&server, arguments).env("NAMESPACE", variable).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{place} \"a:b\" is not 1 to 64 ")), "{said}");
    }
}

#[test]
fn a_nanny_whose_log_nobody_reads_does_its_work_and_ends() {
    let server = Server::start();
    let client = server.client();
    client.call("queue_put", r#"{"jobs":[{"queue":"q","kind":"k","jid":"late","delay_ms":50}]}"#).unwrap();
    let (_reader, log) = support::full_pipe();
    let mut nanny = program(&server, &["nanny", "--verbose"]).stderr(log).spawn().unwrap();
    let begun = Instant::now();
    let done = loop {
        let done = state(&client, "late") == "waiting";
        if done || begun.elapsed() > PATIENCE {
            break done;
        }
        std::thread::yield_now();
    };
    ask_to_stop(&nanny);
    while nanny.try_wait().unwrap().is_none() {
        if begun.elapsed() > 2 * PATIENCE {
            nanny.kill().unwrap();
        }
        std::thread::yield_now();
    }
    assert!(done && nanny.wait().unwrap().success());
}

fn line(said: &mut impl BufRead) -> String {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line
}

#[test]
fn the_nanny_hides_the_password_tells_an_outage_once_and_ends_during_one() {
    let mut server = Server::start_with(&["--requirepass", "s3cret"]);
    let url = format!("{}?password=s3cret", server.url());
    let mut nanny = Command::new(env!("CARGO_BIN_EXE_manyhands"))
        .args(["nanny", "--verbose", "--url", &url])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(nanny.stderr.take().unwrap());
    let first = line(&mut said);
    assert!(first.contains("redis.sock?password=***") && !first.contains("s3cret"), "{first}");
    for _ in 0..2 {
        server.kill();
        let began = line(&mut said);
        assert!(began.starts_with("manyhands nanny: UNAVAILABLE") || began.contains("OUTCOME_UNKNOWN"), "{began}");
        server.start_again();
        assert_eq!(line(&mut said), "manyhands nanny: the outage is over\n");
    }
    server.kill();
    line(&mut said);
    let begun = Instant::now();
    ask_to_stop(&nanny);
    assert!(nanny.wait().unwrap().success());
    assert!(begun.elapsed() < Duration::from_secs(10));
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
}

#[test]
fn check_tells_and_mends() {
    let server = Server::start();
    let client = server.client();
    client.call("queue_put", r#"{"jobs":[{"queue":"q","kind":"k","jid":"a"}]}"#).unwrap();
    let clean = program(&server, &["check"]).output().unwrap();
    assert!(clean.status.success(), "{clean:?}");
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let removed: u32 = redis::cmd("ZREM").arg("{mh}:waiting:q").arg("a").query(&mut redis).unwrap();
    assert_eq!(removed, 1);
    let broken = program(&server, &["check"]).output().unwrap();
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stdout).contains("missing: a is not in {mh}:waiting:q"), "{broken:?}");
    let mended = program(&server, &["check", "--repair"]).output().unwrap();
    assert!(mended.status.success() && String::from_utf8_lossy(&mended.stdout).contains("(mended)"), "{mended:?}");
    assert!(program(&server, &["check"]).output().unwrap().status.success());
}

#[test]
fn a_wrong_url_is_said() {
    let server = Server::start();
    let refused = Command::new(env!("CARGO_BIN_EXE_manyhands")).args(["check", "--url", "http://x"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("UNSUPPORTED_URL"), "{refused:?}");
    drop(server);
}
