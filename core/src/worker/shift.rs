//! One worker's shift: everything its threads share, and what the runner does next.
//!
//! No threads, sockets or clocks: the time is passed in, calls are values, and their answers are brought back.

mod calls;
mod end;
mod waiting;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::duty::Duty;
use super::fetch::Fetch;
use super::following::Following;
use super::hand::Hand;
use super::outcome::Outcome;
use super::outcomes::{AnswerTo, Finished, Outcomes};
use super::patterns::Served;
use super::strategy::Queues;
use super::timeouts::Timeouts;
use super::trouble::Trouble;
use crate::error::{Code, Error};
use crate::ops::{Ended, Ending, Job, Lease, WorkerTurn};
use waiting::Presence;
pub use waiting::Wait;

/// Longest time between two pulses.
const PULSE_EVERY: Duration = Duration::from_secs(1);
/// With so many outcomes kept, nothing new is fetched.
const MOST_KEPT: usize = 1_000;

/// What the runner does next.
#[derive(Debug)]
pub enum Step {
    /// Send a pulse for everything in hand.
    Pulse,
    /// Make this call.
    Turn(WorkerTurn),
    /// Make the unanswered call again, under its old number.
    Repeat,
    /// Look up the queues that patterns stand for.
    Resolve,
    /// Look up which queues are ready.
    Look,
    /// End the waiter's blocking call: it is on other queues than those to be asked.
    Unblock,
    /// Wait for news, at most until then.
    Sleep(Instant),
    /// Everything is done, or the time for it is over.
    Leave,
}

/// The state of a worker between open and stop.
pub struct Shift {
    worker: String,
    pub fetch: Fetch,
    pub hand: Hand,
    pub outcomes: Outcomes,
    /// Of a worker on patterns.
    following: Option<Following>,
    pulse_at: Instant,
    /// When the runner, told to sleep, wakes by itself.
    wakes_at: Instant,
    /// A turn was sent and not answered.
    unanswered: bool,
    trouble: Option<Trouble>,
    pub duty: Duty,
    leave_by: Option<Instant>,
    /// The runner has left: nothing more reaches the engine.
    over: bool,
    /// What the waiter does.
    waiter: Presence,
    /// A reserve of the waiter's was sent and not answered, and is to be repeated.
    waiter_unanswered: bool,
    /// The waiter may block on other queues than those to be asked.
    astray: bool,
    /// A line for the log.
    notice: Option<String>,
    /// Lost jobs whose hooks were called, and whose outcome will be refused.
    told_lost: HashSet<Lease>,
}

impl Shift {
    /// `worker`: its name. `threads`: handlers that run at once. The first pulse is due `now`.
    pub fn new(worker: String, queues: Queues, threads: usize, now: Instant) -> Shift {
        Shift {
            worker,
            fetch: Fetch::new(threads, queues),
            hand: Hand::default(),
            outcomes: Outcomes::default(),
            following: None,
            pulse_at: now,
            wakes_at: now,
            unanswered: false,
            trouble: None,
            duty: Duty::default(),
            leave_by: None,
            over: false,
            waiter: Presence::Away,
            waiter_unanswered: false,
            astray: false,
            notice: None,
            told_lost: HashSet::new(),
        }
    }

    /// The same worker, whose queues are those its patterns stand for.
    pub fn following(self) -> Shift {
        Shift { following: Some(Following::default()), ..self }
    }

    /// The same worker, whose handlers may run so long, and which starts so many jobs at most.
    pub fn limited(mut self, timeouts: Timeouts, max_jobs: Option<u64>) -> Shift {
        self.hand.timeouts = timeouts;
        self.fetch.limit_starts(max_jobs);
        self
    }

    /// Decides what the runner does next.
    pub fn step(&mut self, now: Instant) -> Step {
        let step = self.decide(now);
        if let Step::Sleep(until) = step {
            self.wakes_at = until;
        }
        step
    }

