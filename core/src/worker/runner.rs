//! The runner: the native thread that flushes outcomes, fetches jobs and pulses.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::options::MAX_QUEUES;
use super::patterns::Served;
use super::shared::Shared;
use super::shift::{Shift, Step};
use crate::check;
use crate::client::{Lane, Order};
use crate::error::Result;
use crate::ops::{Lease, Pulsed, WorkerPulse, WorkerTurn};

/// Between two tries to end the waiter's blocking call: it may not have begun it yet.
const UNBLOCK_EVERY: Duration = Duration::from_millis(5);

/// Works until the shift is over.
pub fn run(shared: Arc<Shared>) {
    let _leaving = Leaving(Arc::clone(&shared));
    let lane = shared.lane();
    let mut runner = Runner { shared, lane, unanswered: None };
    while let Some(step) = runner.next_step() {
        match step {
            Step::Pulse => runner.pulse(),
            Step::Turn(turn) => {
                let answer = runner.lane.send(&turn);
                runner.note(turn, answer);
            }
            Step::Repeat => runner.repeat(),
            Step::Resolve => runner.resolve(),
            Step::Look => runner.look(),
            Step::Unblock => runner.unblock_once(),
            Step::Sleep(_) | Step::Leave => {}
        }
    }
    runner.unblock_waiter();
    runner.take_off_the_list();
}

/// Tells everybody that nothing more reaches the engine, also when the runner leaves by a panic.
struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.shift().end();
        for bell in [&self.0.hosts, &self.0.waiter, &self.0.end] {
            bell.ring_all();
        }
    }
}

struct Runner {
    shared: Arc<Shared>,
    lane: Lane,
    /// The turn that was sent and not answered; its number is the lane's last.
    unanswered: Option<WorkerTurn>,
}

impl Runner {
    /// Waits for something to do; None when it is time to leave.
    fn next_step(&self) -> Option<Step> {
        let mut shift = self.shared.shift();
        loop {
            let now = Instant::now();
            match shift.step(now) {
                Step::Sleep(until) => shift = self.shared.runner.wait(shift, Some(until)),
                Step::Leave => return None,
                step => {
                    self.shared.ring_waiter(&mut shift, now);
                    return Some(step);
                }
            }
        }
    }

    fn repeat(&mut self) {
        if let Some(turn) = self.unanswered.take() {
            let answer = self.lane.send_again(&turn);
            self.note(turn, answer);
        }
    }

    fn note(&mut self, turn: WorkerTurn, answer: Result<crate::ops::Turned>) {
        let now = Instant::now();
        let mut shift = self.shared.shift();
        let came = match answer {
            Ok(turned) => shift.turned(&turn, turned, now),
            Err(error) => {
                self.unanswered = shift.turn_failed(turn, error, now);
                0
            }
        };
        self.shared.announce(shift, came);
    }

    /// Looks up which queues are ready.
    fn look(&mut self) {
        let seen = self.lane.ready(self.shared.options.interval);
        let now = Instant::now();
        let mut shift = self.shared.shift();
        match seen {
            Ok(seen) => shift.looked(&seen.queues, seen.more, seen.queues_version, now),
            Err(error) => shift.failed(error, now),
        }
        self.shared.announce(shift, 0);
    }

    /// Looks up the queues that the worker's patterns stand for, and serves them.
    fn resolve(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (version, served) = match shared.resolve(&mut self.lane) {
            Ok(answer) => answer,
            Err(error) => {
                let mut shift = shared.shift();
                shift.failed(error, Instant::now());
                return shared.announce(shift, 0);
            }
        };
        let Served { mut names, fair } = served;
        if names.len() > MAX_QUEUES {
            shared.shift().tell(format!(
                "the queues of worker {} are {}, of which it serves the first {MAX_QUEUES}",
                shared.name,
                names.len()
            ));
            names.truncate(MAX_QUEUES);
        }
        let before = shared.wakes();
        shared.serve(Served { names, fair }, version);
        if before.queues != shared.wakes().queues {
            self.unblock_once();
        }
    }

