//! Reservation strategies: in which order a worker asks its queues, as pure code.

/// How a worker chooses among its queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Always in the order given: a later queue is served only when the earlier ones give nothing.
    Ordered,
    /// An equal share of each call for every queue that has jobs; the first one to ask moves on with each call.
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

/// A worker's queues and where the next call begins.
pub struct Queues {
    names: Vec<String>,
    strategy: Strategy,
    first: usize,
}

impl Queues {
    /// `names`: at least one.
    pub fn new(names: Vec<String>, strategy: Strategy) -> Queues {
        Queues { names, strategy, first: 0 }
    }

    /// The queues in the order the next reserve asks them, and whether each gets an equal share.
    /// Moves the beginning of the call after it.
    pub fn next_order(&mut self) -> (Vec<String>, bool) {
        let mut order = self.names.clone();
        if self.strategy == Strategy::RoundRobin {
            order.rotate_left(self.first);
            self.first = (self.first + 1) % self.names.len();
        }
        (order, self.strategy == Strategy::RoundRobin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(strategy: Strategy) -> Queues {
        Queues::new(["a", "b", "c"].map(String::from).to_vec(), strategy)
    }

    #[test]
    fn ordered_never_moves() {
        let mut queues = queues(Strategy::Ordered);
        for _ in 0..4 {
            assert_eq!(queues.next_order(), (["a", "b", "c"].map(String::from).to_vec(), false));
        }
    }

    #[test]
    fn round_robin_begins_one_further_each_call() {
        let mut queues = queues(Strategy::RoundRobin);
        let orders: Vec<String> = (0..4).map(|_| queues.next_order().0.concat()).collect();
        assert_eq!(orders, ["abc", "bca", "cab", "abc"]);
        assert!(queues.next_order().1);
    }

    #[test]
    fn names_lead_back_to_strategies() {
        assert_eq!(Strategy::named("round_robin"), Some(Strategy::RoundRobin));
        assert_eq!(Strategy::named("Ordered"), None);
    }
}
