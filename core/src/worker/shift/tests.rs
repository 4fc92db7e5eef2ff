//! The shift without threads: steps at chosen times.

mod waiting;

use super::*;
use crate::ops::{Answer, QueueReserve, Reserved, Turned};
use crate::worker::hand::tests::jobs;
use crate::worker::strategy::Strategy;

const MS: Duration = Duration::from_millis(1);

/// A shift of four threads that has pulsed.
fn shift() -> (Shift, Instant) {
    shift_of(&["q".to_owned()])
}

fn shift_of(queues: &[String]) -> (Shift, Instant) {
    let now = Instant::now();
    let queues = Queues::new(&Served::plain(queues.to_vec()), Strategy::Ordered);
    let mut shift = Shift::new("w".to_owned(), queues, 4, now);
    assert!(matches!(shift.step(now), Step::Pulse), "the first thing is a pulse");
    shift.pulsed(now);
    (shift, now)
}

fn turn(step: Step) -> WorkerTurn {
    match step {
        Step::Turn(turn) => turn,
        other => panic!("{other:?} is no turn"),
    }
}

fn sleep(step: Step) -> Instant {
    match step {
        Step::Sleep(until) => until,
        other => panic!("{other:?} is no sleep"),
    }
}

fn taken(jobs: Vec<Job>) -> Reserved {
    Reserved { jobs, next_due_us: None, queues_version: 0 }
}

fn answer(turn: &WorkerTurn, jobs: Vec<Job>) -> Turned {
    let answers = turn.ended.iter().map(|_| Answer::State("completed".to_owned())).collect();
    Turned { answers, reserved: taken(jobs) }
}

fn lease(job: &Job) -> Lease {
    Lease { jid: job.jid.clone(), token: job.token.clone() }
}

fn unavailable() -> Error {
    Error::new(Code::Unavailable, "gone")
}

#[test]
fn an_idle_worker_pulses_once_a_second_and_does_nothing_else() {
    let (mut shift, now) = shift();
    assert_eq!(sleep(shift.step(now)), now + PULSE_EVERY);
    assert!(matches!(shift.step(now + PULSE_EVERY), Step::Pulse));
}

/// Jobs whose lease lasts so long.
fn leased(count: usize, kind: &str, lease_ms: u64) -> Vec<Job> {
    jobs(count, kind).into_iter().map(|job| Job { lease_ms, ..job }).collect()
}

#[test]
fn a_pulse_is_due_after_a_third_of_the_shortest_lease_in_hand() {
    let (mut shift, now) = shift();
    shift.fetch.enter();
    let first = turn(shift.step(now));
    shift.turned(&first, answer(&first, leased(1, "a", 300)), now);
    let job = shift.start(now).unwrap();
    shift.fetch.leave();
    assert_eq!(sleep(shift.step(now)), now + MS * 100);
    assert!(matches!(shift.step(now + MS * 100), Step::Pulse));
    shift.pulsed(now + MS * 101);
    assert_eq!(sleep(shift.step(now + MS * 101)), now + MS * 201, "a started one counts");
    assert!(shift.finish(&lease(&job), Outcome::DONE, None, now + MS * 101));
    let last = turn(shift.step(now + MS * 102));
    shift.turned(&last, answer(&last, Vec::new()), now + MS * 102);
    shift.pulsed(now + MS * 201);
    assert_eq!(sleep(shift.step(now + MS * 201)), now + MS * 201 + PULSE_EVERY, "nothing is in hand any more");
}

#[test]
fn a_short_lease_the_waiter_brings_wakes_the_runner() {
    let (mut shift, now) = shift();
    shift.fetch.enter();
    let first = turn(shift.step(now));
    shift.turned(&first, answer(&first, Vec::new()), now);
    assert_eq!(sleep(shift.step(now)), now + PULSE_EVERY);
    let asked = shift.reserve(now, None);
    shift.reserved(&asked, taken(leased(1, "a", 150)), now);
    assert!(shift.wants_runner());
    shift.start(now).unwrap();
    shift.fetch.leave();
    assert_eq!(sleep(shift.step(now)), now + MS * 50);
    assert!(!shift.wants_runner());
}

