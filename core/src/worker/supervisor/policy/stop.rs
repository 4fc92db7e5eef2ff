//! What signals do, and how a master ends.

use super::cause::Cause;
use super::{MARGIN_MS, Policy};
use crate::worker::supervisor::event::{Action, Number, Rules};
use crate::worker::supervisor::word::Signal;

/// How the master ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    Quit,
    Term,
    Kill,
}

impl Policy {
    pub(super) fn signal(&mut self, signal: Signal, now: u64) {
        match signal {
            Signal::Quit => self.stop(Stop::Quit, now),
            Signal::Term | Signal::Int if self.stop >= Some(Stop::Term) => self.stop(Stop::Kill, now),
            Signal::Term | Signal::Int => self.stop(Stop::Term, now),
            Signal::Hup if self.stop.is_none() => {
                self.reload = self.places.iter().filter_map(|place| place.current).collect();
            }
            Signal::Hup => {}
            Signal::Usr2 | Signal::Cont => {
                self.paused = signal == Signal::Usr2;
                self.tell_all(signal);
            }
            Signal::Usr1 => self.tell_all(signal),
            Signal::Ttin => {
                for line in self.processes.keys().map(|number| self.described(*number)).collect::<Vec<_>>() {
                    self.say(line);
                }
                self.tell_all(signal);
            }
        }
    }

    fn stop(&mut self, stop: Stop, now: u64) {
        if self.stop >= Some(stop) {
            return;
        }
        if self.stop.is_none() {
            self.actions.push(Action::Stopping);
            self.any_killed = false;
        }
        self.stop = Some(stop);
        self.reload.clear();
        for number in self.processes.keys().copied().collect::<Vec<_>>() {
            self.end(number, stop, now);
        }
        self.exit_when_alone();
    }

    pub(super) fn exit_when_alone(&mut self) {
        if self.processes.is_empty() {
            self.actions.push(Action::Exit(u8::from(self.any_killed)));
        }
    }

    /// Has one process end as the master does.
    pub(super) fn end(&mut self, number: Number, stop: Stop, now: u64) {
        let Rules { shutdown_ms, kill_ms, .. } = self.rules;
        let Some(process) = self.processes.get_mut(&number) else { return };
        // One that is not there yet is ended when it has come.
        if process.pid.is_none() {
            return;
        }
        // Whatever else it was about to end for, now it is somebody's wish.
        if process.cause != Some(Cause::Stuck) {
            process.cause = Some(Cause::Asked);
        }
        process.kill_at = match stop {
            Stop::Quit => Some(now + shutdown_ms + MARGIN_MS),
            Stop::Term => Some(now + kill_ms + MARGIN_MS),
            Stop::Kill => Some(now),
        };
        let is_ready = process.ready_at.is_some();
        match stop {
            Stop::Kill => {}
            _ if !is_ready => self.actions.push(Action::Terminate { number }),
            Stop::Quit => self.actions.push(Action::Tell { number, signal: Signal::Quit }),
            Stop::Term => self.actions.push(Action::Tell { number, signal: Signal::Term }),
        }
    }
}
