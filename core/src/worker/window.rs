//! A window: the queues that one reserve asks together, and what its answers say of them.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::ops::{self, Job};

/// Most queues of a window: as many as one reserve may ask.
pub const MOST: usize = ops::MAX_QUEUES;
/// How long to wait for what is due and was not given, so that a clock that stands still costs no busy loop.
const PAST_DUE: Duration = Duration::from_millis(1);

/// At most [`MOST`] queues.
pub struct Window {
    names: Vec<String>,
    /// The one the next reserve begins with.
    first: usize,
    /// Parts whose queues take turns at being first of theirs.
    fair: Vec<Range<usize>>,
    /// How often they have.
    turns: usize,
    /// For each queue, whether it gave jobs when a reserve last came to it.
    giving: Vec<bool>,
    /// The last reserve gave fewer jobs than it was asked for: what comes now leaves a wake token.
    dry: bool,
    /// When to look again, though no token came.
    due_at: Option<Instant>,
}

impl Window {
    /// `names`: at least one. `fair`: parts of them. `gives`: whether they are thought to give jobs.
    pub fn new(names: Vec<String>, fair: Vec<Range<usize>>, gives: bool) -> Window {
        let giving = vec![gives; names.len()];
        Window { names, first: 0, fair, turns: 0, giving, dry: false, due_at: None }
    }

    /// The same in a turn that others of these queues have had before.
    pub fn after_turns(self, turns: usize) -> Window {
        Window { turns, ..self }
    }

    /// How often its fair parts have taken turns.
    pub fn turns(&self) -> usize {
        self.turns
    }

    /// The queue that the next reserve begins with.
    pub fn next(&self) -> &str {
        &self.names[self.first]
    }

    /// Its queues in the order in which the next reserve asks them.
    pub fn order(&mut self) -> Vec<String> {
        let mut order = self.names.clone();
        if !self.fair.is_empty() {
            for part in &self.fair {
                order[part.clone()].rotate_left(self.turns % part.len());
            }
            self.turns += 1;
        }
        order.rotate_left(self.first);
        order
    }

    /// The next reserve begins with the queue after the one this one began with.
    pub fn move_on(&mut self) {
        self.first = (self.first + 1) % self.names.len();
    }

    /// The next reserve begins with the queue after this one, which had the first share of the last.
    pub fn begin_behind(&mut self, queue: &str) {
        if let Some(place) = self.place(queue) {
            self.first = (place + 1) % self.names.len();
        }
    }

    /// True of the window that gave `order`.
    pub fn asked(&self, order: &[String]) -> bool {
        order.first().is_some_and(|first| self.names.contains(first))
    }

    /// How many of its queues gave jobs when a reserve last came to them; at least 1: each window is to be asked.
    pub fn giving(&self) -> usize {
        self.giving.iter().filter(|gives| **gives).count().max(1)
    }

    /// Its queues.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Learns which queues give jobs from what a reserve in `order` gave. One that gave all that was asked for came as far as
    /// the last queue it took from, and the next begins behind that: the others of the window have not had their share.
    pub fn learn(&mut self, order: &[String], jobs: &[Job], full: bool) {
        let Some(begun) = order.first().and_then(|first| self.place(first)) else { return };
        let (mut gave, mut reached, mut at) = ([false; MOST], 0, 0);
        for job in jobs {
            if order[at] != job.queue {
                let Some(other) = order.iter().position(|queue| *queue == job.queue) else { continue };
                at = other;
            }
            gave[at] = true;
            reached = reached.max(at);
        }
        let looked_at = if full { reached + 1 } else { order.len() };
        for (place, gave) in gave.iter().enumerate().take(looked_at) {
            if let Some(at) = self.place(&order[place]) {
                self.giving[at] = *gave;
            }
        }
        if looked_at < order.len() {
            self.first = (begun + looked_at) % order.len();
        }
    }

    fn place(&self, queue: &str) -> Option<usize> {
        self.names.iter().position(|name| name == queue)
    }

    /// The last reserve gave all that was asked for, or less; something comes due in `due` (None: nothing does).
    pub fn answer(&mut self, full: bool, due: Option<Duration>, now: Instant) {
        self.dry = !full;
        self.due_at = due.map(|span| now + if span.is_zero() { PAST_DUE } else { span });
    }

    /// Nothing is known of it any more.
    pub fn look_again(&mut self) {
        self.dry = false;
    }

    /// Nothing is known of it any more when its time has come.
    pub fn pass_due(&mut self, now: Instant) {
        if self.due_at.is_some_and(|due| due <= now) {
            self.due_at = None;
            self.dry = false;
        }
    }

    /// True while only a wake token or the time can bring jobs.
    pub fn is_dry(&self) -> bool {
        self.dry
    }

    /// When to look again; None when nothing is known to come due.
    pub fn due_at(&self) -> Option<Instant> {
        self.due_at
    }
}
