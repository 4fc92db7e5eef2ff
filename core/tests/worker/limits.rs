//! The time a handler may take, and the number of jobs a worker starts.

use std::time::Duration;

use manyhands::{Next, Outcome};

use crate::support::Server;
use crate::{LONG, finish, next, put, until, waiting, worker};

#[test]
fn a_handler_that_runs_too_long_is_told_once_and_then_stuck() {
    let server = Server::start();
    let client = server.client();
    put(&client, 2, "slow");
    let worker = worker(&client, r#","threads":2,"timeouts":{"slow":1},"kill_timeout_ms":1"#);
    let (first, second) = (next(&worker), next(&worker));
    until("both are late", || worker.interrupted(&second.jid, &second.token).is_some());
    let mut told: Vec<_> = worker.take_interrupts().into_iter().map(|one| (one.jid, one.reason)).collect();
    told.sort();
    let mut all = [&first, &second].map(|job| (job.jid.clone(), "timeout".to_owned()));
    all.sort();
    assert_eq!(told, all);
    assert_eq!(worker.take_interrupts(), []);
    for job in [&first, &second] {
        until("one that still runs is stuck", || worker.is_stuck());
        finish(&worker, job, Outcome::retry(0));
    }
    assert!(!worker.is_stuck(), "it ended after all");
}

#[test]
fn a_kind_without_a_time_may_take_all_it_wants() {
    let server = Server::start();
    let client = server.client();
    put(&client, 2, "k");
    let worker = worker(&client, r#","threads":2,"timeouts":{"slow":1},"kill_timeout_ms":0"#);
    let job = next(&worker);
    // By the time another has come and gone a millisecond is over.
    let other = next(&worker);
    worker.finish_wait(&other.jid, &other.token, Outcome::DONE).unwrap();
    assert_eq!((worker.interrupted(&job.jid, &job.token), worker.is_stuck()), (None, false));
    finish(&worker, &job, Outcome::DONE);
}

#[test]
fn a_worker_starts_no_more_jobs_than_its_limit_and_never_holds_more() {
    let server = Server::start();
    let client = server.client();
    put(&client, 300, "k");
    let worker = worker(&client, r#","threads":2,"max_jobs":100"#);
    for started in 1..=100 {
        let job = next(&worker);
        let counts = client.queue("q").counts().unwrap();
        assert!(counts.waiting >= 200, "{} are taken by the {started}. start", 300 - counts.waiting);
        assert_eq!(worker.is_spent(), started > 98, "{started}");
        finish(&worker, &job, Outcome::DONE);
    }
    assert_eq!(worker.next(LONG).unwrap(), Next::Stopped);
    worker.stop(LONG).unwrap();
    let counts = client.queue("q").counts().unwrap();
    assert_eq!((counts.waiting, counts.running), (200, 0));
}

#[test]
fn a_thread_that_waits_while_another_starts_the_last_job_is_told() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, r#","threads":2,"max_jobs":1"#);
    let threads = [(); 2].map(|()| {
        let worker = worker.clone();
        std::thread::spawn(move || worker.next(LONG).unwrap())
    });
    assert!(!worker.is_spent(), "before its first start it is fresh");
    put(&client, 2, "k");
    let ends = threads.map(|thread| thread.join().unwrap());
    assert_eq!(ends.iter().filter(|end| **end == Next::Stopped).count(), 1, "{ends:?}");
    assert!(worker.is_spent());
    let Some(Next::Job(job)) = ends.into_iter().find(|end| *end != Next::Stopped) else { panic!("no job") };
    finish(&worker, &job, Outcome::DONE);
    worker.stop(LONG).unwrap();
    let successor = super::worker(&client, "");
    waiting(&successor).join().unwrap();
    assert_eq!(successor.next(Duration::ZERO).unwrap(), Next::Empty);
}
