//! The hand by itself, at chosen times.

use super::*;
use crate::json::Fields;

/// A reserved job.
pub fn job(jid: &str, kind: &str) -> Job {
    Job {
        jid: jid.to_owned(),
        kind: kind.to_owned(),
        queue: "q".to_owned(),
        data: "null".to_owned(),
        priority: 0,
        retries: 5,
        remaining: 3,
        token: "7".to_owned(),
        lease_ms: 60_000,
        put_at_ms: 0,
        worker: "w".to_owned(),
        tags: Vec::new(),
        route: Vec::new(),
        throttles: Vec::new(),
        headers: Default::default(),
        timeout_ms: None,
        backoff: None,
        parent: None,
        tracked: false,
    }
}

pub fn jobs(count: usize, kind: &str) -> Vec<Job> {
    (0..count).map(|number| job(&format!("{kind}{number}"), kind)).collect()
}

const MS: Duration = Duration::from_millis(1);

/// A hand in which jobs of this kind were seen to take `span`, the last one until now.
fn practised(kind: &str, span: Duration) -> (Hand, Instant) {
    let (mut hand, mut now) = (Hand::default(), Instant::now());
    for job in jobs(8, kind) {
        hand.receive(vec![job], now);
        let job = hand.start(now).unwrap();
        now += span;
        hand.finish(&lease(&job), now).unwrap();
    }
    (hand, now)
}

#[test]
fn holds_25_ms_of_work_for_each_thread() {
    let (mut hand, now) = practised("short", MS * 5);
    assert_eq!(hand.ahead(1, 0, now), Ahead { room: 5, whole: 5 });
    assert_eq!(hand.ahead(4, 0, now), Ahead { room: 20, whole: 20 });
    hand.receive(jobs(3, "short"), now);
    assert_eq!(hand.ahead(1, 0, now), Ahead { room: 2, whole: 5 });
    assert_eq!(hand.ahead(1, 2, now), Ahead { room: 4, whole: 5 }, "two of them are about to be started");
}

#[test]
fn holds_nothing_ahead_of_long_or_unknown_jobs() {
    let (mut hand, now) = practised("long", MS * 30);
    assert_eq!(hand.ahead(1, 0, now), Ahead { room: 0, whole: 0 });
    assert_eq!(Hand::default().ahead(8, 0, now), Ahead::default());
    let (mut hand, now) = practised("short", MS);
    hand.receive(vec![job("a", "never seen")], now);
    assert_eq!(hand.ahead(1, 0, now).room, 0, "an unknown one may take all the time there is");
}

#[test]
fn holds_nothing_ahead_while_threads_are_in_long_jobs() {
    let (mut hand, now) = practised("short", MS);
    assert_eq!(hand.ahead(1, 0, now + MS * 25).room, 25);
    assert_eq!(hand.ahead(1, 0, now + MS * 26).room, 0);
}

#[test]
fn instant_jobs_are_held_up_to_the_limit() {
    let (mut hand, now) = practised("instant", Duration::ZERO);
    assert_eq!(hand.ahead(1, 0, now), Ahead { room: MOST_UNSTARTED, whole: MOST_UNSTARTED });
    hand.receive(jobs(100, "instant"), now);
    assert_eq!(hand.ahead(1, 0, now).room, MOST_UNSTARTED - 100);
}

#[test]
fn what_nobody_starts_in_time_is_given_back_in_order() {
    let (mut hand, now) = (Hand::default(), Instant::now());
    assert_eq!(hand.release_at(), None);
    hand.receive(jobs(2, "a"), now);
    hand.receive(jobs(1, "b"), now + MS * 50);
    assert_eq!(hand.release_at(), Some(now + MS * 100));
    assert_eq!(hand.give_back_overdue(now + MS * 99), []);
    let back = hand.give_back_overdue(now + MS * 100);
    assert_eq!(back.iter().map(|lease| lease.jid.as_str()).collect::<Vec<_>>(), ["a0", "a1"]);
    assert_eq!((hand.unstarted(), hand.give_back_all().len()), (1, 1));
}