#[test]
fn one_turn_flushes_and_fetches() {
    let (mut shift, now) = shift();
    shift.fetch.enter();
    let first = turn(shift.step(now));
    assert_eq!((first.reserve.limit, first.ended.len()), (1, 0));
    assert_eq!(shift.turned(&first, answer(&first, jobs(1, "a")), now), 1);
    let job = shift.start(now).unwrap();
    shift.fetch.leave();
    assert_eq!(sleep(shift.step(now)), now + PULSE_EVERY, "nothing is fetched while the handler runs");
    assert!(shift.finish(&lease(&job), Outcome::DONE, None, now + MS * 40));
    assert_eq!(sleep(shift.step(now + MS * 40)), now + MS * 41, "others may share the flush");
    shift.fetch.enter();
    let second = turn(shift.step(now + MS * 40));
    assert_eq!((second.reserve.limit, second.ended.len(), second.ended[0].run_ms), (1, 1, 40));
}

#[test]
fn a_dry_queue_is_left_to_the_waiter() {
    let (mut shift, now) = shift();
    shift.fetch.enter();
    let first = turn(shift.step(now));
    shift.turned(&first, answer(&first, Vec::new()), now);
    assert!(shift.wants_wake() && !shift.wants_runner());
    assert_eq!(sleep(shift.step(now)), now + PULSE_EVERY);
    let asked = shift.reserve(now, None);
    assert_eq!((asked.limit, shift.wants_wake()), (1, false));
    assert_eq!(shift.reserved(&asked, taken(jobs(1, "a")), now), 1);
    assert_eq!(shift.reserve(now, None).limit, 0, "a token nobody wants is passed on");
}

#[test]
fn many_queues_are_left_to_the_waiter_after_a_whole_round() {
    let names: Vec<String> = (0..150).map(|number| number.to_string()).collect();
    let (mut shift, now) = shift_of(&names);
    shift.fetch.enter();
    shift.fetch.enter();
    assert!(!shift.wants_wake() && matches!(shift.step(now), Step::Look));
    shift.looked(&[], true, 0, now);
    for (came, queues) in [(0, &names[..64]), (1, &names[64..128]), (0, &names[128..])] {
        assert!(!shift.wants_wake());
        let turn = turn(shift.step(now));
        assert_eq!(turn.reserve.queues, queues);
        shift.turned(&turn, answer(&turn, jobs(came, "a")), now);
    }
    shift.start(now).unwrap();
    shift.fetch.leave();
    assert!(shift.wants_wake());
    assert_eq!(sleep(shift.step(now)), now + PULSE_EVERY);
    let asked = shift.reserve(now, Some(149));
    assert_eq!((asked.limit, &asked.queues[..]), (1, &names[128..]));
    shift.reserved(&asked, taken(Vec::new()), now);
    assert!(shift.wants_wake() && !shift.wants_try(), "the runner looks in time");
    assert_eq!(shift.reserve(now, None).queues, &names[..64]);
}

#[test]
fn of_many_queues_those_that_are_ready_are_asked() {
    let names: Vec<String> = (0..150).map(|number| number.to_string()).collect();
    let (mut shift, now) = shift_of(&names);
    shift.fetch.enter();
    assert!(matches!(shift.step(now), Step::Look));
    shift.looked(&[names[149].clone(), "another's".to_owned(), names[3].clone()], false, 0, now);
    let turn = turn(shift.step(now));
    assert_eq!(turn.reserve.queues, ["3", "149"]);
    shift.turned(&turn, answer(&turn, Vec::new()), now);
    assert!(shift.wants_wake());
    assert_eq!(sleep(shift.step(now)), now + PULSE_EVERY);
    let later = now + Duration::from_secs(2);
    shift.pulsed(later);
    assert!(matches!(shift.step(later), Step::Look));
    shift.failed(unavailable(), later);
    assert!(matches!(shift.step(later), Step::Sleep(_)));
    shift.pulsed(later);
    assert!(matches!(shift.step(later), Step::Look), "nothing is known after trouble");
    shift.looked(&[], false, 0, later);
    assert!(shift.wants_wake());
    assert_eq!(sleep(shift.step(later)), later + PULSE_EVERY);
}

