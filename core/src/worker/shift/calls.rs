//! The calls for jobs and with outcomes: what goes out, and what its answer or its failure means.

use std::time::{Duration, Instant};

use super::{MOST_KEPT, Shift, pulse_within};
use crate::error::Error;
use crate::ops::{Job, QueueReserve, Reserved, Turned, WorkerTurn};
use crate::worker::fetch::Demand;
use crate::worker::strategy::Asking;
use crate::worker::trouble::{Meaning, meaning};

impl Shift {
    pub(super) fn demand(&mut self, now: Instant) -> Demand {
        if self.takes_none() || self.trouble.is_some() || self.outcomes.kept() >= MOST_KEPT {
            return Demand { limit: 0, pressing: false };
        }
        self.fetch.demand(&mut self.hand, now)
    }

    pub(super) fn turn(&mut self, now: Instant) -> WorkerTurn {
        let Demand { limit, pressing } = self.demand(now);
        // More outcomes than there is room for beside jobs go alone, unless jobs are pressing that the waiter cannot fetch, or that
        // threads wait for: the runner is the quicker to ask.
        let many = self.outcomes.kept() > WorkerTurn::ENDED_BESIDE && self.fetch.need(&self.hand) == 0;
        let leaves_jobs = many && (!pressing || self.waiter_can_fetch());
        let reserve = self.ask(if leaves_jobs { 0 } else { limit }, None);
        self.unanswered = true;
        let ended = self.outcomes.take(reserve.limit > 0);
        WorkerTurn { reserve, ended }
    }

    /// A reserve of as many jobs as are wanted; of none when none are, which passes a wake token on.
    /// `woken_by`: the place among the worker's queues of the one whose token came.
    pub fn reserve(&mut self, now: Instant, woken_by: Option<usize>) -> QueueReserve {
        let wanted = self.demand(now).limit;
        self.ask(wanted, woken_by)
    }

    fn ask(&mut self, wanted: usize, woken_by: Option<usize>) -> QueueReserve {
        let Asking { queues, limit, share } = self.fetch.ask(wanted, woken_by);
        QueueReserve { worker: self.worker.clone(), queues, limit: limit as i64, share }
    }

    /// The answer to a [`Shift::reserve`]. Returns how many jobs came.
    pub fn reserved(&mut self, asked: &QueueReserve, reserved: Reserved, now: Instant) -> usize {
        let got = reserved.jobs.len();
        self.hear(reserved.queues_version);
        self.fetch.answer(asked, &reserved, now);
        self.receive(reserved.jobs, now);
        got
    }

    /// Starts a job that was reserved past the runner; nothing else may be unstarted.
    pub fn start_reserved(&mut self, reserved: Reserved, now: Instant) -> Option<Job> {
        self.hear(reserved.queues_version);
        self.receive(reserved.jobs, now);
        self.hand.start(now)
    }

    fn receive(&mut self, jobs: Vec<Job>, now: Instant) {
        let shortest = jobs.iter().map(|job| job.lease_ms).min().map(Duration::from_millis);
        self.pulse_at = self.pulse_at.min(now + pulse_within(shortest));
        self.hand.receive(jobs, now);
    }

    /// The answer to a turn. Returns how many jobs came.
    pub fn turned(&mut self, turn: &WorkerTurn, turned: Turned, now: Instant) -> usize {
        self.unanswered = false;
        self.outcomes.answer(&turn.ended, turned.answers, now);
        self.reserved(&turn.reserve, turned.reserved, now)
    }

    /// A turn failed. Gives it back when it is to be repeated.
    pub fn turn_failed(&mut self, turn: WorkerTurn, error: Error, now: Instant) -> Option<WorkerTurn> {
        match meaning(&error) {
            Meaning::Unanswered => {
                self.failed(error, now);
                return Some(turn);
            }
            Meaning::Spoiled if !turn.ended.is_empty() => self.outcomes.spoil(turn.ended, &error, now),
            _ => {
                self.outcomes.restore(turn.ended, now);
                self.failed(error, now);
            }
        }
        self.unanswered = false;
        self.fetch.forget(&turn.reserve);
        None
    }
}
