//! The order of calls without an engine, and fairness against one that is played.

mod shares;
mod sight;

use super::*;
use crate::worker::hand::tests::job;

const MS: Duration = Duration::from_millis(1);

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

/// Queues, and what stands in each of them.
struct Play {
    queues: Queues,
    names: Vec<String>,
    waiting: Vec<usize>,
    taken: Vec<usize>,
    /// Whether a look says that there are more than it names, and how often the worker looked.
    more: bool,
    looks: usize,
    now: Instant,
}

impl Play {
    fn new(count: usize, strategy: Strategy) -> Play {
        let names = names(count);
        let queues = Queues::new(&Served::plain(names.clone()), strategy);
        Play {
            queues,
            names,
            waiting: vec![0; count],
            taken: vec![0; count],
            more: true,
            looks: 0,
            now: Instant::now(),
        }
    }

    /// One look, where the worker wants it, as the engine answers it.
    fn look(&mut self) {
        if self.queues.wants_look() {
            let ready = self.names.iter().zip(&self.waiting).filter(|(_, waiting)| **waiting > 0);
            let ready: Vec<String> = ready.map(|(name, _)| name.clone()).rev().collect();
            self.queues.looked(&ready, self.more || ready.len() > 500, self.now);
            self.looks += 1;
        }
    }

    /// One reserve as the engine answers it. Returns the first queue asked and how many jobs came.
    fn call(&mut self, limit: usize, woken_by: Option<usize>) -> (usize, usize) {
        if woken_by.is_none() {
            self.look();
        }
        let Asking { queues, limit, share } = self.queues.ask(limit, woken_by);
        assert!((1..=window::MOST).contains(&queues.len()));
        let order: Vec<usize> = queues.iter().map(|queue| queue.parse().unwrap()).collect();
        let active = order.iter().filter(|queue| self.waiting[**queue] > 0).count().max(1);
        let shares = self.shares(&order, limit, active, &share);
        let mut jobs = Vec::new();
        for pass in 0..2 {
            for (queue, share) in order.iter().zip(&shares) {
                let most = if pass == 0 { *share } else { limit };
                let gives = most.min(limit - jobs.len()).min(self.waiting[*queue]);
                self.waiting[*queue] -= gives;
                self.taken[*queue] += gives;
                jobs.extend((0..gives).map(|_| Job { queue: self.names[*queue].clone(), ..job("j", "k") }));
            }
        }
        if limit > 0 {
            self.queues.answer(&queues, limit, &jobs, None, self.now);
        }
        (order[0], jobs.len())
    }

    /// What each of the queues gets at first, as the engine reckons.
    fn shares(&self, order: &[usize], limit: usize, active: usize, share: &Share) -> Vec<usize> {
        let Share::Weighted { weights, draw } = share else {
            return vec![if *share == Share::Equal { limit.div_ceil(active) } else { limit }; order.len()];
        };
        let counted =
            order.iter().zip(weights).map(|(queue, weight)| if self.waiting[*queue] > 0 { *weight } else { 0 });
        let counted: Vec<f64> = counted.map(f64::from).collect();
        let all: f64 = counted.iter().sum::<f64>().max(1.0);
        let (mut sum, mut reached) = (0.0, 0);
        let gets = counted.into_iter().map(|weight| {
            sum += weight;
            let end = (limit as f64 * sum / all + f64::from(*draw) / 1e6) as usize;
            std::mem::replace(&mut reached, end).abs_diff(end)
        });
        gets.collect()
    }

    /// Calls until all windows are dry. Returns the first queue of each.
    fn round(&mut self, limit: usize) -> Vec<usize> {
        let mut asked = Vec::new();
        self.look();
        while !self.queues.are_dry() {
            asked.push(self.call(limit, None).0);
            assert!(asked.len() < 10_000, "never dry");
        }
        asked
    }

    /// Jobs taken of each of these queues until so many came in all.
    fn taken_of(&mut self, of: &[usize], limit: usize, jobs: usize) -> Vec<usize> {
        self.taken.fill(0);
        let (mut came, mut calls) = (0, 0);
        while came < jobs {
            came += self.call(limit, None).1;
            calls += 1;
            assert!(calls < 1_000_000, "{came} jobs came");
        }
        of.iter().map(|queue| self.taken[*queue]).collect()
    }
}

#[test]
fn ordered_never_moves() {
    let names = ["a", "b", "c"].map(String::from);
    let mut queues = Queues::new(&Served::plain(names.to_vec()), Strategy::Ordered);
    for limit in [4, 1, 0] {
        assert_eq!(queues.ask(limit, None), Asking { queues: names.to_vec(), limit, share: Share::InOrder });
    }
}

#[test]
fn round_robin_begins_one_further_each_call() {
    let mut queues = Queues::new(&Served::plain(["a", "b", "c"].map(String::from).to_vec()), Strategy::RoundRobin);
    let orders: Vec<String> = (0..4).map(|_| queues.ask(1, None).queues.concat()).collect();
    assert_eq!(orders, ["abc", "bca", "cab", "abc"]);
    assert_eq!(queues.ask(1, None).share, Share::Equal);
}

#[test]
fn names_lead_back_to_strategies() {
    assert_eq!(Strategy::named("round_robin"), Some(Strategy::RoundRobin));
    assert_eq!(Strategy::named("Ordered"), None);
}

#[test]
fn up_to_64_queues_are_asked_in_one_call() {
    for strategy in [Strategy::Ordered, Strategy::RoundRobin] {
        for count in [1, 2, 63, 64] {
            let mut play = Play::new(count, strategy);
            assert_eq!(play.queues.ask(9, None).queues.len(), count);
            assert_eq!(play.round(9).len(), 1);
            assert_eq!(play.queues.due_at(), None, "a wait in Redis that ends without a token looks again");
        }
        assert_eq!(Play::new(65, strategy).round(9).len(), 2);
        assert_eq!(Play::new(1_000, strategy).round(9).len(), 16);
    }
}

