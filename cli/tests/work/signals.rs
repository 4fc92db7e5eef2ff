//! Every signal to one process: to one of the two that a master keeps, and to one without a master. Those to a master are in
//! `main`.

use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use crate::master::{Held, Master, kill, until};
use crate::programs::Program;
use crate::support::Server;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tier {
    One,
    Single,
}

const TIERS: [Tier; 2] = [Tier::One, Tier::Single];

thread_local! {
    /// What the test of this thread sends signals to.
    static PROGRAM: Cell<Program> = const { Cell::new(Program::Rust) };
}

macro_rules! also_of_c {
    ($($name:ident)*) => {
        mod c {
            $(
                #[test]
                fn $name() {
                    super::PROGRAM.set(super::Program::C);
                    super::$name();
                }
            )*
        }
    };
}

also_of_c! {
    quit_ends_after_the_running_jobs
    quit_ends_after_the_shutdown_timeout
    term_and_int_interrupt_and_end
    term_ends_also_when_handlers_do_not
    a_process_alone_leaves_handlers_the_kill_timeout
    a_second_term_ends_one_at_once
    usr1_interrupts_and_the_process_goes_on
    usr2_pauses_and_cont_resumes
    hup_ends_one_as_it_ends_any_program
    ttin_tells_the_log_what_runs
}

/// A tier in which two jobs run, in two processes where there are several. The first job's process gets the signals.
struct Table {
    tier: Tier,
    master: Master,
    pid: i32,
    jids: [String; 2],
}

impl Table {
    fn new(tier: Tier, kind: &str) -> (Table, Held, Held) {
        Table::within(tier, kind, "20", "2")
    }

    fn within(tier: Tier, kind: &str, shutdown_timeout: &str, kill_timeout: &str) -> (Table, Held, Held) {
        let options: &[&str] = match tier {
            Tier::One => &["--worker-count", "2"],
            Tier::Single => &["--run-as-single-process", "--thread-count", "2"],
        };
        let variables = [("SHUTDOWN_TIMEOUT", shutdown_timeout), ("KILL_TIMEOUT", kill_timeout)];
        let master = Master::of(PROGRAM.get(), Server::start(), options, &variables);
        if tier == Tier::One {
            until("two workers", || master.workers().len() == 2);
        }
        master.put(kind, 2);
        let (first, second) = (master.held(), master.held());
        assert_eq!(first.pid == second.pid, tier == Tier::Single);
        let (pid, jids) = (first.pid, [first.jid.clone(), second.jid.clone()]);
        (Table { tier, master, pid, jids }, first, second)
    }

    fn signal(&self, signal: i32) {
        kill(self.pid, signal);
    }

    fn is(&self, member: &str) -> bool {
        self.master.statuses().iter().any(|status| status["pid"] == self.pid && status[member] == true)
    }

    fn remaining(&self) -> serde_json::Value {
        self.master.view(&self.jids[0], "/remaining")
    }

    fn all_done(&self) {
        until("both are done", || self.jids.iter().all(|jid| self.master.view(jid, "/state") == "completed"));
    }

    /// The process has ended so; its master has another instead.
    fn has_ended(&mut self, status: i32) {
        match self.tier {
            Tier::One => {
                let said = self.master.says(&format!("(pid {}) ended", self.pid));
                assert!(said.contains(&format!("with status {status}; another comes up")), "{said}");
            }
            Tier::Single => assert_eq!(self.master.status(), status),
        }
    }

    /// The first job has lost nothing, and no lease had to end for it: another process has it, or any could.
    fn is_given_back(&self) {
        match self.tier {
            Tier::One => drop(self.runs_elsewhere()),
            Tier::Single => assert_eq!((self.master.counts(), self.remaining()), ((2, 0), 2.into())),
        }
    }

    /// The first job runs again, elsewhere, and has lost nothing.
    fn runs_elsewhere(&self) -> Held {
        let again = self.master.held();
        assert_eq!((&again.jid, self.remaining()), (&self.jids[0], 2.into()));
        assert_ne!(again.pid, self.pid);
        again
    }
}

// A5 A6
#[test]
fn quit_ends_after_the_running_jobs() {
    for tier in TIERS {
        let (mut table, first, second) = Table::new(tier, "hold");
        table.signal(libc::SIGQUIT);
        until("it is quiet", || table.is("quiet"));
        first.finish();
        if tier == Tier::One {
            table.has_ended(0);
        }
        second.finish();
        if tier == Tier::Single {
            table.has_ended(0);
        }
        table.all_done();
    }
}

#[test]
fn quit_ends_after_the_shutdown_timeout() {
    for tier in TIERS {
        let (mut table, _first, _second) = Table::within(tier, "stubborn", "0.3", "2");
        table.signal(libc::SIGQUIT);
        table.has_ended(131);
        table.is_given_back();
    }
}

// A5 A6
#[test]
fn term_and_int_interrupt_and_end() {
    for (tier, signal) in TIERS.into_iter().flat_map(|tier| [(tier, libc::SIGTERM), (tier, libc::SIGINT)]) {
        let (mut table, mut first, mut second) = Table::new(tier, "hold");
        table.signal(signal);
        first.ended();
        match tier {
            Tier::One => {
                table.has_ended(0);
                table.runs_elsewhere().finish();
                second.finish();
                table.all_done();
            }
            Tier::Single => {
                second.ended();
                table.has_ended(0);
                assert_eq!((table.master.counts(), table.remaining()), ((2, 0), 2.into()));
            }
        }
    }
}