    /// The waiter may block on the lists of other queues. Where this comes too early, it looks again by itself.
    fn unblock_once(&mut self) {
        let connection = self.shared.blocked.load(Ordering::Acquire);
        if connection != 0 {
            let _ = self.lane.unblock(connection);
        }
    }

    fn pulse(&mut self) {
        let shift = self.shared.shift();
        self.shared.report_deaf(&shift, Instant::now());
        let (mut leases, status) = (shift.leases(), self.shared.status(&shift));
        drop(shift);
        // An unanswered turn must stay its lane's last call until it is repeated.
        let mut other_lane;
        let lane = match &self.unanswered {
            None => &mut self.lane,
            Some(turn) => {
                leases.extend(
                    turn.ended.iter().map(|ended| Lease { jid: ended.jid.clone(), token: ended.token.clone() }),
                );
                other_lane = self.shared.lane();
                &mut other_lane
            }
        };
        let answer = renew(lane, &self.shared.name, &status, &leases);
        let now = Instant::now();
        let mut shift = self.shared.shift();
        match answer {
            Ok(Renewed { lost, orders, last_order, queues_version }) => {
                shift.hear(queues_version);
                obey(&self.shared, &mut shift, &orders, last_order);
                for (lease, reason) in lost {
                    shift.hand.lose(lease, &reason);
                }
                shift.pulsed(now);
                self.shared.report_pulse(&shift, now);
            }
            Err(error) => shift.failed(error, now),
        }
        self.shared.announce(shift, 0);
    }

    /// Nobody is to see a worker that has ended well. One with jobs in hand stays, so that what is with them can be seen.
    fn take_off_the_list(&mut self) {
        let shift = self.shared.shift();
        let (ended, in_trouble) = (shift.has_ended_all(), shift.in_trouble());
        drop(shift);
        if ended && !in_trouble {
            // Otherwise it is forgotten when it has been silent for long enough.
            let _ = self.lane.deregister(&self.shared.name);
        }
    }

    fn unblock_waiter(&mut self) {
        self.shared.waiter.ring_all();
        let mut shift = self.shared.shift();
        while shift.is_waiter_here() {
            drop(shift);
            match self.shared.blocked.load(Ordering::Acquire) {
                0 => {}
                connection if self.lane.unblock(connection).is_err() => return,
                _ => {}
            }
            shift = self.shared.shift();
            if shift.is_waiter_here() {
                shift = self.shared.end.wait(shift, Some(Instant::now() + UNBLOCK_EVERY));
            }
        }
    }
}

/// Does what an operator asks, oldest first. One that this version does not know is left.
fn obey(shared: &Shared, shift: &mut Shift, orders: &[String], last: i64) {
    if orders.is_empty() {
        return;
    }
    let known: Vec<Order> = orders.iter().filter_map(|name| Order::named(name)).collect();
    shift.obey(&known, last);
    shared.news.ring();
    for bell in [&shared.hosts, &shared.waiter, &shared.end] {
        bell.ring_all();
    }
}

/// What a pulse learned.
struct Renewed<'a> {
    /// The lost leases with their reasons.
    lost: Vec<(&'a Lease, String)>,
    /// What an operator asks.
    orders: Vec<String>,
    last_order: i64,
    queues_version: i64,
}

/// Sends the pulse, in as many calls as the leases need.
fn renew<'a>(lane: &mut Lane, worker: &str, status: &str, leases: &'a [Lease]) -> Result<Renewed<'a>> {
    let mut lost = Vec::new();
    let mut rest = leases;
    loop {
        let (slice, others) = rest.split_at(rest.len().min(check::MAX_ITEMS));
        let pulse = WorkerPulse { worker: worker.to_owned(), status: status.to_owned(), leases: slice.to_vec() };
        let Pulsed { lost: reasons, orders, queues_version, heard: last_order } = lane.send(&pulse)?;
        lost.extend(slice.iter().zip(reasons).filter_map(|(lease, reason)| Some((lease, reason?))));
        rest = others;
        if rest.is_empty() {
            // Each call tells all orders that the status does not know of.
            return Ok(Renewed { lost, orders, last_order, queues_version });
        }
    }
}
