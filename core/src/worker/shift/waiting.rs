//! What the waiter does. It blocks while the queues are dry. While the runner hands in many outcomes it fetches jobs ahead on
//! its own connection, so that the server has a call to work on whenever it has answered one.

use std::time::Instant;

use super::Shift;
use crate::error::Error;
use crate::ops::{QueueReserve, Reserved};
use crate::worker::trouble::{Meaning, meaning};

/// What the waiter does next.
#[derive(Debug)]
pub enum Wait {
    /// Block until there are jobs.
    Block,
    /// Make this call.
    Fetch(QueueReserve),
    /// Make the unanswered call again, under its old number.
    Repeat,
    /// Sleep until it is rung.
    Rest,
    /// The shift ends.
    Leave,
}

/// What the waiter does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It has not come yet, or has left.
    Away,
    /// Nothing, until it is rung; or it is about to look for what to do.
    Resting,
    /// It was rung, and has not looked yet.
    Rung,
    /// It makes a call, which may block.
    Busy,
}

impl Shift {
    /// The waiter begins its work.
    pub fn waiter_came(&mut self) {
        self.waiter = Presence::Resting;
    }

    /// The waiter has left.
    pub fn waiter_left(&mut self) {
        self.waiter = Presence::Away;
    }

    /// True from when the waiter comes until it has left.
    pub fn is_waiter_here(&self) -> bool {
        self.waiter != Presence::Away
    }

    /// Decides what the waiter does next.
    pub fn wait(&mut self, now: Instant) -> Wait {
        self.waiter = Presence::Resting;
        let wait = if self.dismisses_waiter(now) {
            Wait::Leave
        } else if self.repeats() {
            Wait::Repeat
        } else if self.wants_wake() {
            Wait::Block
        } else if self.wants_fetch(now) {
            Wait::Fetch(self.reserve(now, None))
        } else {
            return Wait::Rest;
        };
        self.waiter = Presence::Busy;
        wait
    }

    /// True when the waiter has something to do that it may not know of: who asks rings it then, once.
    pub fn must_ring_waiter(&mut self, now: Instant) -> bool {
        if self.waiter == Presence::Rung {
            return false;
        }
        let wants = self.repeats() || self.wants_wake() || self.wants_fetch(now);
        if wants && self.waiter == Presence::Resting {
            self.waiter = Presence::Rung;
        }
        wants
    }

    /// Where a call of the waiter's own is unanswered it does not leave before the runner does.
    fn dismisses_waiter(&self, now: Instant) -> bool {
        self.is_over() || self.makes_no_more_calls(now) || (self.is_leaving() && !self.waiter_unanswered)
    }

    /// True when its unanswered call is to be repeated: others are answered again.
    fn repeats(&self) -> bool {
        self.waiter_unanswered && self.trouble.is_none()
    }

    /// True when a thread wants a job the queues did not have: time to wait for a wake token.
    pub(super) fn wants_wake(&self) -> bool {
        !self.takes_none() && self.trouble.is_none() && !self.is_outdated() && self.fetch.wants_wake(&self.hand)
    }

    /// True when a wait that ended without a token is to be made up for by the waiter.
    pub fn wants_try(&self) -> bool {
        self.wants_wake() && !self.fetch.looks_by_itself()
    }

    /// True while the runner is in a turn, and jobs are wanted that it does not take.
    fn wants_fetch(&mut self, now: Instant) -> bool {
        self.unanswered && self.waiter_can_fetch() && self.demand(now).pressing
    }

    /// Whether the waiter has nothing else to do, nor the runner anything to look up before jobs are asked for.
    pub(super) fn waiter_can_fetch(&self) -> bool {
        let free = matches!(self.waiter, Presence::Resting | Presence::Rung) && !self.waiter_unanswered;
        free && !self.is_outdated() && !self.fetch.wants_look()
    }

    /// The answer to a reserve of the waiter's. Returns how many jobs came.
    pub fn waiter_reserved(&mut self, asked: &QueueReserve, reserved: Reserved, now: Instant) -> usize {
        self.waiter = Presence::Resting;
        self.waiter_unanswered = false;
        self.reserved(asked, reserved, now)
    }

    /// A reserve of the waiter's failed. True when it is to be repeated.
    pub fn waiter_failed(&mut self, asked: &QueueReserve, error: Error, now: Instant) -> bool {
        self.waiter_unanswered = meaning(&error) == Meaning::Unanswered;
        self.waiter = Presence::Resting;
        if !self.waiter_unanswered {
            self.fetch.forget(asked);
        }
        self.failed(error, now);
        self.waiter_unanswered
    }
}
