//! What each queue gets of what is taken.

use super::*;

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
    // A call that only hands in outcomes, between two that take jobs, is no turn.
    let next = |queues: &mut Queues| {
        assert_eq!(queues.ask(0, None).queues.len(), 6);
        queues.ask(1, None).queues.concat()
    };
    let mut queues = Queues::new(&served, Strategy::Ordered);
    assert_eq!([next(&mut queues), next(&mut queues), next(&mut queues)], ["012345", "021354", "012345"]);
    let mut queues = Queues::new(&served, Strategy::RoundRobin);
    assert_eq!([next(&mut queues), next(&mut queues)], ["012345", "123450"]);
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

#[test]
fn shuffled_round_robin_gives_the_same_in_orders_drawn_anew() {
    let mut play = Play::new(3, Strategy::ShuffledRoundRobin);
    play.queues.random = Random::seeded(7);
    play.waiting.fill(usize::MAX / 2);
    let mut first = [0; 3];
    let mut orders = std::collections::BTreeSet::new();
    for _ in 0..600 {
        orders.insert(play.queues.ask(1, None).queues);
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
