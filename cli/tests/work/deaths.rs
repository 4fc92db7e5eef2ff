//! Processes that end as nobody wants, and servers: no job is lost, and none succeeds twice.

use std::collections::{BTreeMap, BTreeSet};

use manyhands::{Next, Put, Worker};
use serde_json::json;

use crate::master::{Held, Master, PATIENCE, is_gone, kill, until};
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
    let begun = master.begun();
    let mut of_process = BTreeMap::new();
    for (pid, _) in &begun {
        *of_process.entry(*pid).or_insert(0) += 1;
    }
    assert!(of_process.values().all(|jobs| *jobs <= 100), "{of_process:?}");
    assert!(of_process.len() >= JOBS / 100);
    assert_eq!(begun.iter().map(|(_, jid)| jid).collect::<BTreeSet<_>>().len(), JOBS);
    assert_eq!((begun.len(), master.counts()), (JOBS, (0, 0)), "each once");
    nothing_failed(&master);
}

#[test]
fn what_runs_when_master_and_process_are_killed_together_runs_again() {
    let mut master = Master::start(&[]);
    master.set("heartbeat", 400);
    master.set("grace-period", 100);
    let jid = master.put_one("hold", 1);
    let held = master.held();
    master.child.kill().unwrap();
    kill(held.pid, libc::SIGKILL);
    master.child.wait().unwrap();
    let other = Worker::open(&master.client, r#"{"queues":["q"]}"#).unwrap();
    let Next::Job(job) = other.next(PATIENCE).unwrap() else { panic!("the job is lost") };
    assert_eq!((job.jid, job.remaining), (jid, 0), "it cost a retry");
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
#[test]
fn neighbours_survive_a_job_that_always_crashes() {
    let master = Master::start(&["--thread-count", "2"]);
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

#[test]
fn one_that_sleeps_beyond_its_lease_does_not_succeed_a_second_time() {
    let mut master = Master::start(&["--worker-count", "2", "--verbose"]);
    master.set("heartbeat", 400);
    master.set("grace-period", 100);
    let jid = master.put_one("hold", 2);
    let slept = master.held();
    let pid = slept.pid;
    kill(pid, libc::SIGSTOP);
    let other = master.held();
    assert!(other.jid == jid && other.pid != pid);
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
    both.into_iter().for_each(Held::finish);
}

#[test]
fn a_restart_of_redis_under_load_loses_nothing() {
    const JOBS: usize = 600;
    let server = Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let mut master = Master::start_on(server, &["--worker-count", "2", "--thread-count", "2"], &[]);
    let jobs = master.client.queue("q").put_many((0..JOBS).map(|_| Put::new("work").retries(3))).unwrap();
    for done in [JOBS / 4, JOBS / 2] {
        until("some are done", || master.begun().len() >= done);
        master.server.kill();
        master.server.start_again();
    }
    until("all are done", || master.ended_runs() == JOBS as u64);
    assert!(jobs.iter().all(|job| master.view(&job.jid, "/state") == "completed"));
    assert_eq!(master.counts(), (0, 0));
    nothing_failed(&master);
    master.signal(libc::SIGQUIT);
    assert_eq!(master.status(), 0);
}
