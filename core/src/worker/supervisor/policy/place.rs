//! The places of a master: each has one process that serves, through all its incarnations.

use super::cause::Cause;
use crate::worker::supervisor::event::Number;

/// The wait before the third process in a row that does not prove itself; it doubles from then on.
const BACKOFF_MS: u64 = 1_000;
const MOST_BACKOFF_MS: u64 = 60_000;

/// One of the processes that serve at once, through all its incarnations.
#[derive(Default)]
pub struct Place {
    /// The one that serves, or is to.
    pub current: Option<Number>,
    /// One that serves until the current one is ready, and why it then ends.
    pub predecessor: Option<(Number, Cause)>,
    /// Processes in a row that did not prove themselves.
    pub failures: u32,
    pub start_at: u64,
}

impl Place {
    /// Counts a process that did not prove itself; answers how long its successor waits.
    pub fn failed(&mut self, now: u64) -> u64 {
        self.failures = self.failures.saturating_add(1);
        let wait = match self.failures {
            1 => 0,
            more => MOST_BACKOFF_MS.min(BACKOFF_MS << (more - 2).min(16)),
        };
        (self.current, self.start_at) = (None, now + wait);
        wait
    }

    /// This process serves there no longer, or is no longer there; true when it was the current one.
    pub fn leave(&mut self, number: Number) -> bool {
        self.predecessor.take_if(|(other, _)| *other == number);
        self.current.take_if(|current| *current == number).is_some()
    }

    /// Lets another come up before this one is asked to end; false when it is not the one that serves.
    pub fn replace(&mut self, number: Number, cause: Cause) -> bool {
        if self.predecessor.is_some() || self.current.take_if(|current| *current == number).is_none() {
            return false;
        }
        self.predecessor = Some((number, cause));
        true
    }
}
