//! Workers of more queues than one call asks.

use super::super::sight::WALK_AFTER;
use super::*;

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
