//! Pause and resume: no jobs for a while, and the worker lives on.

use std::time::Duration;

use manyhands::{Next, Outcome};

use crate::support::Server;
use crate::{LONG, blocked, finish, next, perform, put, until, view, waiting, worker};

#[test]
fn a_paused_worker_gives_back_unstarted_jobs_and_finishes_started_ones() {
    let server = Server::start();
    let client = server.client();
    put(&client, 100, "k");
    let worker = worker(&client, "");
    perform(&worker, 20);
    let started = next(&worker);
    worker.pause();
    assert!(worker.is_paused());
    until("unstarted jobs are back", || client.queue("q").counts().unwrap().running == 1);
    assert_eq!(worker.next(Duration::ZERO).unwrap(), Next::Empty);
    assert_eq!(
        worker.finish_wait(&started.jid, &started.token, Outcome::DONE).unwrap(),
        "completed",
        "outcomes are flushed as ever"
    );
    assert_eq!(client.queue("q").counts().unwrap().waiting, 79);
    worker.resume();
    assert!(!worker.is_paused());
    let job = next(&worker);
    finish(&worker, &job, Outcome::DONE);
    worker.stop(LONG).unwrap();
    assert_eq!(view(&client, &job.jid, "/state"), "completed");
}

#[test]
fn a_thread_that_waits_through_a_pause_has_a_job_after_it() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    let host = waiting(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    worker.pause();
    put(&client, 1, "k");
    until("the token is taken and passed on", || blocked(&server) == 0);
    assert_eq!(client.queue("q").counts().unwrap().waiting, 1, "it is left to others");
    worker.resume();
    let (job, _) = host.join().unwrap();
    finish(&worker, &job, Outcome::DONE);
}

#[test]
fn a_paused_worker_falls_quiet_and_stops() {
    let server = Server::start();
    let worker = worker(&server.client(), "");
    worker.pause();
    let host = std::thread::spawn({
        let worker = worker.clone();
        move || worker.next(LONG)
    });
    worker.quiet();
    assert_eq!(host.join().unwrap().unwrap(), Next::Stopped);
    worker.stop(LONG).unwrap();
}
