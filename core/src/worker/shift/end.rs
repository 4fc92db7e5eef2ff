//! When a worker takes no jobs, for a while or for good, and how its shift ends.

use std::time::Instant;

use super::Shift;
use crate::client::Order;

impl Shift {
    /// No new jobs from now on.
    pub fn fall_quiet(&mut self) {
        self.duty.fall_quiet();
    }

    /// True once no new jobs are handed out.
    pub fn is_quiet(&self) -> bool {
        self.duty.is_quiet()
    }

    /// No new jobs from now on, or jobs again. What came due meanwhile, and a token that came, are looked for.
    pub fn pause(&mut self, paused: bool) {
        self.duty.pause(paused);
        self.fetch.look_again();
    }

    /// Does what an operator asks, see [`Duty::obey`](crate::worker::duty::Duty::obey).
    pub fn obey(&mut self, orders: &[Order], last: i64) {
        self.duty.obey(orders, last);
        self.fetch.look_again();
    }

    pub(super) fn takes_none(&self) -> bool {
        self.duty.takes_none()
    }

    /// The runner is to leave when all outcomes are answered, and at that time in any case.
    pub fn leave(&mut self, by: Instant) {
        self.fall_quiet();
        self.leave_by = Some(by);
    }

    /// True once the shift ends.
    pub fn is_leaving(&self) -> bool {
        self.leave_by.is_some()
    }

    /// The runner has left. Nobody will answer those who wait for an answer.
    pub fn end(&mut self) {
        self.fall_quiet();
        self.over = true;
        self.outcomes.leave_unanswered();
    }

    /// True once nothing more reaches the engine.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The runner leaves: everything is answered, or the time for it is over.
    pub(super) fn makes_no_more_calls(&self, now: Instant) -> bool {
        self.leave_by.is_some_and(|by| by <= now || self.is_done())
    }

    /// Nothing is on its way to the engine, or from it to the waiter.
    pub(super) fn is_done(&self) -> bool {
        let waiter_asks = self.is_waiter_here() && self.fetch.is_asking();
        self.hand.unstarted() == 0 && self.outcomes.unanswered() == 0 && !self.unanswered && !waiter_asks
    }

    /// Nothing more will come of this worker: it has no job, and the engine knows of all that it had.
    pub fn has_ended_all(&self) -> bool {
        self.is_done() && self.hand.started() == 0
    }
}
