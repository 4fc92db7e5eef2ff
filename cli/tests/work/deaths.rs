//! Processes that end as nobody wants, and servers: no job is lost, and none succeeds twice.

use std::thread;
use std::time::{Duration, Instant};

use manyhands::{Next, Put, Worker};
use serde_json::json;

use crate::master::{Held, Master, PATIENCE, is_gone, kill, until};
use crate::programs::{Program, of_each_program};
use crate::support::{self, Server};

/// No job failed.
fn nothing_failed(master: &Master) {
    let failed = master.client.call("failure_groups", "{}").unwrap();
    assert_eq!(support::member(&failed, "/groups"), json!([]));
}

// A2: a handler that ignores its time limit.
#[test]
fn a_process_with_a_stuck_handler_is_replaced_and_the_neighbour_finishes() {
    let mut master = Master::start(&["--thread-count", "2", "--shutdown-timeout", "3"]);
    let (stuck, neighbour) = (master.put_one("stuck", 1), master.put_one("hold", 0));
    let (first, second) = (master.held(), master.held());
    let (stuck_in, held) = if first.jid == stuck { (first, second) } else { (second, first) };
    assert_eq!((&stuck_in.jid, &held.jid, stuck_in.pid), (&stuck, &neighbour, held.pid));
    master.says("has a handler that does not end");
    until("another serves", || master.workers().iter().any(|pid| *pid != i64::from(held.pid)));
    let old = held.pid;
    held.finish();
    until("the neighbour is done", || master.view(&neighbour, "/state") == "completed");
    let again = master.held();
    assert!(again.jid == stuck && again.pid != old && is_gone(old));
    assert_eq!(master.view(&stuck, "/remaining"), 0, "it cost a retry");
    until("that was its last", || master.view(&stuck, "/state") == "failed");
    assert_eq!(master.view(&stuck, "/failure/group"), "failed-retries-q");
}

// A2 A3
#[test]
fn no_process_begins_more_jobs_than_it_may_under_load() {
    const JOBS: usize = 3_000;
    let mut master = Master::start(&["--jobs-per-fork", "100", "--worker-count", "2", "--thread-count", "2"]);
    master.put("work", JOBS);
    until("all is done", || master.ended_runs() == JOBS as u64);
    master.signal(libc::SIGQUIT);
    assert_eq!(master.status(), 0);
    let of_process = master.each_began_once(JOBS);
    assert!(of_process.values().all(|jobs| *jobs <= 100), "{of_process:?}");
    assert!(of_process.len() >= JOBS / 100);
    assert_eq!(master.counts(), (0, 0));
    nothing_failed(&master);
}

// A2: only what had begun, and did not end in time, pays.
#[test]
fn a_busy_process_with_too_much_memory_is_killed_at_the_cost_of_the_job_it_ran() {
    let mut master = Master::start(&["--max-memory-mb", "64", "--thread-count", "2", "--shutdown-timeout", "3"]);
    let (bloat, neighbour) = (master.put_one("bloat", 2), master.put_one("hold", 2));
    let held = [master.held(), master.held()];
    let pid = held[0].pid;
    master.says("more than 64; it is replaced");
    until("it takes no more", || {
        let is_old = |status: &&serde_json::Value| status["pid"] == pid;
        master.statuses().iter().find(is_old).is_none_or(|status| status["quiet"] == true)
    });
    let waiting = master.put_one("hold", 2);
    held.into_iter().filter(|held| held.jid == neighbour).for_each(Held::finish);
    let next = [master.held(), master.held()];
    assert_eq!([&next[0].jid, &next[1].jid], [&waiting, &bloat]);
    assert!(next.iter().all(|held| held.pid != pid) && is_gone(pid));
    assert_eq!((master.view(&bloat, "/remaining"), master.view(&waiting, "/remaining")), (json!(1), json!(2)));
    assert_eq!(master.view(&neighbour, "/state"), "completed");
}

// A2: the neighbours of a job that kills its process are run again until it has failed.
fn neighbours_survive_a_job_that_always_crashes(program: Program) {
    let master = Master::of(program, Server::start(), &["--thread-count", "2"], &[]);
    let neighbour = master.put_one("hold", 5);
    let mut held = master.held();
    let crash = master.put_one("crash", 2);
    until("it has failed", || master.view(&crash, "/state") == "failed");
    assert_eq!(master.view(&crash, "/failure/group"), "failed-retries-q");
    while is_gone(held.pid) {
        held = master.held();
    }
    held.finish();
    until("the neighbour is done", || master.view(&neighbour, "/state") == "completed");
}

of_each_program! {
    neighbours_survive_a_job_that_always_crashes
    a_stuck_handler_ends_a_process_without_a_master_when_the_neighbour_has_finished
    a_stuck_handler_and_its_neighbour_end_with_their_process_after_the_shutdown_timeout
    a_killed_process_costs_its_job_a_retry_and_no_time
    when_the_master_is_killed_its_processes_end_by_themselves
    what_runs_when_master_and_process_are_killed_together_runs_again
    one_that_sleeps_beyond_its_lease_does_not_succeed_a_second_time
    a_restart_of_redis_under_load_loses_nothing_and_repeats_nothing
}

/// A process alone in which a job of `neighbour` runs, and beside it one that outlasts its timeout: the first has said that it runs.
fn alone_with_a_stuck_job(program: Program, neighbour: &str, shutdown_timeout: &str) -> (Master, Held, String) {
    let options = ["--run-as-single-process", "--thread-count", "2"];
    let variables = [("KILL_TIMEOUT", "0.05"), ("SHUTDOWN_TIMEOUT", shutdown_timeout)];
    let alone = Master::of(program, Server::start(), &options, &variables);
    alone.put_one(neighbour, 1);
    let held = alone.held();
    let stuck = alone.put_one("stuck", 1);
    (alone, held, stuck)
}

