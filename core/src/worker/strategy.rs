//! Reservation strategies: which queues a worker asks next and in which order, as pure code.
//!
//! A reserve asks few queues, so that it never works for long; a worker may have more. It asks them in *windows*, one a
//! call, and it waits for a wake token when none of them has more to give.
//!
//! A worker whose queues are more than one window first *looks* which of them are ready, in one call that costs the same for
//! a thousand queues as for one, and makes its windows of those. It looks before each round of its windows.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::patterns::Served;
use super::window::{self, Window};
use crate::ops::Job;

/// How long a worker that looked and found nothing leaves it at that. Tokens of some queues keep it from ever sitting out its
/// wait in Redis, which is how one with a single window notices a token that was lost.
pub const LOOK_AFTER: Duration = Duration::from_secs(2);
/// How often it asks all its queues, whatever it sees: should the engine have lost one.
const WALK_AFTER: Duration = Duration::from_secs(60);

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
    served: Served,
    windows: Vec<Window>,
    strategy: Strategy,
    /// The window whose turn it is, round-robin.
    turn: usize,
    /// Jobs it may still give in this turn; 0 before the turn has begun.
    credit: usize,
    /// Of a worker with more than one window of queues.
    sight: Option<Sight>,
}

/// What a worker of many queues saw when it looked.
struct Sight {
    /// Each queue's place among those served.
    places: HashMap<String, usize>,
    /// The places of those that were ready, in order.
    ready: Vec<usize>,
    /// They are all, as there were more than an answer names, or as it was time to ask all.
    whole: bool,
    /// Look before anything else is asked.
    stale: bool,
    /// When to look again though nothing happens.
    again_at: Option<Instant>,
    /// When to ask all.
    walk_at: Option<Instant>,
    /// The place where the next round begins, round-robin.
    begin: usize,
}

impl Queues {
    /// `served`: at least one.
    pub fn new(served: &Served, strategy: Strategy) -> Queues {
        let mut queues =
            Queues { served: served.clone(), windows: Vec::new(), strategy, turn: 0, credit: 0, sight: None };
        if served.names.len() > window::MOST {
            queues.sight = Some(Sight::of(&served.names));
        } else {
            queues.make_windows((0..served.names.len()).collect(), false);
        }
        queues
    }

    /// The same worker on other queues: nothing is known of them.
    pub fn serve(&mut self, served: &Served) {
        *self = Queues::new(served, self.strategy);
    }

    /// Windows of the queues in these places. `gives`: whether they are thought to have jobs.
    fn make_windows(&mut self, places: Vec<usize>, gives: bool) {
        let ordered = self.strategy == Strategy::Ordered;
        // Of queues that take turns, each window gets as many, so that each gets as much.
        let most =
            if ordered { window::MOST } else { places.len().div_ceil(places.len().div_ceil(window::MOST).max(1)) };
        let turns = self.windows.iter().map(Window::turns).max().unwrap_or(0);
        let windows = places.chunks(most.max(1)).map(|places| {
            let place_of = |end: usize| places.partition_point(|place| *place < end);
            let parts =
                self.served.fair.iter().filter(|_| ordered).map(|part| place_of(part.start)..place_of(part.end));
            let names = places.iter().map(|place| self.served.names[*place].clone()).collect();
            Window::new(names, parts.filter(|part| part.len() > 1).collect(), gives).after_turns(turns)
        });
        self.windows = windows.collect();
        (self.turn, self.credit) = (0, 0);
    }

    /// True when the worker is to look which queues are ready before it asks any.
    pub fn wants_look(&self) -> bool {
        self.sight.as_ref().is_some_and(|sight| sight.stale)
    }

    /// It looked: of all queues there are, these are ready, or soon have something due; `more`: and others.
    pub fn looked(&mut self, ready: &[String], more: bool, now: Instant) {
        let Some(sight) = &mut self.sight else { return };
        if let Some(next) = self.windows.get(self.turn).map(Window::next) {
            sight.begin = sight.places.get(next).copied().unwrap_or(sight.begin);
        }
        if !sight.see(ready, more, now) {
            // The same as before: what is known of their shares still holds, but not what came by tokens in between.
            self.windows.retain(|window| sight.has_ready(window.next()));
            return self.windows.iter_mut().for_each(Window::look_again);
        }
        let (mut places, whole) = (sight.ready.clone(), sight.whole);
        if self.strategy == Strategy::RoundRobin {
            let behind = places.partition_point(|place| *place < sight.begin);
            places.rotate_left(behind);
        }
        self.make_windows(places, !whole);
    }