#[test]
fn a_round_asks_every_queue_once() {
    for strategy in [Strategy::Ordered, Strategy::RoundRobin] {
        let mut play = Play::new(1_000, strategy);
        play.look();
        let mut asked = Vec::new();
        while !play.queues.are_dry() {
            let Asking { queues, limit, .. } = play.queues.ask(5, None);
            play.queues.answer(&queues, limit, &[], None, play.now);
            asked.extend(queues);
            assert!(asked.len() <= 1_000, "never dry");
        }
        assert_eq!(asked.len(), 1_000);
        assert_eq!(asked.into_iter().collect::<std::collections::BTreeSet<_>>(), names(1_000).into_iter().collect());
    }
}

#[test]
fn ordered_goes_on_only_while_windows_give_too_little() {
    let mut play = Play::new(200, Strategy::Ordered);
    (play.waiting[3], play.waiting[70], play.waiting[140]) = (2, 9, 1);
    assert_eq!(play.call(5, None), (0, 2));
    assert_eq!(play.call(3, None), (64, 3));
    assert_eq!(play.call(5, None), (0, 0), "a new fetch begins with the first queue");
    play.waiting[0] = 1;
    assert_eq!(play.call(5, None), (64, 5), "that came after its window was asked, and left a token");
    assert_eq!(play.round(5), [0, 64, 128, 192]);
    assert_eq!(play.waiting.iter().sum::<usize>(), 0);
}

#[test]
fn ordered_begins_at_the_first_queue_after_a_rest() {
    let mut play = Play::new(200, Strategy::Ordered);
    assert_eq!((play.call(5, None).0, play.call(5, None).0), (0, 64));
    play.queues.rest();
    assert_eq!(play.round(5), [0, 64, 128, 192]);
    play.queues.rest();
    assert!(play.queues.are_dry(), "nothing has come since");
}

#[test]
fn a_token_asks_its_window_and_leaves_the_others_dry() {
    for strategy in [Strategy::Ordered, Strategy::RoundRobin] {
        let mut play = Play::new(1_000, strategy);
        play.round(4);
        for queue in [0, 500, 999] {
            play.waiting[queue] = 3;
            let (_, came) = play.call(4, Some(queue));
            assert_eq!(came, 3);
            assert!(play.queues.are_dry());
        }
        play.waiting[999] = 9;
        assert_eq!(play.call(4, Some(999)).1, 4);
        assert!(!play.queues.are_dry(), "there may be more");
        play.round(4);
        assert_eq!(play.waiting[999], 0);
    }
}

#[test]
fn a_token_nobody_wants_is_passed_on_where_it_came_from() {
    let mut queues = Queues::new(&Served::plain(names(1_000)), Strategy::RoundRobin);
    let Asking { queues, limit, .. } = queues.ask(0, Some(999));
    assert_eq!((limit, queues.contains(&"999".to_owned())), (0, true));
}

#[test]
fn each_window_is_looked_at_when_its_own_time_has_come() {
    let mut play = Play::new(130, Strategy::Ordered);
    play.look();
    let (begun, mut at) = (play.now, play.now);
    for due in [Some(MS * 40), Some(MS * 30), None] {
        let Asking { queues, limit, .. } = play.queues.ask(1, None);
        play.queues.answer(&queues, limit, &[], due, at);
        at += MS;
    }
    assert_eq!(play.queues.due_at(), Some(begun + MS * 31));
    play.queues.pass_due(begun + MS * 30);
    assert!(play.queues.are_dry());
    play.queues.pass_due(begun + MS * 31);
    assert_eq!(play.round(1), [64]);
    assert_eq!(play.queues.due_at(), Some(begun + MS * 40));
    play.queues.pass_due(begun + MS * 40);
    assert_eq!(play.round(1), [0]);
    play.now = begun + LOOK_AFTER + MS * 2;
    play.queues.pass_due(play.now);
    assert_eq!(play.round(1), [0, 64, 128], "tokens may have been lost");
}

#[test]
fn nothing_is_known_after_trouble() {
    let mut play = Play::new(200, Strategy::Ordered);
    play.round(1);
    play.queues.look_again();
    assert_eq!(play.round(1), [0, 64, 128, 192]);
}

#[test]
fn a_callback_worker_asks_what_it_is_told_to() {
    let mut queues = Queues::new(&Served::plain(names(3)), Strategy::Callback);
    assert_eq!(queues.ask(1, None).queues, ["0", "1", "2"]);
    queues.serve(&Served::plain(vec!["2".to_owned(), "0".to_owned()]));
    assert_eq!(queues.ask(1, None).queues, ["2", "0"]);
    queues.serve(&Served::default());
    assert!(queues.are_none() && queues.are_dry());
    assert_eq!(queues.ask(1, None).limit, 0);
}

#[test]
fn an_idle_worker_looks_as_often_as_it_was_told_also_on_other_queues() {
    let interval = MS * 250;
    for queues in [1, 1_000] {
        let mut play = Play { more: false, ..Play::new(queues, Strategy::Ordered) };
        play.queues = play.queues.looking_after(interval);
        play.queues.serve(&Served::plain(play.names.clone()));
        for (draw, ms) in [(0, 225), (u16::MAX, 275)] {
            assert_eq!(play.queues.longest_wait(draw), MS * ms);
        }
        play.round(9);
        let look = (queues > 1).then_some(play.now + interval);
        assert_eq!(play.queues.due_at(), look, "one of few queues looks when its wait is over");
    }
}
