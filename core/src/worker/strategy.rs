//! Reservation strategies: which queues a worker asks next and in which order, as pure code.
//!
//! A reserve asks few queues, so that it never works for long; a worker may have more. It asks them in *windows*, one a
//! call, and it waits for a wake token when none of them has more to give.
//!
//! A worker whose queues are more than one window first *looks* which of them are ready, in one call that costs the same for
//! a thousand queues as for one, and makes its windows of those. It looks before each round of its windows.

mod sight;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::jitter;
use super::patterns::{self, Served};
use super::random::Random;
use super::window::{self, Window};
use crate::ops::{Job, Share};
use sight::Sight;

/// How long a worker that looked and found nothing leaves it at that, unless its options say otherwise. Tokens of some queues
/// keep it from ever sitting out its wait in Redis, which is how one with a single window notices a token that was lost.
const LOOK_AFTER: Duration = Duration::from_secs(2);
/// How a worker chooses among its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Always in the order given: a later queue is served only when the earlier ones give nothing.
    Ordered,
    /// An equal share of each call for every queue that has jobs; the next begins behind the first that gave some.
    RoundRobin,
    /// The same, but each call asks in an order drawn anew.
    ShuffledRoundRobin,
    /// A share of each call by its weight for every queue that has jobs.
    Weighted,
    /// In the order that the host gave last.
    Callback,
}

impl Strategy {
    /// Every strategy by the name options use.
    pub const NAMES: [(&'static str, Strategy); 5] = [
        ("ordered", Strategy::Ordered),
        ("round_robin", Strategy::RoundRobin),
        ("shuffled_round_robin", Strategy::ShuffledRoundRobin),
        ("weighted", Strategy::Weighted),
        ("callback", Strategy::Callback),
    ];

    /// Whether each queue that has jobs gets a share of a call; else a later one gets what the earlier leave.
    fn shares(self) -> bool {
        matches!(self, Strategy::RoundRobin | Strategy::ShuffledRoundRobin | Strategy::Weighted)
    }

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
    /// What each queue that has jobs gets of them.
    pub share: Share,
}

/// How much queues count against each other: those of a name, or of a pattern, from 1 to 1000; all others 1.
pub type Weights = BTreeMap<String, u32>;

/// A queue's own weight, or that of the longest pattern which matches it.
fn weight_of(queue: &str, weights: &Weights) -> u32 {
    let matching = weights.iter().filter(|(pattern, _)| patterns::matches(pattern, queue));
    let longest = || matching.max_by_key(|(pattern, _)| pattern.len()).map(|(_, weight)| weight);
    weights.get(queue).or_else(longest).copied().unwrap_or(1)
}

/// A worker's queues, what is known of them, and where the next call begins.
pub struct Queues {
    served: Served,
    windows: Vec<Window>,
    strategy: Strategy,
    /// As the worker's options say.
    weights: Weights,
    random: Random,
    /// The queue that is named where a call needs one and nothing is asked.
    spare: String,
    /// The window whose turn it is, round-robin.
    turn: usize,
    /// Jobs it may still give in this turn; 0 before the turn has begun.
    credit: usize,
    /// How long an idle worker waits before it looks for what no token told it.
    look_after: Duration,
    /// Of a worker with more than one window of queues.
    sight: Option<Sight>,
}

impl Queues {
    /// `served`: at least one.
    pub fn new(served: &Served, strategy: Strategy) -> Queues {
        let mut queues = Queues {
            served: Served::default(),
            windows: Vec::new(),
            strategy,
            weights: Weights::new(),
            random: Random::fresh(),
            spare: String::new(),
            turn: 0,
            credit: 0,
            look_after: LOOK_AFTER,
            sight: None,
        };
        queues.serve(served);
        queues
    }

    /// The same for a worker that, idle, waits so long at most.
    pub fn looking_after(self, look_after: Duration) -> Queues {
        Queues { look_after, ..self }
    }

    /// How long the next wait for a token lasts at most: ±10 %, chosen by 16 random bits, so that workers which fell idle together
    /// do not look together.
    pub fn longest_wait(&self, draw: u16) -> Duration {
        Duration::from_millis(jitter::jittered(self.look_after.as_millis() as u64, draw))
    }

    /// The same with the weights of its queues, for [`Strategy::Weighted`].
    pub fn weighing(self, weights: Weights) -> Queues {
        Queues { weights, ..self }
    }