#[test]
fn unstarted_jobs_go_back_after_100_ms_or_when_quiet() {
    let (mut shift, now) = shift();
    let asked = QueueReserve { limit: 0, ..shift.reserve(now, None) };
    shift.reserved(&asked, taken(jobs(2, "a")), now);
    assert_eq!(sleep(shift.step(now)), now + MS * 100);
    assert_eq!(sleep(shift.step(now + MS * 100)), now + MS * 101);
    let back = turn(shift.step(now + MS * 101));
    assert_eq!((back.ended.len(), &back.ended[0].how, back.reserve.limit), (2, &Ending::Release, 0));
    shift.turned(&back, answer(&back, jobs(1, "b")), now);
    shift.fetch.enter();
    shift.fall_quiet();
    assert!(shift.start(now).is_none() && !shift.wants_wake());
    shift.step(now);
    let back = turn(shift.step(now + MS));
    assert_eq!((back.ended[0].jid.as_str(), back.reserve.limit), ("b0", 0));
}

// Of the 200 ms within which they start elsewhere (core/tests/worker/batches.rs) the rest is Redis's and the other worker's.
#[test]
fn jobs_behind_one_that_takes_long_go_back_101_ms_after_they_came() {
    for (long, woken) in [("long", false), ("k", false), ("long", true), ("k", true)] {
        let (mut shift, mut now) = shift();
        for _ in 0..8 {
            shift.fetch.enter();
            let asked = turn(shift.step(now));
            shift.turned(&asked, answer(&asked, jobs(1, "k")), now);
            let job = shift.start(now).unwrap();
            shift.fetch.leave();
            now += MS / 4;
            assert!(shift.finish(&lease(&job), Outcome::DONE, None, now));
        }
        shift.fetch.enter();
        let asked = turn(shift.step(now));
        assert!(asked.reserve.limit > 40, "{}", asked.reserve.limit);
        let came: Vec<Job> = jobs(1, long).into_iter().chain(jobs(41, "k").split_off(1)).collect();
        if woken {
            // The runner finds nothing and sleeps, the waiter brings them.
            shift.turned(&asked, answer(&asked, Vec::new()), now);
            assert_eq!(sleep(shift.step(now)), now - MS * 2 + PULSE_EVERY);
            let asked = shift.reserve(now, Some(0));
            shift.reserved(&asked, taken(came), now);
            assert!(shift.wants_runner(), "it would sleep too long");
        } else {
            shift.turned(&asked, answer(&asked, came), now);
        }
        let running = shift.start(now).unwrap();
        shift.fetch.leave();
        assert_eq!((running.kind.as_str(), shift.hand.unstarted()), (long, 40));
        assert_eq!(sleep(shift.step(now)), now + MS * 100);
        assert_eq!(sleep(shift.step(now + MS * 100)), now + MS * 101, "others may share the flush");
        let back = turn(shift.step(now + MS * 101));
        assert!(back.ended.iter().all(|ended| ended.how == Ending::Release));
        assert_eq!((back.ended.len(), back.reserve.limit), (40, 0), "{long}: nothing is taken while it runs");
    }
}

#[test]
fn an_unanswered_turn_is_repeated_after_a_pulse() {
    let (mut shift, now) = shift();
    shift.fetch.enter();
    let sent = turn(shift.step(now));
    let sent = shift.turn_failed(sent, unavailable(), now).expect("it is to be repeated");
    assert!(shift.take_notice().unwrap().ends_with("tries again: UNAVAILABLE: gone"));
    let retry_at = sleep(shift.step(now));
    assert!(retry_at > now && retry_at <= now + MS * 55, "{:?}", retry_at - now);
    assert!(matches!(shift.step(retry_at), Step::Pulse));
    shift.failed(unavailable(), retry_at);
    assert_eq!(shift.take_notice(), None, "said once");
    let later = sleep(shift.step(retry_at));
    assert!(later > retry_at + MS * 80);
    shift.pulsed(later);
    assert!(shift.take_notice().unwrap().contains("back at work"));
    assert!(matches!(shift.step(later), Step::Repeat));
    shift.turned(&sent, answer(&sent, Vec::new()), later);
    assert!(matches!(shift.step(later), Step::Sleep(_)));
    assert!(shift.wants_wake());
    shift.failed(unavailable(), later);
    shift.pulsed(later);
    assert_eq!(turn(shift.step(later)).reserve.limit, 1, "the wake token may be lost with the connection");
}

