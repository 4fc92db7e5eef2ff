//! The order of calls without an engine, and fairness against one that is played.

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
fn round_robin_comes_to_another_window_within_one_round_of_a_flood() {
    for limit in [1, 10, 250] {
        let mut play = Play::new(1_000, Strategy::RoundRobin);
        play.waiting[5] = 1_000_000;
        for _ in 0..100 {
            play.call(limit, None);
        }
        for queue in [4, 70, 999] {
            play.waiting[queue] = 1;
            let calls = (1..).take(17).find(|_| {
                play.call(limit, None);
                play.waiting[queue] == 0
            });
            assert!(calls.is_some(), "queue {queue}, limit {limit}");
        }
    }
}

/// That all of these queues, which never run empty, get as much as each other, give or take a tenth.
fn check_shares(busy: &[usize], limit: usize) {
    let mut play = Play::new(1_000, Strategy::RoundRobin);
    for queue in busy {
        play.waiting[*queue] = usize::MAX / 2;
    }
    play.taken_of(busy, limit, 10 * busy.len() + 20 * limit);
    let shares = play.taken_of(busy, limit, 40 * busy.len() * (limit / busy.len()).max(1));
    let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
    assert!(*least > 0 && most * 10 <= least * 11, "{least} to {most} with limit {limit} of {}", busy.len());
}

#[test]
fn round_robin_gives_every_queue_the_same_however_they_lie() {
    let crowded: Vec<usize> = (0..60).chain([999]).collect();
    let gaps: Vec<usize> = vec![0, 25, 63, 64, 65, 66, 500];
    let each: Vec<usize> = (0..1_000).collect();
    for limit in [1, 7, 250] {
        check_shares(&crowded, limit);
        check_shares(&gaps, limit);
    }
    check_shares(&each, 16);
}

#[test]
fn round_robin_knows_windows_that_are_alike_and_takes_much_of_each() {
    let mut play = Play::new(1_000, Strategy::RoundRobin);
    play.waiting.fill(1_000_000);
    for _ in 0..4 * 16 {
        play.call(250, None);
    }
    let jobs: usize = (0..16).map(|_| play.call(250, None).1).sum();
    assert!(jobs >= 3 * 1_000, "{jobs} jobs in a round, of 250 / 64 a queue");
}

#[test]
fn a_queue_that_runs_dry_gives_its_share_to_the_others() {
    let mut play = Play::new(128, Strategy::RoundRobin);
    play.waiting[..60].fill(50);
    play.waiting[100] = 1_000_000;
    while play.waiting[..60].iter().any(|waiting| *waiting > 0) {
        play.call(20, None);
    }
    for _ in 0..8 {
        play.call(20, None);
    }
    assert_eq!((0..4).map(|_| play.call(20, None).1).sum::<usize>(), 40, "each other call is all for the last one");
}

#[test]
fn fair_parts_take_turns_and_the_rest_keeps_its_place() {
    let served = Served { names: names(6), fair: vec![1..3, 4..6] };
    let mut queues = Queues::new(&served, Strategy::Ordered);
    let orders: Vec<String> = (0..3).map(|_| queues.ask(1, None).queues.concat()).collect();
    assert_eq!(orders, ["012345", "021354", "012345"]);
    let mut queues = Queues::new(&served, Strategy::RoundRobin);
    assert_eq!(queues.ask(1, None).queues.concat(), "012345");
    assert_eq!(queues.ask(1, None).queues.concat(), "123450");
}

#[test]
fn a_fair_part_over_two_windows_takes_turns_in_each() {
    let served = Served { names: names(70), fair: vec![0..2, 62..66] };
    let mut queues = Queues::new(&served, Strategy::Ordered);
    queues.looked(&[], true, Instant::now());
    let ends = |order: &[String]| order[order.len() - 2..].concat();
    assert_eq!([ends(&queues.ask(1, Some(0)).queues), ends(&queues.ask(1, Some(0)).queues)], ["6263", "6362"]);
    let begins = |order: &[String]| order[..2].concat();
    assert_eq!([begins(&queues.ask(1, Some(64)).queues), begins(&queues.ask(1, Some(64)).queues)], ["6465", "6564"]);
}

