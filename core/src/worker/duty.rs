//! Whether a worker takes jobs, and what an operator asked of it.

use crate::client::Order;

/// What keeps a worker from taking jobs, if anything does.
#[derive(Default)]
pub struct Duty {
    quiet: bool,
    paused: bool,
    /// An operator asked for quiet: it lives on like a paused one, and no resume takes that back.
    retired: bool,
    ordered: Option<Order>,
    /// The number of the last order it heard of.
    heard: i64,
}

impl Duty {
    /// No new jobs from now on, and whoever waits for one is told so.
    pub fn fall_quiet(&mut self) {
        self.quiet = true;
    }

    /// True once whoever asks for a job is told that no more come.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// No new jobs for now, or jobs again.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// True between a pause and the next resume.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// True once it takes no jobs for good.
    pub fn has_ended(&self) -> bool {
        self.quiet || self.retired
    }

    /// True while it takes no jobs.
    pub fn takes_none(&self) -> bool {
        self.has_ended() || self.paused
    }

    /// Does what an operator asks, oldest first; `last`: the number of the last of these orders.
    pub fn obey(&mut self, orders: &[Order], last: i64) {
        for order in orders {
            if self.ordered != Some(Order::Stop) {
                self.ordered = Some(*order);
            }
            match order {
                Order::Stop => self.quiet = true,
                Order::Quiet => self.retired = true,
                Order::Pause | Order::Resume => self.paused = *order == Order::Pause,
            }
        }
        self.heard = self.heard.max(last);
    }

    /// What an operator asked last; a stop is not taken back.
    pub fn ordered(&self) -> Option<Order> {
        self.ordered
    }

    /// The number of the last order it heard of, which its next pulse says.
    pub fn heard(&self) -> i64 {
        self.heard
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_quiet_is_a_pause_that_nothing_takes_back() {
        let mut duty = Duty::default();
        duty.obey(&[Order::Pause, Order::Resume], 5);
        assert!(!duty.takes_none());
        duty.obey(&[Order::Quiet, Order::Resume], 7);
        assert!(duty.takes_none() && duty.has_ended() && !duty.is_quiet());
        duty.obey(&[Order::Stop, Order::Resume], 9);
        assert!(duty.is_quiet());
        assert_eq!((duty.ordered(), duty.heard()), (Some(Order::Stop), 9));
        duty.obey(&[], 0);
        assert_eq!(duty.heard(), 9);
    }
}
