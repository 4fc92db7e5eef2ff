//! Leases that are lost: to expiry, to the death of a worker's process, to a fork.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use manyhands::{Client, Code, Next, Outcome};

use crate::support::{Server, fork};
use crate::{LONG, configure, finish, losses, next, put, until, view, worker};

/// Leases of that length, which end without grace.
fn short_leases(client: &Client, lease_ms: u64) {
    configure(client, "heartbeat", lease_ms);
    configure(client, "grace-period", 0);
}

/// Puts the engine's clock forward.
fn pass(client: &Client, ms: u64) {
    let now = client.config().get("test-clock", None).unwrap().map_or_else(now_ms, |now| now as u64);
    configure(client, "test-clock", now + ms);
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

#[test]
fn a_lost_lease_is_told_and_its_outcome_refused() {
    let server = Server::start();
    let client = server.client();
    short_leases(&client, 3_000);
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let told = losses(&worker);
    let job = next(&worker);
    assert_eq!(worker.lost(&job.jid, &job.token), None);
    let other = client.clone();
    until("another takes the job", || {
        pass(&client, 3_001);
        !other.queue("q").reserve(1).unwrap().jobs.is_empty()
    });
    assert_eq!(told.recv_timeout(LONG).unwrap(), "expired");
    assert_eq!(worker.lost(&job.jid, &job.token).unwrap(), "expired");
    assert_eq!(worker.heartbeat(&job.jid, &job.token).unwrap_err().code, Code::LockLost);
    let lost = worker.finish_wait(&job.jid, &job.token, Outcome::DONE).unwrap_err();
    assert_eq!((lost.code, lost.reason.as_deref()), (Code::LockLost, Some("expired")));
    assert_eq!((lost.operation.as_deref(), lost.jid.as_deref()), (Some("job_complete"), Some(job.jid.as_str())));
    let refused = worker.take_refused();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].jid.as_str(), refused[0].token.as_str()), (job.jid.as_str(), job.token.as_str()));
    assert_eq!((refused[0].operation.as_str(), refused[0].reason.as_str()), ("job_complete", "expired"));
    assert_ne!(view(&client, &job.jid, "/state"), "completed");
}

#[test]
fn pulses_keep_the_lease_of_a_long_job() {
    let server = Server::start();
    let client = server.client();
    configure(&client, "heartbeat", 3_000);
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let job = next(&worker);
    let lease_until = || view(&client, &job.jid, "/lease_until_ms").as_u64().unwrap();
    let first = lease_until();
    until("a pulse renews the lease", || lease_until() > first);
    assert_eq!(worker.lost(&job.jid, &job.token), None);
    finish(&worker, &job, Outcome::DONE);
}

#[test]
fn a_job_outlasts_leases_shorter_than_a_second() {
    let server = Server::start();
    let client = server.client();
    short_leases(&client, 300);
    put(&client, 1, "k");
    pass(&client, 0);
    let worker = worker(&client, "");
    let job = next(&worker);
    let begun = Instant::now();
    for _ in 0..8 {
        let before = view(&client, &job.jid, "/lease_until_ms").as_u64();
        pass(&client, 200);
        until("a pulse renews the lease", || view(&client, &job.jid, "/lease_until_ms").as_u64() > before);
        assert_eq!(client.queue("q").reserve(1).unwrap().jobs, []);
    }
    // Eight pulses at the usual one a second would take longer; at a third of the lease they take 0.8 s.
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    assert_eq!(worker.lost(&job.jid, &job.token), None);
    finish(&worker, &job, Outcome::DONE);
    worker.stop(LONG).unwrap();
    assert_eq!(view(&client, &job.jid, "/state"), "completed");
}