#[test]
fn outcomes_are_kept_in_trouble_and_fetching_stops_at_the_limit() {
    let (mut shift, now) = shift();
    let asked = QueueReserve { limit: 0, ..shift.reserve(now, None) };
    shift.reserved(&asked, taken(jobs(2 * MOST_KEPT, "a")), now);
    shift.failed(unavailable(), now);
    while let Some(job) = shift.start(now) {
        assert!(shift.finish(&lease(&job), Outcome::DONE, None, now));
    }
    assert!(matches!(shift.step(now), Step::Sleep(_)));
    assert_eq!(shift.leases().len(), 2 * MOST_KEPT, "their leases are renewed, so that they will be accepted");
    shift.pulsed(now);
    shift.fetch.enter();
    let mut limits = Vec::new();
    while shift.outcomes.unanswered() > 0 {
        let full = shift.outcomes.kept() >= MOST_KEPT;
        let turn = turn(shift.step(now));
        limits.push((full, turn.reserve.limit > 0));
        shift.turned(&turn, answer(&turn, Vec::new()), now);
    }
    assert!(limits.iter().all(|(full, fetches)| full != fetches), "{limits:?}");
}

#[test]
fn a_fault_that_cannot_pass_is_told() {
    let (mut shift, now) = shift();
    shift.failed(unavailable(), now);
    assert_eq!(shift.fault(), None);
    shift.failed(Error::new(Code::Denied, "wrong password"), now);
    assert_eq!(shift.fault().unwrap().code, Code::Denied);
    shift.pulsed(now);
    assert_eq!(shift.fault(), None);
}

#[test]
fn a_worker_declared_lost_says_so() {
    let (mut shift, now) = shift();
    let lost = || Error::new(Code::WrongState, "worker w was declared lost; it must start again under a new name");
    shift.failed(unavailable(), now);
    shift.take_notice().unwrap();
    shift.failed(lost(), now);
    let said = shift.take_notice().expect("also when it was in trouble before");
    assert!(said.starts_with("worker w was declared lost;") && !said.contains("tries again"), "{said}");
    shift.failed(lost(), now);
    assert_eq!(shift.take_notice(), None, "said once");
    assert_eq!(shift.fault().unwrap().code, Code::WrongState);
}

#[test]
fn leaves_when_everything_is_answered_or_time_is_up() {
    let (mut shift, now) = shift();
    let asked = QueueReserve { limit: 0, ..shift.reserve(now, None) };
    shift.reserved(&asked, taken(jobs(2, "a")), now);
    let job = shift.start(now).unwrap();
    shift.finish(&lease(&job), Outcome::DONE, None, now);
    shift.leave(now + PULSE_EVERY / 2);
    let last = turn(shift.step(now));
    assert_eq!(last.ended.iter().map(|ended| ended.jid.as_str()).collect::<Vec<_>>(), ["a0", "a1"]);
    shift.turned(&last, answer(&last, Vec::new()), now);
    assert!(matches!(shift.step(now), Step::Leave));
    shift.failed(unavailable(), now);
    shift.outcomes.push(Finished { ended: last.ended[0].clone(), kind: String::new(), spent: 0, answer: None }, now);
    assert!(sleep(shift.step(now)) <= now + PULSE_EVERY / 2);
    assert!(matches!(shift.step(now + PULSE_EVERY / 2), Step::Leave));
}

#[test]
fn a_worker_on_patterns_asks_the_queues_they_stand_for() {
    let now = Instant::now();
    let entries = Served::plain(vec!["mail-*".to_owned()]);
    let mut shift = Shift::new("w".to_owned(), Queues::new(&entries, Strategy::Ordered), 4, now).following();
    assert!(matches!(shift.step(now), Step::Pulse));
    shift.hear(3);
    shift.pulsed(now);
    shift.fetch.enter();
    assert!(matches!(shift.step(now), Step::Resolve), "before anything is fetched");
    assert!(!shift.wants_wake() && shift.wants_runner());
    let served = |names: &[&str]| Served::plain(names.iter().map(ToString::to_string).collect());
    shift.serve(&served(&["mail-a", "mail-b"]), 3, now);
    assert!(matches!(shift.step(now), Step::Pulse), "the status tells of them");
    shift.pulsed(now);
    let asked = turn(shift.step(now));
    assert_eq!(asked.reserve.queues, ["mail-a", "mail-b"]);
    // An answer tells that there is a new queue; and a token does.
    let newer = Reserved { queues_version: 4, ..taken(Vec::new()) };
    shift.turned(&asked, Turned { answers: Vec::new(), reserved: newer }, now);
    assert!(matches!(shift.step(now), Step::Resolve));
    shift.serve(&served(&["mail-c"]), 4, now);
    shift.pulsed(now);
    let waiters = shift.reserve(now, Some(0));
    shift.outdate();
    assert!(matches!(shift.step(now), Step::Resolve));
    shift.serve(&served(&["mail-c", "mail-d"]), 5, now);
    shift.pulsed(now);
    // What an earlier call found nothing in was other queues.
    shift.reserved(&waiters, taken(Vec::new()), now);
    assert_eq!(turn(shift.step(now)).reserve.queues, ["mail-c", "mail-d"]);
    shift.fall_quiet();
    shift.outdate();
    assert!(!matches!(shift.step(now), Step::Resolve), "no more jobs are wanted");
}

