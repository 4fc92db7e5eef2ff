//! What a worker of more queues than one call asks sees of them, when it looks which are ready.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How often it asks all its queues, whatever it sees: should the engine have lost one.
pub const WALK_AFTER: Duration = Duration::from_secs(60);

/// What a worker of many queues saw when it looked.
pub struct Sight {
    /// Each queue's place among those served.
    pub places: HashMap<String, usize>,
    /// The places of those that were ready, in order.
    pub ready: Vec<usize>,
    /// They are all, as there were more than an answer names, or as it was time to ask all.
    pub whole: bool,
    /// Look before anything else is asked.
    pub stale: bool,
    /// When to look again though nothing happens.
    pub again_at: Option<Instant>,
    /// When to ask all.
    walk_at: Option<Instant>,
    /// The place where the next round begins, round-robin.
    pub begin: usize,
}

impl Sight {
    /// Nothing yet, of these queues.
    pub fn of(names: &[String]) -> Sight {
        let places = names.iter().enumerate().map(|(place, name)| (name.clone(), place)).collect();
        Sight { places, ready: Vec::new(), whole: false, stale: true, again_at: None, walk_at: None, begin: 0 }
    }

    /// True of a queue that was ready.
    pub fn has_ready(&self, name: &str) -> bool {
        self.places.get(name).is_some_and(|place| self.ready.binary_search(place).is_ok())
    }

    /// True when it is another set of queues than before.
    pub fn see(&mut self, ready: &[String], more: bool, now: Instant, look_after: Duration) -> bool {
        let walk = *self.walk_at.get_or_insert(now + WALK_AFTER) <= now;
        if walk {
            self.walk_at = Some(now + WALK_AFTER);
        }
        (self.stale, self.again_at, self.whole) = (false, Some(now + look_after), more || walk);
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
