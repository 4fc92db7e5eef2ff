//! The examples of a worker process, kept by a master.

use std::path::Path;
use std::process::Command;

use manyhands::Put;

use crate::master::{Master, until};
use crate::programs::{built, c, profile, root, succeed};
use crate::support::{self, Server};

/// Jobs are performed, the settings hold, processes are replaced, and QUIT ends it well.
fn serves(program: &Path) {
    let server = Server::start();
    let queue = server.client();
    let queue = queue.queue("mail");
    queue.put_many((0..20).map(|_| Put::new("hello").data(r#"{"name": "world"}"#).retries(0))).unwrap();
    let options = ["--worker-count", "2", "--thread-count", "3", "--jobs-per-fork", "5", "--verbose"];
    let variables = [("QUEUES", "mail")];
    let mut master = Master::start_program(server, &options, &variables, &[program.to_str().unwrap()]);
    until("all is done", || {
        let figures = master.client.call("queue_stats", r#"{"queue":"mail"}"#).unwrap();
        support::member(&figures, "/run/count") == 20
    });
    until("four have gone, two serve", || {
        let statuses = master.statuses();
        statuses.len() == 2 && statuses.iter().all(|status| status["quiet"] == false && status["threads"] == 3)
    });
    master.says("kind=hello");
    master.client.queue("mail").put(Put::new("other")).unwrap();
    until("what has no handler is not held", || {
        master.client.queue("mail").counts().is_ok_and(|counts| counts.running == 0)
    });
    master.signal(libc::SIGQUIT);
    assert_eq!(master.status(), 0);
    assert_eq!(master.statuses(), [] as [serde_json::Value; 0]);
}

/// Without a master: TTIN says what runs, QUIT ends it well.
fn obeys(program: &Path) {
    let program = [program.to_str().unwrap()];
    let mut alone = Master::start_program(Server::start(), &["--run-as-single-process"], &[], &program);
    until("it serves", || !alone.workers().is_empty());
    alone.signal(libc::SIGTTIN);
    alone.says("performs no job");
    alone.signal(libc::SIGQUIT);
    assert_eq!(alone.status(), 0);
    assert_eq!(alone.statuses(), [] as [serde_json::Value; 0]);
}

/// Nonsense is told by its name, with status 2.
fn refuses(program: &Path) {
    let output = Command::new(program).env("THREAD_COUNT", "many").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("THREAD_COUNT many is not a whole number"), "{said}");
    assert_eq!(output.status.code(), Some(2), "{said}");
}

#[test]
fn rust_serves() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--locked", "--quiet", "--profile", profile(), "-p", "manyhands", "--example", "worker"]);
    succeed(cargo.current_dir(root()));
    let program = built().join("examples/worker");
    serves(&program);
    obeys(&program);
    refuses(&program);
}

#[test]
fn c_serves() {
    let program = c("examples/c/worker.c", "worker");
    serves(&program);
    obeys(&program);
    refuses(&program);
}