    /// What the next reserve asks when `limit` jobs are wanted: the queues around the one whose wake token came (its
    /// place among the worker's), else the first that may have some.
    pub fn ask(&mut self, limit: usize, woken_by: Option<usize>) -> Asking {
        let share = self.strategy == Strategy::RoundRobin;
        let (at, limit) = match woken_by {
            Some(queue) => (self.window_of(queue), limit),
            // Nothing is known to be ready: what is asked now only flushes outcomes.
            None if self.windows.is_empty() => {
                return Asking { queues: self.served.names[..1].to_vec(), limit: 0, share };
            }
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

    /// The window with the queue in this place; one of its own for a queue that was not ready.
    fn window_of(&mut self, place: usize) -> usize {
        let name = self.served.names[place..=place].to_vec();
        self.windows.iter().position(|window| window.asked(&name)).unwrap_or_else(|| self.add_window(name))
    }

    fn add_window(&mut self, names: Vec<String>) -> usize {
        self.windows.push(Window::new(names, Vec::new(), true));
        self.windows.len() - 1
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
        if let (None, [only]) = (&self.sight, &mut self.windows[..]) {
            if let (Strategy::RoundRobin, Some(first)) = (self.strategy, jobs.first()) {
                only.begin_behind(&first.queue);
            }
            return only.answer(full, due, now);
        }
        let at = match self.windows.iter().position(|window| window.asked(order)) {
            Some(at) => at,
            // Since it was asked the worker looked, and did not see it.
            None => self.add_window(order.to_vec()),
        };
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
        self.windows[at].answer(full, due, now);
        let round_over = match self.strategy {
            Strategy::Ordered => full,
            Strategy::RoundRobin => at + 1 == self.windows.len() && !(full && self.credit > 0),
        };
        if round_over && !self.are_dry() {
            self.look_before_the_next();
        }
    }

    /// What else has become ready meanwhile is to be seen before these are asked again. When all are asked there is nothing
    /// to see, until it is time to look.
    fn look_before_the_next(&mut self) {
        if let Some(sight) = &mut self.sight {
            sight.stale |= !sight.whole;
        }
    }

    /// Nobody wants a job for now: the next fetch of an ordered worker begins with its first queue again.
    pub fn rest(&mut self) {
        if self.are_dry() {
            return;
        }
        self.look_before_the_next();
        if self.strategy == Strategy::Ordered {
            let before = self.next_from(0);
            self.windows[..before].iter_mut().for_each(Window::look_again);
        }
    }

    /// Nothing is known of the queues any more: a token may have been lost.
    pub fn look_again(&mut self) {
        self.windows.iter_mut().for_each(Window::look_again);
        if let Some(sight) = &mut self.sight {
            sight.stale = true;
        }
    }

    /// Looks again at what has come due.
    pub fn pass_due(&mut self, now: Instant) {
        self.windows.iter_mut().for_each(|window| window.pass_due(now));
        if let Some(sight) = self.sight.as_mut().filter(|sight| sight.again_at.is_some_and(|again| again <= now)) {
            (sight.stale, sight.again_at) = (true, None);
        }
    }

    /// True when every window, asked after the last that gave all, gave fewer jobs than it was asked for.
    pub fn are_dry(&self) -> bool {
        !self.wants_look() && self.windows.iter().all(Window::is_dry)
    }

    /// True when the runner looks from time to time, so that whoever waited for a token in vain need not.
    pub fn are_looked_at(&self) -> bool {
        self.sight.is_some()
    }

    /// When to look again though no token came; None when nothing is known to come due.
    pub fn due_at(&self) -> Option<Instant> {
        let again = self.sight.as_ref().and_then(|sight| sight.again_at);
        self.windows.iter().filter_map(Window::due_at).chain(again).min()
    }
}

impl Sight {
    fn of(names: &[String]) -> Sight {
        let places = names.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        Sight { places, ready: Vec::new(), whole: false, stale: true, again_at: None, walk_at: None, begin: 0 }
    }

    fn has_ready(&self, name: &str) -> bool {
        self.places.get(name).is_some_and(|place| self.ready.binary_search(place).is_ok())
    }

    /// True when it is another set of queues than before.
    fn see(&mut self, ready: &[String], more: bool, now: Instant) -> bool {
        let walk = *self.walk_at.get_or_insert(now + WALK_AFTER) <= now;
        if walk {
            self.walk_at = Some(now + WALK_AFTER);
        }
        (self.stale, self.again_at, self.whole) = (false, Some(now + LOOK_AFTER), more || walk);
        let seen = if self.whole {
            (0..self.places.len()).collect()
        } else {
            let mut seen: Vec<usize> = ready.iter().filter_map(|name| self.places.get(name).copied()).collect();
            seen.sort_unstable();
            seen
        };
        let other = seen != self.ready;
        self.ready = seen;
        other
    }
}

#[cfg(test)]
mod tests;