#[test]
fn a_paused_worker_gives_back_what_is_unstarted_and_asks_for_nothing() {
    let (mut shift, now) = shift();
    shift.fetch.enter();
    let first = turn(shift.step(now));
    shift.pause(true);
    assert_eq!(shift.turned(&first, answer(&first, jobs(1, "a")), now), 1);
    assert!(shift.start(now).is_none() && shift.wants_runner() && !shift.wants_wake());
    let moments = sleep(shift.step(now));
    let back = turn(shift.step(moments));
    assert_eq!((back.reserve.limit, back.ended.len()), (0, 1));
    shift.turned(&back, answer(&back, Vec::new()), moments);
    assert_eq!(sleep(shift.step(moments)), now + PULSE_EVERY, "a thread that waits is no reason to ask");
    assert!(!shift.wants_runner());
    shift.pause(false);
    assert_eq!(turn(shift.step(moments)).reserve.limit, 1);
}

#[test]
fn a_loss_is_told_once_also_of_a_job_that_is_released() {
    let (mut shift, now) = shift();
    shift.fetch.enter();
    let first = turn(shift.step(now));
    shift.turned(&first, answer(&first, jobs(3, "a")), now);
    let [told, untold] = [(); 2].map(|()| lease(&shift.start(now).unwrap()));
    shift.hand.lose(&told, "expired");
    assert_eq!(shift.take_losses(), [(told.clone(), "expired".to_owned())]);
    for lease in [&told, &untold] {
        assert!(shift.finish(lease, Outcome::Release, None, now));
    }
    shift.fall_quiet();
    let flush = turn(shift.step(now + MS * 1));
    assert_eq!(flush.ended.len(), 3, "the third was never started");
    let refused = flush.ended.iter().map(|_| Answer::LockLost("unknown".to_owned())).collect();
    shift.turned(&flush, Turned { answers: refused, reserved: taken(Vec::new()) }, now);
    assert_eq!(shift.take_losses(), [(untold, "unknown".to_owned())]);
    assert!(shift.told_lost.is_empty(), "nothing more is to be heard of them");
}

/// A shift with so many outcomes kept and jobs unstarted, all of them short, whose waiter rests.
fn busy(outcomes: usize, unstarted: usize) -> (Shift, Instant) {
    let (mut shift, now) = shift();
    shift.waiter_came();
    assert!(matches!(shift.wait(now), Wait::Rest));
    shift.fetch.enter();
    let asked = shift.reserve(now, None);
    shift.reserved(&asked, taken(jobs(outcomes + unstarted, "a")), now);
    for _ in 0..outcomes {
        let job = shift.start(now).unwrap();
        assert!(shift.finish(&lease(&job), Outcome::DONE, None, now));
    }
    shift.fetch.leave();
    (shift, now)
}

#[test]
fn a_call_full_of_outcomes_is_made_at_once() {
    let (mut shift, now) = busy(124, 251);
    assert_eq!(sleep(shift.step(now)), now + MS);
    let job = shift.start(now).unwrap();
    shift.finish(&lease(&job), Outcome::DONE, None, now);
    assert_eq!(turn(shift.step(now)).ended.len(), WorkerTurn::MOST_ENDED);
    let (mut shift, now) = busy(125, 200);
    let turn = turn(shift.step(now));
    assert_eq!((turn.reserve.limit, turn.ended.len()), (0, WorkerTurn::MOST_ENDED), "jobs are not pressing");
}