#[test]
fn term_ends_also_when_handlers_do_not() {
    for tier in TIERS {
        let (mut table, _first, _second) = Table::new(tier, "stubborn");
        let begun = Instant::now();
        table.signal(libc::SIGTERM);
        table.has_ended(143);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        table.is_given_back();
    }
}

#[test]
fn a_process_alone_leaves_handlers_the_kill_timeout() {
    for (kill_timeout, least, most) in [("0.05", 0, 1_500), ("2.5", 2_500, 5_000)] {
        let (mut table, _first, _second) = Table::within(Tier::Single, "stubborn", "20", kill_timeout);
        let begun = Instant::now();
        table.signal(libc::SIGTERM);
        table.has_ended(143);
        let took = begun.elapsed();
        assert!(
            (Duration::from_millis(least)..Duration::from_millis(most)).contains(&took),
            "{kill_timeout}: {took:?}"
        );
    }
}

// Nothing is given back while a handler may go on.
#[test]
fn term_leaves_the_jobs_of_threads_that_cannot_be_held_to_their_leases() {
    let (mut table, _first, _second) = Table::new(Tier::Single, "deaf");
    table.signal(libc::SIGTERM);
    table.has_ended(143);
    assert_eq!((table.master.counts(), table.remaining()), ((0, 2), 2.into()));
}

#[test]
fn a_second_term_ends_one_at_once() {
    for tier in TIERS {
        let (mut table, mut first, _second) = Table::new(tier, "stubborn");
        table.signal(libc::SIGQUIT);
        until("it is quiet", || table.is("quiet"));
        let begun = Instant::now();
        table.signal(libc::SIGTERM);
        // Two equal signals may become one while the first is not taken.
        table.signal(libc::SIGINT);
        first.ended();
        assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
        match tier {
            Tier::One => drop(table.runs_elsewhere()),
            Tier::Single => {
                let died_of = table.master.child.wait().unwrap().signal();
                assert!([Some(libc::SIGTERM), Some(libc::SIGINT)].contains(&died_of), "{died_of:?}");
                table.is_given_back();
            }
        }
    }
}

// A5 A6
#[test]
fn usr1_interrupts_and_the_process_goes_on() {
    for tier in TIERS {
        let (table, mut first, mut second) = Table::new(tier, "hold");
        table.signal(libc::SIGUSR1);
        first.ended();
        if tier == Tier::Single {
            second.ended();
            second = table.master.held();
        }
        first = table.master.held();
        assert_eq!((first.pid, table.remaining()), (table.pid, 2.into()));
        first.finish();
        second.finish();
        table.all_done();
    }
}

// A5 A6
#[test]
fn usr2_pauses_and_cont_resumes() {
    for tier in TIERS {
        let (table, first, second) = Table::new(tier, "hold");
        table.signal(libc::SIGUSR2);
        until("it is paused", || table.is("paused"));
        first.finish();
        until("its job is done", || table.master.view(&table.jids[0], "/state") == "completed");
        table.master.put("hold", 1);
        assert_eq!(table.master.counts(), (1, 1));
        table.signal(libc::SIGCONT);
        let third = table.master.held();
        assert_eq!(third.pid, table.pid);
        second.finish();
        third.finish();
        table.all_done();
    }
}

// Only a master is asked for fresh processes.
#[test]
fn hup_ends_one_as_it_ends_any_program() {
    for tier in TIERS {
        let (mut table, _first, second) = Table::new(tier, "hold");
        table.signal(libc::SIGHUP);
        match tier {
            Tier::One => {
                table.runs_elsewhere().finish();
                second.finish();
                table.all_done();
            }
            Tier::Single => {
                assert_eq!(table.master.child.wait().unwrap().signal(), Some(libc::SIGHUP));
                assert_eq!((table.master.counts(), table.remaining()), ((0, 2), 2.into()), "left to their leases");
            }
        }
    }
}

#[test]
fn ttin_tells_the_log_what_runs() {
    // The name of a function is in the program's file; that of C, built without debug information, has no lines.
    let frame = if PROGRAM.get() == Program::C { "    hold" } else { "work::hold at " };
    for tier in TIERS {
        let (mut table, first, second) = Table::new(tier, "hold");
        table.signal(libc::SIGTTIN);
        let told = |jid: &str| format!("performs job {jid} (hold, queue q) for ");
        let [one, other] = table.jids.clone().map(|jid| told(&jid));
        table.master.says(&one);
        // The oldest first; but of a master's two the other process is asked by the master.
        table.master.signal(libc::SIGTTIN);
        table.master.says(&other);
        // Where the handlers are comes later than what they do.
        let [one, other] = table.jids.clone().map(|jid| format!(", job {jid}, thread "));
        table.master.says(&other);
        table.master.says(frame);
        table.signal(libc::SIGTTIN);
        table.master.says(&one);
        table.master.says(frame);
        first.finish();
        second.finish();
        table.all_done();
        if tier == Tier::Single {
            table.signal(libc::SIGTTIN);
            table.master.says("performs no job");
        }
    }
}