fn a_stuck_handler_ends_a_process_without_a_master_when_the_neighbour_has_finished(program: Program) {
    let (mut alone, neighbour, stuck) = alone_with_a_stuck_job(program, "hold", "25");
    let _held = alone.held();
    until("it takes no more jobs", || alone.all_quiet());
    let jid = neighbour.jid.clone();
    neighbour.finish();
    assert_eq!(alone.status(), 70);
    assert_eq!(alone.view(&jid, "/state"), "completed");
    // Given back at the cost of a retry.
    assert_eq!((alone.view(&stuck, "/remaining"), alone.counts()), (json!(0), (1, 0)));
}

fn a_stuck_handler_and_its_neighbour_end_with_their_process_after_the_shutdown_timeout(program: Program) {
    let (mut alone, _neighbour, stuck) = alone_with_a_stuck_job(program, "stubborn", "0.2");
    assert_eq!(alone.status(), 70);
    assert_eq!((alone.view(&stuck, "/remaining"), alone.counts()), (json!(0), (2, 0)));
}

// A2: the retry is spent, and the job is elsewhere within a second.
fn a_killed_process_costs_its_job_a_retry_and_no_time(program: Program) {
    let mut master = Master::of(program, Server::start(), &["--worker-count", "2"], &[]);
    until("two workers", || master.workers().len() == 2);
    master.put("hold", 1);
    let first = master.held();
    let begun = Instant::now();
    kill(first.pid, libc::SIGKILL);
    let second = master.held();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(second.jid, first.jid);
    assert_ne!(second.pid, first.pid);
    assert_eq!(master.view(&first.jid, "/remaining"), 1);
    assert!(master.says("died of signal 9").contains("another comes up"));
    second.finish();
    until("the job is done", || master.view(&first.jid, "/state") == "completed");
}

fn when_the_master_is_killed_its_processes_end_by_themselves(program: Program) {
    let mut master = Master::of(program, Server::start(), &["--worker-count", "2"], &[]);
    master.put("hold", 2);
    let (first, second) = (master.held(), master.held());
    let (pids, jids) = ([first.pid, second.pid], [first.jid.clone(), second.jid.clone()]);
    master.child.kill().unwrap();
    master.child.wait().unwrap();
    until("they take no more jobs", || master.all_quiet());
    master.put("done", 1);
    first.finish();
    second.finish();
    until("both are gone", || pids.iter().all(|pid| is_gone(*pid)));
    assert!(jids.iter().all(|jid| master.view(jid, "/state") == "completed"));
    assert_eq!(master.counts(), (1, 0));
}

fn what_runs_when_master_and_process_are_killed_together_runs_again(program: Program) {
    let mut master = Master::of(program, Server::start(), &[], &[]);
    let jid = master.put_one("hold", 1);
    let held = master.held();
    master.child.kill().unwrap();
    kill(held.pid, libc::SIGKILL);
    master.child.wait().unwrap();
    let other = Worker::open(&master.client, r#"{"queues":["q"]}"#).unwrap();
    assert_eq!(other.next(Duration::ZERO).unwrap(), Next::Empty, "its lease holds");
    let next = thread::scope(|scope| {
        let next = scope.spawn(|| other.next(PATIENCE).unwrap());
        master.lease_runs_out(&jid);
        next.join().unwrap()
    });
    let Next::Job(job) = next else { panic!("the job is lost") };
    assert_eq!((job.jid, job.remaining), (jid, 0), "it cost a retry");
}

fn one_that_sleeps_beyond_its_lease_does_not_succeed_a_second_time(program: Program) {
    let mut master = Master::of(program, Server::start(), &["--worker-count", "2", "--verbose"], &[]);
    let jid = master.put_one("heedless", 2);
    let slept = master.held();
    let pid = slept.pid;
    kill(pid, libc::SIGSTOP);
    master.lease_runs_out(&jid);
    let other = master.held();
    let other_pid = other.pid;
    assert!(other.jid == jid && other_pid != pid);
    other.finish();
    until("it is done", || master.view(&jid, "/state") == "completed");
    slept.finish();
    kill(pid, libc::SIGCONT);
    let lost = master.says(" lost ");
    assert!(lost.contains(&format!(":{pid}:")) && lost.contains(&jid), "{lost}");
    master.put("hold", 2);
    let both = [master.held(), master.held()];
    assert!(both.iter().any(|held| held.pid == pid), "it goes on");
    assert_eq!(master.ended_runs(), 1, "one success");
    assert_eq!(master.view(&jid, "/result"), other_pid, "that of the other");
    assert_eq!(master.view(&jid, "/remaining"), 1);
    both.into_iter().for_each(Held::finish);
}

fn a_restart_of_redis_under_load_loses_nothing_and_repeats_nothing(program: Program) {
    const JOBS: usize = 600;
    let server = Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut master = Master::of(program, server, &["--worker-count", "2", "--thread-count", "2"], &[]);
    let jobs = master.client.queue("q").put_many((0..JOBS).map(|_| Put::new("work").retries(3))).unwrap();
    for done in [JOBS / 4, JOBS / 2] {
        until("some are done", || master.begun().len() >= done);
        master.server.kill();
        master.server.start_again();
    }
    until("all are done", || master.ended_runs() == JOBS as u64);
    let untouched = |jid: &str| (master.view(jid, "/state"), master.view(jid, "/remaining"));
    assert!(jobs.iter().all(|job| untouched(&job.jid) == (json!("completed"), json!(3))));
    master.each_began_once(JOBS);
    assert_eq!(master.counts(), (0, 0));
    nothing_failed(&master);
    master.signal(libc::SIGQUIT);
    assert_eq!(master.status(), 0);
}
