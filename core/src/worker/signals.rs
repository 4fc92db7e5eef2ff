//! Signals that come from a master, over its socket: the core does at once what it can, the rest is the host's.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::Worker;
use super::shared::Shared;
use super::supervisor::Signal;

/// Signals the host has not taken.
#[derive(Default)]
pub struct Told(Mutex<VecDeque<Signal>>);

impl Told {
    fn push(&self, signal: Signal) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(signal);
    }
}

impl Worker {
    /// The oldest signal of the master that the host has not taken, once: [`Signal::Quit`], [`Signal::Term`] or
    /// [`Signal::Ttin`], upon which it does what it does when the process itself gets that signal. By then the worker is quiet,
    /// and after TERM every handler that runs has an interrupt `killed`. Of the other signals there is nothing left to do.
    ///
    /// Whoever performs the jobs asks as often as for interrupts; nothing is sent for it.
    pub fn take_signal(&self) -> Option<Signal> {
        let shared = &self.inner("worker_take_signal").ok()?.shared;
        shared.told.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
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
            Signal::Quit | Signal::Term | Signal::Ttin => self.told.push(signal),
            Signal::Int => self.told.push(Signal::Term),
            Signal::Usr1 | Signal::Usr2 | Signal::Cont | Signal::Hup => {}
        }
        for bell in [&self.hosts, &self.runner, &self.waiter, &self.end] {
            bell.ring_all();
        }
    }
}
