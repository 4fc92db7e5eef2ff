//! Processes that are replaced before what they leak grows: no job is lost, or performed twice.

use manyhands::Put;

use crate::master::{Master, until};
use crate::programs::{Program, of_each_program};
use crate::support::Server;

/// Bytes that a job of kind `leak` keeps for ever: 20 MB in the life of a process.
pub const LEAK: usize = 200_000;

const JOBS: usize = 10_000;

const PER_FORK: usize = 100;

/// Most that the tree may have beside what it began with: the leaks of two processes, and what two successors are.
const ROOM: u64 = 80_000_000;

of_each_program! {
    a_leak_stays_small_and_every_job_is_performed_once
}

// A2 A3
fn a_leak_stays_small_and_every_job_is_performed_once(program: Program) {
    let options = ["--jobs-per-fork", &PER_FORK.to_string(), "--thread-count", "2"];
    let mut master = Master::of(program, Server::start(), &options, &[]);
    until("it serves", || master.workers().len() == 1);
    let before = master.memory();
    master.client.queue("q").put_many((0..JOBS).map(|_| Put::new("leak").retries(0))).unwrap();
    let mut most = 0;
    for done in (PER_FORK / 4..=JOBS).step_by(PER_FORK / 4) {
        until("some are done", || master.ended_runs() >= done as u64);
        most = master.memory().max(most);
    }
    println!("{program:?}: {before} bytes before, at most {most} of {} leaked", JOBS * LEAK);
    assert!(most > before + (PER_FORK * LEAK / 2) as u64, "it was seen");
    assert!(most < before + ROOM, "{most} bytes, and {before} before");
    master.signal(libc::SIGQUIT);
    assert_eq!((master.status(), master.counts()), (0, (0, 0)));
    let of_process = master.each_began_once(JOBS);
    assert!(of_process.values().all(|jobs| *jobs <= PER_FORK), "{of_process:?}");
    assert!(of_process.len() >= JOBS / PER_FORK);
}
