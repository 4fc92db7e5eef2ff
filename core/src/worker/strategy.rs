//! Reservation strategies: which queues a worker asks next and in which order, as pure code.
//!
//! A reserve asks few queues, so that it never works for long; a worker may have more. It asks them in *windows*, one a
//! call, and it waits for a wake token when none of them has more to give.

use std::time::{Duration, Instant};

use super::patterns::Served;
use super::window::{self, Window};
use crate::ops::Job;

/// How long a dry window of several is left alone. Tokens of the others keep a worker from ever sitting out its wait in
/// Redis, which is how one with a single window notices a token that was lost.
const LOOK_AFTER: Duration = Duration::from_secs(2);

/// How a worker chooses among its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Always in the order given: a later queue is served only when the earlier ones give nothing.
    Ordered,
    /// An equal share of each call for every queue that has jobs; the next begins behind the first that gave some.
    RoundRobin,
}

impl Strategy {
    /// Every strategy by the name options use.
    pub const NAMES: [(&'static str, Strategy); 2] =
        [("ordered", Strategy::Ordered), ("round_robin", Strategy::RoundRobin)];

    /// The strategy of that name, or None.
    pub fn named(name: &str) -> Option<Strategy> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, strategy)| *strategy)
    }
}

/// What a reserve asks.
#[derive(Debug, PartialEq, Eq)]
pub struct Asking {
    /// Of these queues, in this order.
    pub queues: Vec<String>,
    /// Most jobs to take.
    pub limit: usize,
    /// Whether each queue that has jobs gets an equal share.
    pub share: bool,
}

/// A worker's queues, what is known of them, and where the next call begins.
pub struct Queues {
    windows: Vec<Window>,
    strategy: Strategy,
    /// The window whose turn it is, round-robin.
    turn: usize,
    /// Jobs it may still give in this turn; 0 before the turn has begun.
    credit: usize,
}

impl Queues {
    /// `served`: at least one.
    pub fn new(served: &Served, strategy: Strategy) -> Queues {
        let ordered = strategy == Strategy::Ordered;
        let windows = served.names.chunks(window::MOST).enumerate().map(|(at, names)| {
            let (begin, end) = (at * window::MOST, at * window::MOST + names.len());
            let parts = served.fair.iter().map(|part| part.start.clamp(begin, end)..part.end.clamp(begin, end));
            let parts = parts.filter(|part| ordered && part.len() > 1).map(|part| part.start - begin..part.end - begin);
            Window::new(names, parts.collect())
        });
        Queues { windows: windows.collect(), strategy, turn: 0, credit: 0 }
    }

    /// The same worker on other queues: nothing is known of them.
    pub fn serve(&mut self, served: &Served) {
        *self = Queues::new(served, self.strategy);
    }

    /// What the next reserve asks when `limit` jobs are wanted: the queues around the one whose wake token came (its
    /// place among the worker's), else the first that may have some.
    pub fn ask(&mut self, limit: usize, woken_by: Option<usize>) -> Asking {
        let share = self.strategy == Strategy::RoundRobin;
        let (at, limit) = match woken_by {
            Some(queue) => (queue / window::MOST, limit),
            None if share => self.in_turn(limit),
            None => (self.next_from(0), limit),
        };
        let window = &mut self.windows[at];
        let queues = window.order();
        if share {
            window.move_on();
        }
        Asking { queues, limit, share }
    }

    /// The first window from this one on that may have jobs; this one when none has.
    fn next_from(&self, from: usize) -> usize {
        let round = (from..self.windows.len()).chain(0..from);
        round.into_iter().find(|at| !self.windows[*at].is_dry()).unwrap_or(from)
    }

    /// The window whose turn it is, and how many of the `limit` jobs it may give.
    ///
    /// A turn is worth as many jobs as the window has giving queues, times what each queue gets of a call to the window
    /// that has the most of them. So a queue gets as much as any other, however few stand beside it.
    fn in_turn(&mut self, limit: usize) -> (usize, usize) {
        if self.windows.len() == 1 || limit == 0 {
            return (self.turn, limit);
        }
        let at = self.next_from(self.turn);
        if at != self.turn || self.credit == 0 {
            let most = self.windows.iter().map(Window::giving).fold(1, usize::max);
            self.credit = self.windows[at].giving() * (limit / most).max(1);
        }
        let limit = limit.min(self.credit);
        self.credit -= limit;
        self.turn = if self.credit == 0 { (at + 1) % self.windows.len() } else { at };
        (at, limit)
    }

    /// A reserve of `limit` jobs, at least one, in `order` gave these; something comes due in `due` (None: nothing does).
    pub fn answer(&mut self, order: &[String], limit: usize, jobs: &[Job], due: Option<Duration>, now: Instant) {
        let full = jobs.len() >= limit;
        if let [only] = &mut self.windows[..] {
            if let (Strategy::RoundRobin, Some(first)) = (self.strategy, jobs.first()) {
                only.begin_behind(&first.queue);
            }
            return only.answer(full, due, now);
        }
        let Some(at) = self.windows.iter().position(|window| window.asked(order)) else { return };
        let others = match self.strategy {
            Strategy::Ordered => &mut self.windows[..at],
            Strategy::RoundRobin => {
                self.windows[at].learn(order, jobs, full);
                &mut self.windows[..]
            }
        };
        if full {
            // They are asked again before this one is. Those that an ordered worker asks later may stay dry: whatever
            // came to them meanwhile left its token.
            others.iter_mut().for_each(Window::look_again);
        }
        self.windows[at].answer(full, Some(due.map_or(LOOK_AFTER, |due| due.min(LOOK_AFTER))), now);
    }

    /// Nobody wants a job for now: the next fetch of an ordered worker begins with its first queue again.
    pub fn rest(&mut self) {
        if self.strategy == Strategy::Ordered {
            let before = self.next_from(0);
            self.windows[..before].iter_mut().for_each(Window::look_again);
        }
    }

    /// Nothing is known of the queues any more: a token may have been lost.
    pub fn look_again(&mut self) {
        self.windows.iter_mut().for_each(Window::look_again);
    }

    /// Looks again at what has come due.
    pub fn pass_due(&mut self, now: Instant) {
        self.windows.iter_mut().for_each(|window| window.pass_due(now));
    }

    /// True when every window, asked after the last that gave all, gave fewer jobs than it was asked for.
    pub fn are_dry(&self) -> bool {
        self.windows.iter().all(Window::is_dry)
    }

    /// When to look again though no token came; None when nothing is known to come due.
    pub fn due_at(&self) -> Option<Instant> {
        self.windows.iter().filter_map(Window::due_at).min()
    }
}

#[cfg(test)]
mod tests;