    /// The same worker on other queues, of which nothing is known; none for a while, when the host wants so.
    pub fn serve(&mut self, served: &Served) {
        (self.served, self.sight) = (served.clone(), None);
        self.windows.clear();
        if let Some(first) = served.names.first() {
            self.spare.clone_from(first);
        }
        if served.names.len() > window::MOST {
            self.sight = Some(Sight::of(&served.names));
        } else {
            self.make_windows((0..served.names.len()).collect(), false);
        }
    }

    /// True when there is no queue to ask.
    pub fn are_none(&self) -> bool {
        self.served.names.is_empty()
    }

    /// Windows of the queues in these places. `gives`: whether they are thought to have jobs.
    fn make_windows(&mut self, places: Vec<usize>, gives: bool) {
        let ordered = !self.strategy.shares();
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
        if !sight.see(ready, more, now, self.look_after) {
            // The same as before: what is known of their shares still holds, but not what came by tokens in between.
            self.windows.retain(|window| sight.has_ready(window.next()));
            return self.windows.iter_mut().for_each(Window::look_again);
        }
        let (mut places, whole) = (sight.ready.clone(), sight.whole);
        if self.strategy == Strategy::ShuffledRoundRobin {
            self.random.shuffle(&mut places);
        } else if self.strategy == Strategy::RoundRobin {
            let behind = places.partition_point(|place| *place < sight.begin);
            places.rotate_left(behind);
        }
        self.make_windows(places, !whole);
    }

    /// What the next reserve asks when `limit` jobs are wanted: the queues around the one whose wake token came (its
    /// place among the worker's), else the first that may have some.
    pub fn ask(&mut self, limit: usize, woken_by: Option<usize>) -> Asking {
        let (at, limit) = match (woken_by, self.strategy) {
            (Some(queue), _) => (self.window_of(queue), limit),
            // Nothing is known to be ready: what is asked now only flushes outcomes.
            (None, _) if self.windows.is_empty() => {
                return Asking { queues: vec![self.spare.clone()], limit: 0, share: Share::InOrder };
            }
            (None, Strategy::Weighted) => (self.drawn(), limit),
            (None, Strategy::RoundRobin | Strategy::ShuffledRoundRobin) => self.in_turn(limit),
            (None, Strategy::Ordered | Strategy::Callback) => (self.next_from(0), limit),
        };
        let window = &mut self.windows[at];
        if limit == 0 {
            // No turn is spent where nothing is taken.
            return Asking { queues: window.names().to_vec(), limit, share: Share::InOrder };
        }
        let mut queues = window.order();
        if self.strategy.shares() {
            window.move_on();
        }
        if matches!(self.strategy, Strategy::ShuffledRoundRobin | Strategy::Weighted) {
            self.random.shuffle(&mut queues);
        }
        let share = self.share_of(&queues);
        Asking { queues, limit, share }
    }

    fn share_of(&mut self, queues: &[String]) -> Share {
        match self.strategy {
            Strategy::Ordered | Strategy::Callback => Share::InOrder,
            Strategy::RoundRobin | Strategy::ShuffledRoundRobin => Share::Equal,
            Strategy::Weighted => Share::Weighted {
                weights: queues.iter().map(|queue| weight_of(queue, &self.weights)).collect(),
                draw: self.random.below(1_000_000) as u32,
            },
        }
    }

    /// One of the windows that may have jobs, each as likely as its queues have weight.
    fn drawn(&mut self) -> usize {
        if self.windows.len() == 1 {
            return 0;
        }
        let weight = |window: &Window| -> u64 {
            let weights = window.names().iter().map(|queue| u64::from(weight_of(queue, &self.weights)));
            if window.is_dry() { 0 } else { weights.sum() }
        };
        let weights: Vec<u64> = self.windows.iter().map(weight).collect();
        let all: u64 = weights.iter().sum();
        let mut left = if all > 0 { self.random.below(all) } else { return 0 };
        for (at, weight) in weights.into_iter().enumerate() {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return at,
            }
        }
        0
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
        let others = if self.strategy.shares() {
            self.windows[at].learn(order, jobs, full);
            &mut self.windows[..]
        } else {
            &mut self.windows[..at]
        };
        if full {
            // They are asked again before this one is. Those that an ordered worker asks later may stay dry: whatever
            // came to them meanwhile left its token.
            others.iter_mut().for_each(Window::look_again);
        }
        self.windows[at].answer(full, due, now);
        let round_over = match self.strategy {
            Strategy::Ordered | Strategy::Callback | Strategy::Weighted => full,
            Strategy::RoundRobin | Strategy::ShuffledRoundRobin => {
                at + 1 == self.windows.len() && !(full && self.credit > 0)
            }
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
        if !self.strategy.shares() {
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

#[cfg(test)]
mod tests;