    fn decide(&mut self, now: Instant) -> Step {
        if self.makes_no_more_calls(now) {
            return Step::Leave;
        }
        let leave_by = self.leave_by.unwrap_or(now + PULSE_EVERY);
        match &self.trouble {
            Some(trouble) if now < trouble.retry_at => return Step::Sleep(trouble.retry_at.min(leave_by)),
            Some(_) => return Step::Pulse,
            None if self.pulse_at <= now => return Step::Pulse,
            None if self.unanswered => return Step::Repeat,
            None if self.is_outdated() => return Step::Resolve,
            None if self.astray => {
                self.astray = false;
                return Step::Unblock;
            }
            None => {}
        }
        self.give_back(now);
        self.fetch.pass_due(now);
        let pressing = self.demand(now).pressing;
        if pressing && self.fetch.wants_look() {
            return Step::Look;
        }
        if pressing || self.flush_due(now) {
            return Step::Turn(self.turn(now));
        }
        if !self.fetch.is_asking() {
            self.fetch.rest();
        }
        let due_at = self.fetch.due_at(&self.hand).filter(|_| !self.takes_none());
        let moments = [self.outcomes.flush_at(), due_at, self.hand.release_at()];
        Step::Sleep(moments.into_iter().flatten().fold(self.pulse_at.min(leave_by), Instant::min))
    }

    /// True when it is not known which queues there are.
    fn is_outdated(&self) -> bool {
        !self.duty.has_ended() && self.following.as_ref().is_some_and(Following::is_outdated)
    }

    /// The engine told this version of the set of queues.
    pub fn hear(&mut self, queues_version: i64) {
        if let Some(following) = &mut self.following {
            following.hear(queues_version);
        }
    }

    /// These queues are ready, and `more`.
    pub fn looked(&mut self, ready: &[String], more: bool, queues_version: i64, now: Instant) {
        self.hear(queues_version);
        self.fetch.looked(ready, more, now);
    }

    /// A token said that the set of queues is another one.
    pub fn outdate(&mut self) {
        if let Some(following) = &mut self.following {
            following.outdate();
        }
    }

    /// Jobs come from these queues from now on: those of this version. The next pulse tells of them.
    pub fn serve(&mut self, served: &Served, queues_version: i64, now: Instant) {
        if let Some(following) = &mut self.following {
            following.resolve(queues_version);
        }
        self.fetch.serve(served);
        self.pulse_at = now;
    }

    /// The host wants these asked from now on. `astray`: the waiter may block on others.
    pub fn reorder(&mut self, asked: &Served, astray: bool) {
        self.fetch.serve(asked);
        self.astray |= astray;
    }

    /// Unstarted jobs go back: all when the worker takes none, else those nobody started in time.
    fn give_back(&mut self, now: Instant) {
        let leases = if self.takes_none() { self.hand.give_back_all() } else { self.hand.give_back_overdue(now) };
        for Lease { jid, token } in leases {
            let ended = Ended { jid, token, run_ms: 0, how: Ending::Release };
            self.outcomes.push(Finished { ended, kind: String::new(), spent: 0, answer: None }, now);
        }
    }

    fn flush_due(&self, now: Instant) -> bool {
        self.outcomes.flush_at().is_some_and(|due| {
            due <= now || self.leave_by.is_some() || (!self.takes_none() && self.fetch.need(&self.hand) > 0)
        })
    }

    /// A call failed: the next is a pulse, after a while.
    pub fn failed(&mut self, error: Error, now: Instant) {
        let (running, before) = (self.hand.started(), self.trouble.as_ref().map(|trouble| trouble.error.code));
        if error.code == Code::WrongState && before != Some(Code::WrongState) {
            self.notice = Some(format!("{}; its {running} running jobs are handed on", error.message));
        } else if before.is_none() {
            let worker = &self.worker;
            self.notice = Some(format!("worker {worker} keeps its {running} running jobs and tries again: {error}"));
        }
        match &mut self.trouble {
            Some(trouble) => trouble.again(error, now),
            None => self.trouble = Some(Trouble::new(error, now)),
        }
    }