#[test]
fn queues_without_jobs_between_them_give_no_advantage() {
    let mut play = Play::new(26, Strategy::RoundRobin);
    (play.waiting[0], play.waiting[25]) = (1_000, 1_000);
    for limit in [1, 2, 5] {
        let taken = play.taken_of(&[0, 25], limit, 100);
        assert!(taken[0].abs_diff(taken[1]) <= limit, "limit {limit}: {taken:?}");
    }
}

/// A worker of 1,000 queues that sees which are ready.
fn sighted(strategy: Strategy) -> Play {
    Play { more: false, ..Play::new(1_000, strategy) }
}

#[test]
fn an_idle_worker_of_many_queues_looks_and_asks_none() {
    for strategy in [Strategy::Ordered, Strategy::RoundRobin] {
        let mut play = sighted(strategy);
        for looks in 1..5 {
            assert!(!play.queues.are_dry());
            assert_eq!(play.round(9), Vec::<usize>::new());
            assert_eq!((play.looks, play.queues.due_at()), (looks, Some(play.now + LOOK_AFTER)));
            play.now += LOOK_AFTER;
            play.queues.pass_due(play.now);
        }
        assert_eq!(play.queues.ask(3, None).limit, 0, "outcomes are flushed with a reserve of none");
    }
}

#[test]
fn all_queues_are_asked_once_a_minute_whatever_is_seen() {
    let mut play = sighted(Strategy::Ordered);
    play.round(1);
    play.now += WALK_AFTER;
    play.queues.pass_due(play.now);
    assert_eq!(play.round(1).len(), 16);
    play.now += LOOK_AFTER;
    play.queues.pass_due(play.now);
    assert_eq!(play.round(1).len(), 0);
}

#[test]
fn only_queues_that_are_ready_are_asked_together() {
    for strategy in [Strategy::Ordered, Strategy::RoundRobin] {
        let mut play = sighted(strategy);
        for queue in [999, 3, 500] {
            play.waiting[queue] = 2;
        }
        play.look();
        assert_eq!(play.queues.ask(1, None).queues, ["3", "500", "999"]);
        assert_eq!(play.call(6, None).1, 6);
        assert_eq!(play.round(6).len(), 0, "it is seen that there is nothing more");
        assert_eq!(play.waiting.iter().sum::<usize>(), 0);
    }
}

#[test]
fn ordered_looks_before_it_goes_on_with_a_queue_behind() {
    let mut play = sighted(Strategy::Ordered);
    play.waiting[999] = 100;
    assert_eq!(play.call(5, None), (999, 5));
    play.waiting[700] = 1;
    assert_eq!(play.call(1, None), (700, 1));
    assert_eq!(play.call(5, None).1, 5);
}

#[test]
fn a_due_time_learned_by_a_token_is_kept() {
    let mut play = sighted(Strategy::Ordered);
    play.round(1);
    let Asking { queues, limit, .. } = play.queues.ask(1, Some(700));
    assert_eq!(queues, ["700"]);
    // The worker looks while it asks.
    play.queues.looked(&["5".to_owned()], false, play.now);
    play.queues.answer(&queues, limit, &[], Some(MS * 500), play.now);
    play.round(1);
    assert_eq!(play.queues.due_at(), Some(play.now + MS * 500));
    play.queues.pass_due(play.now + MS * 500);
    assert_eq!(play.call(1, None).0, 700);
}

#[test]
fn sighted_round_robin_starts_anothers_job_within_a_round_of_a_flood() {
    for limit in [1, 10, 250] {
        let mut play = sighted(Strategy::RoundRobin);
        play.waiting[5] = 1_000_000;
        for _ in 0..100 {
            play.call(limit, None);
        }
        for queue in [4, 70, 999] {
            play.waiting[queue] = 1;
            let calls = (1..=2).find(|_| {
                play.call(limit, None);
                play.waiting[queue] == 0
            });
            assert!(calls.is_some(), "queue {queue}, limit {limit}");
        }
    }
}

