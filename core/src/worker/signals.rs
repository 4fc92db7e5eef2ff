//! Signals that come from a master, over its socket, or to the process itself (`obeying`): the core does at once what it can,
//! the rest is the host's.

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use super::Worker;
use super::shared::Shared;
use super::supervisor::Signal;
use super::traces::Traced;

/// Jobs that a title names.
const MOST_NAMED: usize = 5;

/// Signals the host has not taken.
#[derive(Default)]
pub struct Told {
    untaken: Mutex<VecDeque<Signal>>,
    /// The worker itself says what runs, and this where.
    shown_here: OnceLock<Box<dyn Fn(Vec<Traced>) + Send + Sync>>,
}

impl Told {
    fn push(&self, signal: Signal) {
        self.untaken.lock().unwrap_or_else(PoisonError::into_inner).push_back(signal);
    }

    /// From now on TTIN is nothing for the host. Only who calls this has the code of `tracer` in the program.
    pub fn shown_here(&self, tracer: impl FnOnce() -> Box<dyn Fn(Vec<Traced>) + Send + Sync>) {
        self.shown_here.get_or_init(tracer);
    }
}

impl Worker {
    /// The oldest signal of the master that the host has not taken, once: [`Signal::Quit`], [`Signal::Term`] or
    /// [`Signal::Ttin`], upon which it does what it does when the process itself gets that signal. By then the worker is quiet,
    /// and after TERM every handler that runs has an interrupt `killed`. Of the other signals there is nothing left to do, nor of
    /// TTIN after [`Worker::obey_signals`], by which QUIT and TERM of the process itself are told here as well.
    ///
    /// Whoever performs the jobs asks when it does for interrupts; nothing is sent for it.
    pub fn take_signal(&self) -> Option<Signal> {
        let shared = &self.inner("worker_take_signal").ok()?.shared;
        shared.told.untaken.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Shared {
    /// Does what a signal says, and leaves the rest to the host.
    pub fn obey(&self, signal: Signal) {
        let mut shift = self.shift();
        match signal {
            Signal::Quit => shift.fall_quiet(),
            Signal::Term | Signal::Int => {
                shift.fall_quiet();
                shift.hand.kill_started();
            }
            Signal::Usr1 => shift.hand.kill_started(),
            Signal::Usr2 | Signal::Cont => shift.pause(signal == Signal::Usr2),
            Signal::Ttin | Signal::Hup => {}
        }
        drop(shift);
        match signal {
            Signal::Ttin if self.told.shown_here.get().is_some() => self.show_running(),
            Signal::Quit | Signal::Term | Signal::Ttin => self.told.push(signal),
            Signal::Int => self.told.push(Signal::Term),
            Signal::Usr1 | Signal::Usr2 | Signal::Cont | Signal::Hup => {}
        }
        for bell in [&self.hosts, &self.runner, &self.waiter, &self.end] {
            bell.ring_all();
        }
        self.news.ring();
    }

    /// Whether it is paused or stops, its queues, and what it runs: for a title.
    pub fn title(&self) -> (Option<&'static str>, String) {
        let shift = self.shift();
        let state = match () {
            () if shift.is_quiet() => Some("stopping"),
            () if shift.duty.takes_none() => Some("paused"),
            () => None,
        };
        let running = shift.hand.started();
        let jobs = shift.hand.oldest_started(MOST_NAMED, Instant::now());
        let mut jobs: Vec<String> = jobs.map(|(jid, kind, ..)| format!("{kind} {jid}")).collect();
        if running > MOST_NAMED {
            jobs.push("…".to_owned());
        }
        let (queues, threads, jobs) = (self.options.queues.join(","), self.options.threads, jobs.join(", "));
        (state, format!("[{queues}] {running}/{threads} {jobs}").trim_end().to_owned())
    }

    /// What every handler does, to the log; and then, which takes longer, where its thread is.
    fn show_running(&self) {
        let shift = self.shift();
        let name = &self.name;
        let mut said = String::new();
        for (jid, kind, queue, ran) in shift.hand.oldest_started(usize::MAX, Instant::now()) {
            let ran = ran.as_secs_f64();
            said += &format!("manyhands: worker {name} performs job {jid} ({kind}, queue {queue}) for {ran:.1} s\n");
        }
        let traced = shift.hand.threads().map(|(jid, thread)| Traced { jid: jid.to_owned(), thread }).collect();
        drop(shift);
        if said.is_empty() {
            said = format!("manyhands: worker {name} performs no job\n");
        }
        self.lines.say(said);
        if let Some(trace) = self.told.shown_here.get() {
            trace(traced);
        }
    }
}