    /// A pulse was answered: the next is due in a second, or sooner for short leases, and trouble is over.
    pub fn pulsed(&mut self, now: Instant) {
        self.pulse_at = now + pulse_within(self.hand.shortest_lease());
        if let Some(trouble) = self.trouble.take() {
            let lasted = now.saturating_duration_since(trouble.since).as_secs_f64();
            self.notice = Some(format!("worker {} is back at work after {lasted:.1} s", self.worker));
            self.fetch.look_again();
        }
    }

    /// The jobs that turned out to be lost since the last call, each once: by a pulse, or by the refusal of its outcome.
    pub fn take_losses(&mut self) -> Vec<(Lease, String)> {
        let mut losses = std::mem::take(&mut self.hand.lost);
        self.told_lost.extend(losses.iter().map(|(lease, _)| lease.clone()));
        let refused = self.outcomes.take_lost();
        losses.extend(refused.into_iter().filter(|(lease, _)| !self.told_lost.remove(lease)));
        losses
    }

    /// True while the host has not taken what it must be told.
    pub fn has_news(&self) -> bool {
        self.hand.interrupts.are_any() || self.outcomes.are_refused()
    }

    /// Tells the log.
    pub fn tell(&mut self, notice: String) {
        self.notice = Some(notice);
    }

    /// The line for the log that the last events are worth, once.
    pub fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    /// What keeps the worker from its calls, and cannot pass by itself.
    pub fn fault(&self) -> Option<&Error> {
        self.trouble.as_ref().filter(|trouble| trouble.needs_help()).map(|trouble| &trouble.error)
    }

    /// True while calls fail.
    pub fn in_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// Everything a pulse renews.
    pub fn leases(&self) -> Vec<Lease> {
        self.hand.leases().chain(self.outcomes.leases()).collect()
    }

    /// Hands a job to a thread that waits in `next`. After the last that may be started the worker is quiet.
    pub fn start(&mut self, now: Instant) -> Option<Job> {
        if self.takes_none() {
            return None;
        }
        let job = self.hand.start(now)?;
        if self.fetch.count_start(now) {
            self.duty.fall_quiet();
        }
        Some(job)
    }

    /// Takes a job back from its handler; false when it is not in hand.
    pub fn finish(&mut self, lease: &Lease, outcome: Outcome, answer: Option<AnswerTo>, now: Instant) -> bool {
        let Some((Lease { jid, token }, started, run)) = self.hand.finish(lease, now) else { return false };
        let outcome = self.hand.kinds.ruled(&started.kind, started.spent, started.backoff.as_ref(), outcome);
        let ended = Ended {
            jid,
            token,
            run_ms: run.as_millis() as u64,
            how: outcome.into_ending(&started.kind, started.spent),
        };
        self.outcomes.push(Finished { ended, kind: started.kind, spent: started.spent, answer }, now);
        true
    }

    /// True when the runner has more to do, or something else to wait for, than when it fell asleep.
    pub fn wants_runner(&self) -> bool {
        if self.is_leaving() || (self.takes_none() && self.hand.unstarted() > 0) {
            return true;
        }
        let served = self.takes_none() || self.fetch.need(&self.hand) == 0;
        let fetches = !served && (self.outcomes.kept() > 0 || self.fetch.wants_runner());
        let pulses = self.trouble.is_none() && self.pulse_at < self.wakes_at;
        let looks_up = self.trouble.is_none() && self.is_outdated();
        fetches || pulses || looks_up || self.astray || self.hand.unstarted() > self.fetch.waiting()
    }
}

/// When the next pulse is due: the engine renews a lease once less than two thirds of it are left.
fn pulse_within(shortest_lease: Option<Duration>) -> Duration {
    shortest_lease.map_or(PULSE_EVERY, |lease| PULSE_EVERY.min(lease / 3))
}

#[cfg(test)]
mod tests;
