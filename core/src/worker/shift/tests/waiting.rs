//! The waiter beside the runner: what it repeats, fetches and leaves.

use super::*;

#[test]
fn a_stop_waits_for_jobs_that_are_on_their_way_to_the_waiter() {
    let (mut shift, now) = shift();
    shift.waiter_came();
    shift.fetch.enter();
    let asked = shift.reserve(now, None);
    shift.leave(now + MS * 2_000);
    assert!(matches!(shift.step(now), Step::Sleep(_)), "they would be stuck until their leases end");
    shift.reserved(&asked, taken(jobs(1, "k")), now);
    assert!(shift.wants_runner());
    let released = turn(shift.step(now));
    assert_eq!((released.ended.len(), shift.has_ended_all()), (1, false));
    shift.turned(&released, answer(&released, Vec::new()), now);
    assert!(matches!(shift.step(now), Step::Leave) && shift.has_ended_all());
}

/// A shift whose waiter asked for a job, and was not answered.
fn unanswered() -> (Shift, QueueReserve, Instant) {
    let (mut shift, now) = shift();
    shift.waiter_came();
    shift.fetch.enter();
    let asked = shift.reserve(now, None);
    assert!(shift.waiter_failed(&asked, unavailable(), now));
    (shift, asked, now)
}

#[test]
fn the_waiter_repeats_an_unanswered_call_after_the_outage() {
    let (mut shift, asked, now) = unanswered();
    assert!(!shift.must_ring_waiter(now) && matches!(shift.wait(now), Wait::Rest), "not while calls fail");
    shift.pulsed(now);
    assert!(shift.must_ring_waiter(now), "else the thread would wait for ever: its job is asked for");
    assert!(matches!(shift.wait(now), Wait::Repeat));
    assert_eq!(shift.waiter_reserved(&asked, taken(jobs(1, "a")), now), 1);
    assert!(!shift.must_ring_waiter(now));
}

#[test]
fn a_stop_waits_for_an_unanswered_call_of_the_waiter() {
    let (mut shift, asked, now) = unanswered();
    shift.leave(now + MS * 2_000);
    shift.pulsed(now);
    assert!(matches!(shift.step(now), Step::Sleep(_)) && matches!(shift.wait(now), Wait::Repeat));
    shift.waiter_reserved(&asked, taken(jobs(1, "a")), now);
    assert_eq!(turn(shift.step(now)).ended.len(), 1, "what it took goes back");
    let (mut shift, _, now) = unanswered();
    shift.leave(now + MS * 2_000);
    assert!(matches!(shift.step(now + MS * 2_000), Step::Leave));
    assert!(matches!(shift.wait(now + MS * 2_000), Wait::Leave), "the time is over");
}

fn fetch(wait: Wait) -> QueueReserve {
    match wait {
        Wait::Fetch(asked) => asked,
        other => panic!("{other:?} is no fetch"),
    }
}

#[test]
fn while_the_runner_hands_in_many_outcomes_the_waiter_fetches_jobs() {
    let (mut shift, now) = busy(200, 0);
    assert!(matches!(shift.wait(now), Wait::Rest), "the runner makes no call");
    let first = turn(shift.step(now));
    assert_eq!((first.reserve.limit, first.ended.len()), (0, WorkerTurn::MOST_ENDED));
    assert!(shift.must_ring_waiter(now));
    assert!(!shift.must_ring_waiter(now), "it is rung once");
    let ahead = fetch(shift.wait(now));
    assert_eq!(ahead.limit, 125);
    assert!(!shift.must_ring_waiter(now), "one call at a time asks for jobs");
    shift.turned(&first, answer(&first, Vec::new()), now);
    let second = turn(shift.step(now + MS));
    assert_eq!((second.reserve.limit, second.ended.len()), (0, 75), "nor does the runner ask");
    assert_eq!(shift.waiter_reserved(&ahead, taken(jobs(125, "a")), now), 125);
    assert_eq!(fetch(shift.wait(now)).limit, 125, "and again, as half is gone");
}

#[test]
fn the_runner_asks_where_it_has_room_for_all_outcomes_or_the_waiter_has_none() {
    for (outcomes, unstarted, free, limit) in [(51, 10, true, 0), (50, 10, true, 125), (51, 10, false, 125)] {
        let (mut shift, now) = busy(outcomes, unstarted);
        if !free {
            shift.waiter_left();
        }
        let turn = turn(shift.step(now + MS));
        assert_eq!((turn.reserve.limit, turn.ended.len()), (limit, outcomes.min(50 + usize::from(limit == 0))));
        assert_eq!(shift.must_ring_waiter(now), limit == 0, "{outcomes}");
    }
    let (mut shift, now) = busy(200, 0);
    shift.fetch.enter();
    assert_eq!(turn(shift.step(now)).reserve.limit, 126, "a thread waits");
}

#[test]
fn jobs_that_an_unanswered_call_took_come_before_others() {
    let (mut shift, now) = busy(200, 0);
    let sent = turn(shift.step(now));
    let ahead = fetch(shift.wait(now));
    let sent = shift.turn_failed(sent, unavailable(), now).unwrap();
    assert!(shift.waiter_failed(&ahead, unavailable(), now) && matches!(shift.wait(now), Wait::Rest));
    shift.pulsed(now);
    assert!(matches!(shift.step(now), Step::Repeat) && matches!(shift.wait(now), Wait::Repeat));
    shift.turned(&sent, answer(&sent, Vec::new()), now);
    assert_eq!(turn(shift.step(now + MS)).reserve.limit, 0);
    shift.waiter_reserved(&ahead, taken(jobs(125, "a")), now);
    assert_eq!(fetch(shift.wait(now)).limit, 125);
}