#[test]
fn a_job_whose_lease_ran_out_in_hand_is_not_started() {
    let (mut hand, now) = (Hand::default(), Instant::now());
    hand.receive(jobs(2, "a"), now);
    assert!(hand.start(now + MS * 59_999).is_some());
    assert!(hand.start(now + MS * 60_000).is_none());
}

#[test]
fn a_handler_is_late_after_its_kinds_time_and_stuck_after_two_seconds_more() {
    let (mut hand, now) = (Hand::default(), Instant::now());
    let mut options = Fields::parse(r#"{"timeout_ms":50,"timeouts":{"b":90}}"#, "options").unwrap();
    hand.timeouts = Timeouts::take(&mut options).unwrap();
    hand.receive(vec![job("a", "a"), job("b", "b")], now);
    let (a, b) = (lease(&hand.start(now).unwrap()), lease(&hand.start(now).unwrap()));
    let reasons = |hand: &Hand, at| [&a, &b].map(|lease| hand.interrupted(lease, at).map(str::to_owned));
    let late = Some("timeout".to_owned());
    assert_eq!(reasons(&hand, now + MS * 49), [None, None]);
    assert_eq!(reasons(&hand, now + MS * 50), [late.clone(), None]);
    assert_eq!(reasons(&hand, now + MS * 90), [late.clone(), late]);
    assert!(!hand.is_stuck(now + MS * 2_049));
    assert!(hand.is_stuck(now + MS * 2_050));
    hand.finish(&a, now + MS * 2_050);
    assert!(!hand.is_stuck(now + MS * 2_089) && hand.is_stuck(now + MS * 2_090));
}

#[test]
fn the_host_looks_when_a_handler_is_late_and_when_it_is_stuck() {
    let (mut hand, now) = (Hand::default(), Instant::now());
    assert_eq!((hand.next_look(now), hand.is_sooner()), (None, false));
    let mut options = Fields::parse(r#"{"timeouts":{"a":90,"b":50,"c":60}}"#, "options").unwrap();
    hand.timeouts = Timeouts::take(&mut options).unwrap();
    hand.receive(vec![job("a", "a"), job("b", "b"), job("c", "c"), job("d", "d")], now);
    let sooner = [0; 4].map(|_| {
        hand.start(now).unwrap();
        hand.is_sooner()
    });
    assert_eq!(sooner, [true, true, false, false]);
    let looks = [0, 49, 50, 60, 90, 2_050, 2_090].map(|at| hand.next_look(now + MS * at).map(|at| at - now));
    assert_eq!(looks, [50, 50, 60, 90, 2_050, 2_060, 0].map(|at| Some(MS * at).filter(|at| !at.is_zero())));
}

#[test]
fn finishing_tells_the_run_and_happens_once() {
    let (mut hand, now) = (Hand::default(), Instant::now());
    hand.receive(vec![job("a", "resize")], now);
    let held = lease(&hand.start(now + MS).unwrap());
    let other = Lease { token: "8".to_owned(), ..held.clone() };
    assert!(hand.finish(&other, now).is_none());
    let (_, started, run) = hand.finish(&held, now + MS * 31).unwrap();
    assert_eq!((started.kind.as_str(), started.spent, run), ("resize", 2, MS * 30));
    assert!(hand.finish(&held, now).is_none());
}

#[test]
fn a_lost_lease_marks_a_started_job_and_drops_an_unstarted_one() {
    let (mut hand, now) = (Hand::default(), Instant::now());
    hand.receive(jobs(3, "a"), now);
    let started = lease(&hand.start(now).unwrap());
    assert_eq!(hand.leases().count(), 3);
    assert_eq!(hand.lost(&started), None);
    hand.lose(&started, "expired");
    hand.lose(&Lease { jid: "a1".to_owned(), token: "7".to_owned() }, "expired");
    assert_eq!(hand.lost(&started), Some("expired"));
    assert_eq!(hand.start(now).unwrap().jid, "a2");
}