#[test]
fn an_outcome_the_engine_cannot_take_becomes_the_jobs_error() {
    let server = Server::start();
    let client = server.client();
    configure(&client, "max-data", 1_000);
    put(&client, 3, "k");
    let worker = worker(&client, ",\"threads\":3");
    let jobs: Vec<_> = (0..3).map(|_| next(&worker)).collect();
    let bad = worker.finish(&jobs[0].jid, &jobs[0].token, with_result("{".to_owned())).unwrap_err();
    assert_eq!((bad.code, worker.running()), (Code::InvalidArgument, 3), "still in hand");
    for (job, length) in jobs.iter().zip([10, 2_000, 10]) {
        finish(&worker, job, with_result("1".repeat(length)));
    }
    worker.stop(LONG).unwrap();
    let states: Vec<_> = jobs.iter().map(|job| view(&client, &job.jid, "/state")).collect();
    assert_eq!(states, ["completed", "scheduled", "completed"]);
    assert_eq!(view(&client, &jobs[1].jid, "/failure/group"), "k:INVALID_ARGUMENT");
    assert!(worker.take_refused()[0].reason.contains("max-data"));
}

fn with_result(json: String) -> Outcome {
    Outcome::completed(Some(&json), "").unwrap()
}

#[test]
fn a_job_is_finished_once_and_only_where_it_is_in_hand() {
    let server = Server::start();
    let client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let job = next(&worker);
    let wrong = |jid: &str, token: &str| worker.finish(jid, token, Outcome::DONE).unwrap_err().code;
    assert_eq!(wrong("nobody", &job.token), Code::WrongState);
    assert_eq!(wrong(&job.jid, "1"), Code::WrongState);
    finish(&worker, &job, Outcome::DONE);
    assert_eq!(wrong(&job.jid, &job.token), Code::WrongState);
}

#[test]
fn the_jobs_of_a_killed_process_run_again() {
    let server = Server::start();
    let client = server.client();
    short_leases(&client, 100);
    put(&client, 1, "k");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["loss::victim", "--exact", "--ignored", "--nocapture"])
        .env("WORKER_TEST_URL", server.url())
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(victim.stdout.take().unwrap());
    let taken = output.lines().map(Result::unwrap).find_map(|line| line.split("took ").nth(1).map(str::to_owned));
    victim.kill().unwrap();
    victim.wait().unwrap();
    let worker = worker(&client, "");
    let job = next(&worker);
    assert_eq!(Some(&job.jid), taken.as_ref());
    assert_eq!(job.retries - job.remaining, 1, "the lost lease spent a retry");
    configure(&client, "heartbeat", 60_000);
    // The lease was short: it may have run out meanwhile.
    let ended = worker.finish_wait(&job.jid, &job.token, Outcome::DONE);
    assert!(ended.as_ref().map_or_else(|lost| lost.code == Code::LockLost, |state| state == "completed"), "{ended:?}");
}

/// The process that is killed: takes a job, says so, and never finishes it.
#[test]
#[ignore = "a part of the_jobs_of_a_killed_process_run_again"]
fn victim() {
    let client = Client::open(Some(&std::env::var("WORKER_TEST_URL").unwrap()), "{}").unwrap();
    let worker = worker(&client, "");
    println!("took {}", next(&worker).jid);
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_forked_child_is_told_to_open_its_own_worker() {
    let server = Server::start();
    let client = server.client();
    put(&client, 1, "k");
    let worker = worker(&client, "");
    let job = next(&worker);
    let pid = fork::forked({
        let (worker, job) = (worker.clone(), job.clone());
        std::panic::AssertUnwindSafe(move || {
            let errors = [
                worker.next(LONG).map(drop).unwrap_err(),
                worker.finish(&job.jid, &job.token, Outcome::DONE).unwrap_err(),
                worker.heartbeat(&job.jid, &job.token).map(drop).unwrap_err(),
                worker.stop(LONG).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.code, Code::Closed);
                assert!(error.message.contains("forked child must open its own"), "{error}");
            }
            worker.quiet();
            assert_eq!((worker.running(), worker.take_refused()), (0, vec![]));
            let own = super::worker(&client, "");
            assert_eq!(own.next(Duration::ZERO).unwrap(), Next::Empty);
            drop((worker, own));
        })
    });
    assert!(fork::succeeded(pid));
    assert_eq!(worker.running(), 1);
}