#[test]
fn sighted_round_robin_gives_ready_queues_the_same_while_others_come_and_go() {
    for (busy, limit) in [(3, 1), (61, 7), (61, 250), (130, 250)] {
        let mut play = sighted(Strategy::RoundRobin);
        let busy: Vec<usize> = (0..busy).map(|number| number * 7).collect();
        for queue in &busy {
            play.waiting[*queue] = usize::MAX / 2;
        }
        play.taken.fill(0);
        for call in 0..2_000 {
            play.waiting[1 + call * 31 % 994 / 7 * 7] = 1;
            play.call(limit, None);
        }
        let shares: Vec<usize> = busy.iter().map(|queue| play.taken[*queue]).collect();
        let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        assert!(*least > 0 && most * 10 <= least * 12, "{least} to {most} with limit {limit} of {}", busy.len());
    }
}

#[test]
fn shuffled_round_robin_gives_the_same_in_orders_drawn_anew() {
    let mut play = Play::new(3, Strategy::ShuffledRoundRobin);
    play.queues.random = Random::seeded(7);
    play.waiting.fill(usize::MAX / 2);
    let mut first = [0; 3];
    let mut orders = std::collections::BTreeSet::new();
    for _ in 0..600 {
        orders.insert(play.queues.ask(0, None).queues);
        first[play.call(1, None).0] += 1;
    }
    assert_eq!(orders.len(), 6, "every order there is");
    assert!(first.iter().all(|count| (150..250).contains(count)), "{first:?}");
}

#[test]
fn weights_are_those_of_the_name_else_of_the_longest_pattern() {
    let weights = [("mail-*", 5), ("mail-b*", 7), ("mail-big", 9), ("*", 2)];
    let weights: Weights = weights.into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect();
    let names = ["mail-big", "mail-bulk", "mail-a", "other"];
    assert_eq!(names.map(|name| weight_of(name, &weights)), [9, 7, 5, 2]);
    assert_eq!(weight_of("other", &Weights::new()), 1);
}

/// Jobs that each of these queues, with these weights and never empty, gives of so many.
fn weigh(count: usize, weights: &[(usize, u32)], limit: usize, jobs: usize) -> Vec<usize> {
    let mut play = Play { more: false, ..Play::new(count, Strategy::Weighted) };
    let named = weights.iter().map(|(queue, weight)| (queue.to_string(), *weight));
    play.queues = play.queues.weighing(named.collect());
    play.queues.random = Random::seeded(42);
    for (queue, _) in weights {
        play.waiting[*queue] = usize::MAX / 2;
    }
    let of: Vec<usize> = weights.iter().map(|(queue, _)| *queue).collect();
    play.taken_of(&of, limit, jobs)
}

#[test]
fn weighted_gives_by_weight_however_few_are_taken_at_once() {
    for (count, limit) in [(4, 1), (4, 3), (4, 100), (1_000, 1), (1_000, 7), (1_000, 250)] {
        let taken = weigh(count, &[(0, 6), (1, 3), (3, 1)], limit, 10_000);
        // Three deviations of 10,000 independent draws are 150 at most.
        let expected = [6_000, 3_000, 1_000];
        assert!(taken.iter().zip(expected).all(|(got, due)| got.abs_diff(due) <= 150), "{count} {limit}: {taken:?}");
    }
}

#[test]
fn weighted_gives_by_weight_over_several_windows() {
    let weights: Vec<(usize, u32)> = (0..100).map(|place| (place * 3, if place < 10 { 9 } else { 1 })).collect();
    let taken = weigh(1_000, &weights, 10, 36_000);
    let heavy: usize = taken[..10].iter().sum();
    assert!((17_000..19_000).contains(&heavy), "half of all: {heavy}");
}

#[test]
fn a_job_beside_a_flood_starts_within_a_turn_by_every_fair_strategy() {
    for strategy in [Strategy::RoundRobin, Strategy::ShuffledRoundRobin, Strategy::Weighted] {
        for (count, limit) in [(3, 2), (3, 250), (1_000, 2), (1_000, 250)] {
            let mut play = Play { more: false, ..Play::new(count, strategy) };
            play.waiting[0] = 1_000_000;
            play.call(limit, None);
            play.waiting[2] = 1;
            play.call(limit, None);
            assert_eq!(play.waiting[2], 0, "{strategy:?} of {count}, limit {limit}");
        }
    }
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
