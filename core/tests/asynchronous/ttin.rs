//! TTIN to a program whose handlers are futures: it says what runs; there is no thread to say where.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use manyhands::{Client, Put};

use crate::handlers::{LONG, view, worker};
use crate::support::Server;
use crate::threaded;

const URL: &str = "MH_TEST_URL";

/// Not a test but the program of the other.
#[test]
#[ignore = "started by the other"]
fn program() {
    let client = Client::open(Some(&std::env::var(URL).unwrap()), "").unwrap();
    let worker = worker(&client, r#","threads":2"#);
    worker.obey_signals().unwrap();
    let performing = worker.clone();
    let endless = |job: manyhands::Job| {
        eprintln!("begun {}", job.jid);
        std::future::pending()
    };
    threaded(async move { performing.run_async(endless).await }).unwrap();
    worker.stop(LONG).unwrap();
}

/// A process that does not outlive its test.
struct Program(Child);

impl Program {
    fn signal(&self, signal: libc::c_int) {
        // SAFETY: a signal to a child of ours that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.0.id().cast_signed(), signal) }, 0);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Reads until each of these was part of a line.
fn says(said: &mut impl BufRead, wanted: impl IntoIterator<Item = String>) {
    let mut missing: BTreeSet<String> = wanted.into_iter().collect();
    let mut line = String::new();
    while !missing.is_empty() {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it never said {missing:?}");
        missing.retain(|wanted| !line.contains(wanted));
    }
}

#[test]
fn ttin_says_which_futures_run_and_that_they_have_no_thread() {
    let server = Server::start();
    let client = server.client();
    let jids = [(); 2].map(|()| client.queue("q").put(Put::new("k")).unwrap().jid);
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--ignored", "--exact", "ttin::program", "--nocapture"]).env(URL, server.url());
    let mut program = Program(program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(program.0.stderr.take().unwrap());
    says(&mut said, jids.each_ref().map(|jid| format!("begun {jid}")));
    program.signal(libc::SIGTTIN);
    let what = jids.each_ref().map(|jid| format!(" performs job {jid} (k, queue q) for "));
    let place = jids.each_ref().map(|jid| format!(", job {jid}: a future has no thread of its own"));
    says(&mut said, what.into_iter().chain(place));
    program.signal(libc::SIGTERM);
    assert!(program.0.wait().unwrap().success());
    assert_eq!(jids.map(|jid| view(&client, &jid, "/state")), ["waiting", "waiting"]);
}
