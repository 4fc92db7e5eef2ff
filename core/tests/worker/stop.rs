//! Quiet and stop: what is unstarted goes back, what is started is finished, and the threads end promptly.

use std::time::{Duration, Instant};

use manyhands::{Code, Next, Outcome, Worker};

use crate::support::Server;
use crate::{LONG, blocked, finish, next, perform, put, until, view, waiting, worker};

#[test]
fn an_idle_worker_stops_at_once() {
    let server = Server::start();
    let worker = worker(&server.client(), "");
    assert_eq!(worker.next(Duration::ZERO).unwrap(), Next::Empty);
    let host = std::thread::spawn({
        let worker = worker.clone();
        move || worker.next(LONG)
    });
    until("the worker blocks", || blocked(&server) == 1);
    let begun = Instant::now();
    worker.stop(LONG).unwrap();
    assert!(
        begun.elapsed() < Duration::from_millis(900),
        "it did not sit out its wait in Redis: {:?}",
        begun.elapsed()
    );
    assert_eq!(host.join().unwrap().unwrap(), Next::Stopped);
    worker.stop(LONG).unwrap();
    assert_eq!(worker.next(LONG).unwrap(), Next::Stopped);
}

#[test]
fn a_worker_that_never_began_stops_too() {
    let server = Server::start();
    let worker = worker(&server.client(), "");
    worker.stop(LONG).unwrap();
    assert_eq!(worker.next(LONG).unwrap(), Next::Stopped);
}

#[test]
fn a_stop_waits_for_started_jobs_and_releases_the_others() {
    let server = Server::start();
    let client = server.client();
    put(&client, 100, "k");
    let worker = worker(&client, "");
    perform(&worker, 20);
    let last = next(&worker);
    let stopping = std::thread::spawn({
        let worker = worker.clone();
        move || worker.stop(LONG)
    });
    until("unstarted jobs are back", || client.queue("q").counts().unwrap().running == 1);
    assert!(!stopping.is_finished(), "it waits for the started one");
    assert_eq!(worker.running(), 1);
    finish(&worker, &last, Outcome::DONE);
    stopping.join().unwrap().unwrap();
    let counts = client.queue("q").counts().unwrap();
    assert_eq!((counts.running, counts.waiting), (0, 79));
    assert_eq!(view(&client, &last.jid, "/state"), "completed");
}

#[test]
fn a_job_that_outlasts_the_stop_is_left_to_its_lease() {
    let server = Server::start();
    let client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let job = next(&worker);
    worker.stop(Duration::from_millis(10)).unwrap();
    assert_eq!(worker.running(), 1);
    let error = worker.finish(&job.jid, &job.token, Outcome::DONE).unwrap_err();
    assert_eq!((error.code, error.jid.as_deref()), (Code::Closed, Some(job.jid.as_str())));
    assert_eq!(view(&client, &job.jid, "/state"), "running");
}

#[test]
fn a_worker_that_ended_well_is_not_listed() {
    let server = Server::start();
    let client = server.client();
    let names = || client.workers(0, 10).unwrap().items.into_iter().map(|worker| worker.name).collect::<Vec<_>>();
    put(&client, 2, "k");
    let (well, badly) = (worker(&client, ""), worker(&client, ""));
    let (job, left) = (next(&well), next(&badly));
    until("both are listed", || names().len() == 2);
    finish(&well, &job, Outcome::DONE);
    well.stop(LONG).unwrap();
    badly.stop(Duration::ZERO).unwrap();
    assert_eq!(names(), [badly.name()]);
    assert_eq!(view(&client, &job.jid, "/state"), "completed");
    assert_eq!(view(&client, &left.jid, "/worker"), badly.name());
    drop(worker(&client, ""));
    let dropped = worker(&client, "");
    assert_eq!(dropped.next(Duration::ZERO).unwrap(), Next::Empty);
    until("it is listed", || names().len() == 2);
    drop(dropped);
    assert_eq!(names(), [badly.name()]);
}

#[test]
fn a_quiet_worker_finishes_what_it_has() {
    let server = Server::start();
    let client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, ",\"threads\":2");
    let job = next(&worker);
    let other = waiting_for_stop(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    worker.quiet();
    assert_eq!(other.join().unwrap(), Next::Stopped);
    put(&client, 1, "k");
    let answer = worker.finish_wait(&job.jid, &job.token, Outcome::completed(Some("[1]"), "").unwrap());
    assert_eq!(answer.unwrap(), "completed");
    assert_eq!(view(&client, &job.jid, "/result/0"), 1);
    worker.stop(LONG).unwrap();
    assert_eq!(client.queue("q").counts().unwrap().waiting, 1);
    let second = super::worker(&client, "");
    next(&second);
}

fn waiting_for_stop(worker: &Worker) -> std::thread::JoinHandle<Next> {
    let worker = worker.clone();
    std::thread::spawn(move || worker.next(LONG).unwrap())
}

#[test]
fn dropping_the_last_handle_delivers_and_ends_the_threads() {
    let server = Server::start();
    let client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let job = next(&worker);
    finish(&worker, &job, Outcome::retry(0));
    drop(worker);
    assert_eq!(view(&client, &job.jid, "/state"), "waiting");
    assert_eq!(blocked(&server), 0);
    let again = super::worker(&client, "");
    let (job, _) = waiting(&again).join().unwrap();
    assert_eq!(job.retries - job.remaining, 1);
}

#[test]
fn the_native_threads_take_no_signals() {
    let server = Server::start();
    let worker = worker(&server.client(), "");
    let host = waiting_for_stop(&worker);
    until("both threads are at work", || blocked(&server) == 1);
    let mut seen = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        // Threads of other tests come and go.
        let Ok(status) = std::fs::read_to_string(task.unwrap().path().join("status")) else { continue };
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        if matches!(field("Name:"), "mh-runner" | "mh-waiter") {
            let mask = u64::from_str_radix(field("SigBlk:"), 16).unwrap();
            for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGQUIT, libc::SIGUSR1, libc::SIGCHLD, libc::SIGALRM] {
                assert!(mask & (1 << (signal - 1)) != 0, "{signal} {status}");
            }
            seen += 1;
        }
    }
    assert!(seen >= 2);
    worker.stop(LONG).unwrap();
    assert_eq!(host.join().unwrap(), Next::Stopped);
}
