//! The jobs in a worker's hand: unstarted ones, and started ones until their handler has finished.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::caller::Callers;
use super::interrupts::{Interrupts, KILLED};
use super::kinds::Kinds;
use super::marks::{Mark, Region};
use super::pace::{KindId, Pace};
use super::timeouts::{TIMEOUT, Timeouts};
use crate::middleware::{About, attempt};
use crate::ops::{Job, Lease};

/// Work each thread may have held ahead.
const AHEAD: Duration = Duration::from_millis(25);
/// A job nobody started within this goes back to its place in the queue.
const RELEASE_AFTER: Duration = Duration::from_millis(100);
/// Most unstarted jobs: what Redis hands over in a few milliseconds, so that no other client waits longer.
pub const MOST_UNSTARTED: usize = 250;

struct Unstarted {
    job: Job,
    pace: KindId,
    since: Instant,
}

/// A job whose handler runs.
pub struct Started {
    /// The job's kind, for failure groups.
    pub kind: String,
    /// The queue it came from.
    pub queue: String,
    attempt: u32,
    /// Retries spent before this run.
    pub spent: u32,
    pace: KindId,
    since: Instant,
    lease_ms: u64,
    lost: Option<String>,
    killed: bool,
    /// When it has run too long.
    ends_by: Option<Instant>,
    timed_out: bool,
    mark: Option<Mark>,
    /// The thread that took it.
    thread: u32,
}

/// How many more jobs may be held ahead, and how many would be when nothing were held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    pub room: usize,
    pub whole: usize,
}

/// Unstarted and started jobs of one worker, and how long jobs like them took.
#[derive(Default)]
pub struct Hand {
    unstarted: VecDeque<Unstarted>,
    started: HashMap<Lease, Started>,
    pub interrupts: Interrupts,
    /// Started jobs that were lost, since they were last asked for.
    pub lost: Vec<(Lease, String)>,
    pub timeouts: Timeouts,
    /// What was said of kinds.
    pub kinds: Kinds,
    /// Where a master finds what has begun.
    pub marks: Option<Region>,
    callers: Callers,
    pace: Pace,
    last_finish: Option<Instant>,
    /// When the host looks for handlers whose time is over.
    look_at: Option<Instant>,
    /// One that has begun since ends before that.
    sooner: bool,
}

impl Hand {
    /// Takes reserved jobs, in the order in which they are to be started.
    pub fn receive(&mut self, jobs: Vec<Job>, now: Instant) {
        for job in jobs {
            let pace = self.pace.kind(&job.kind);
            self.unstarted.push_back(Unstarted { job, pace, since: now });
        }
    }

    /// Hands the oldest unstarted job to a handler; not one whose lease ran out in hand, as in an outage.
    pub fn start(&mut self, now: Instant) -> Option<Job> {
        let oldest = self.unstarted.front()?;
        if now >= oldest.since + Duration::from_millis(oldest.job.lease_ms) {
            return None;
        }
        let Unstarted { job, pace, .. } = self.unstarted.pop_front()?;
        let spent = u32::try_from(job.retries.saturating_sub(job.remaining)).unwrap_or(0);
        let mark = self.marks.as_mut().and_then(|marks| marks.begin(&job.jid));
        let ends_by = self.timeouts.of(&job.kind, self.kinds.timeout(&job.kind)).and_then(|span| now.checked_add(span));
        if let Some(by) = ends_by.filter(|by| self.look_at.is_none_or(|at| *by < at)) {
            (self.look_at, self.sooner) = (Some(by), true);
        }
        let started = Started {
            kind: job.kind.clone(),
            queue: job.queue.clone(),
            attempt: attempt(&job),
            spent,
            pace,
            since: now,
            lease_ms: job.lease_ms,
            lost: None,
            killed: false,
            ends_by,
            timed_out: false,
            mark,
            thread: self.callers.current(),
        };
        self.started.insert(lease(&job), started);
        Some(job)
    }

    /// Takes a started job back from its handler, with how long it ran; None when it is not in hand.
    pub fn finish(&mut self, lease: &Lease, now: Instant) -> Option<(Started, Duration)> {
        let started = self.started.remove(lease)?;
        self.interrupts.tidy(self.started.len(), |lease| self.started.contains_key(lease));
        if let (Some(marks), Some(mark)) = (&mut self.marks, started.mark) {
            marks.end(mark);
        }
        let run = now.saturating_duration_since(started.since);
        self.pace.record(started.pace, run);
        self.last_finish = Some(now);
        Some((started, run))
    }

    /// Jobs no handler has started.
    pub fn unstarted(&self) -> usize {
        self.unstarted.len()
    }

    /// Jobs whose handlers run.
    pub fn started(&self) -> usize {
        self.started.len()
    }

    /// Every lease in hand.
    pub fn leases(&self) -> impl Iterator<Item = Lease> {
        let unstarted = self.unstarted.iter().map(|held| lease(&held.job));
        unstarted.chain(self.started.keys().cloned())
    }

    /// How long the shortest lease in hand lasts; None when nothing is in hand.
    pub fn shortest_lease(&self) -> Option<Duration> {
        let unstarted = self.unstarted.iter().map(|held| held.job.lease_ms);
        unstarted.chain(self.started.values().map(|started| started.lease_ms)).min().map(Duration::from_millis)
    }

    /// How much may be held ahead for `threads` threads, of which `waiting` are about to take a job each.
    ///
    /// Nothing is held for threads that are in long jobs: a kind whose 90th percentile is unknown or longer than
    /// the span leaves no room, and nor does a worker where no job has finished within it.
    pub fn ahead(&mut self, threads: usize, waiting: usize, now: Instant) -> Ahead {
        let busy_long = self.last_finish.is_none_or(|finish| now.saturating_duration_since(finish) > AHEAD);
        let Some(expected) = self.pace.expected().filter(|_| !busy_long) else { return Ahead::default() };
        let span = AHEAD * threads as u32;
        let mut rest = span;
        for held in self.unstarted.iter().skip(waiting) {
            rest = rest.saturating_sub(self.pace.p90(held.pace).unwrap_or(span));
        }
        let jobs = |span: Duration| {
            let each = expected.as_nanos().max(1);
            usize::try_from(span.as_nanos() / each).unwrap_or(MOST_UNSTARTED).min(MOST_UNSTARTED)
        };
        let whole = jobs(span);
        let held = self.unstarted.len().saturating_sub(waiting);
        Ahead { room: jobs(rest).min(whole.saturating_sub(held)), whole }
    }

    /// When the oldest unstarted job has waited long enough to be given back.
    pub fn release_at(&self) -> Option<Instant> {
        self.unstarted.front().map(|held| held.since + RELEASE_AFTER)
    }

    /// Takes out the unstarted jobs nobody started in time.
    pub fn give_back_overdue(&mut self, now: Instant) -> Vec<Lease> {
        let overdue = self.unstarted.iter().take_while(|held| held.since + RELEASE_AFTER <= now).count();
        self.give_back(overdue)
    }

    /// Takes out all unstarted jobs.
    pub fn give_back_all(&mut self) -> Vec<Lease> {
        self.give_back(self.unstarted.len())
    }

    fn give_back(&mut self, count: usize) -> Vec<Lease> {
        self.unstarted.drain(..count).map(|held| Lease { jid: held.job.jid, token: held.job.token }).collect()
    }

    /// What is known of a job whose handler runs.
    pub fn about(&self, lease: &Lease, now: Instant) -> Option<About> {
        let Started { kind, queue, attempt, since, .. } = self.started.get(lease)?;
        let took = now.saturating_duration_since(*since);
        Some(About { kind: kind.clone(), queue: queue.clone(), attempt: *attempt, took })
    }

    /// Up to `most` jobs whose handlers run, the oldest first: jid, kind, queue and how long.
    pub fn oldest_started(&self, most: usize, now: Instant) -> impl Iterator<Item = (&str, &str, &str, Duration)> {
        let mut oldest: Vec<_> = self.started.iter().collect();
        oldest.sort_unstable_by_key(|(_, started)| started.since);
        oldest.into_iter().take(most).map(move |(lease, started)| {
            let ran = now.saturating_duration_since(started.since);
            (lease.jid.as_str(), started.kind.as_str(), started.queue.as_str(), ran)
        })
    }

    /// The jobs whose handlers run, the oldest first, and the threads that took them.
    pub fn threads(&self) -> impl Iterator<Item = (&str, u32)> {
        let mut oldest: Vec<_> = self.started.iter().collect();
        oldest.sort_unstable_by_key(|(_, started)| started.since);
        oldest.into_iter().map(|(lease, started)| (lease.jid.as_str(), started.thread))
    }

    /// True of a job whose handler runs.
    pub fn is_started(&self, lease: &Lease) -> bool {
        self.started.contains_key(lease)
    }

    /// Notes that a job's lease is lost: an unstarted one is dropped, a started one is marked and its handler to be told.
    pub fn lose(&mut self, lease: &Lease, reason: &str) {
        match self.started.get_mut(lease) {
            Some(started) => {
                if started.lost.replace(reason.to_owned()).is_none() {
                    self.interrupts.push(lease, reason);
                    self.lost.push((lease.clone(), reason.to_owned()));
                }
            }
            None => self.unstarted.retain(|held| held.job.jid != lease.jid || held.job.token != lease.token),
        }
    }

    /// Those that have run too long are to be told so.
    pub fn time_out(&mut self, now: Instant) {
        for (lease, started) in &mut self.started {
            if started.is_late(now) && !std::mem::replace(&mut started.timed_out, true) {
                self.interrupts.push(lease, TIMEOUT);
            }
        }
    }

    /// True when a handler did not end after its time-out.
    pub fn is_stuck(&self, now: Instant) -> bool {
        let kill = self.timeouts.kill;
        self.started.values().any(|started| started.ends_by.is_some_and(|by| by + kill <= now))
    }

    /// When the host must look the next time: a handler is late then, or stuck.
    pub fn next_look(&mut self, now: Instant) -> Option<Instant> {
        let kill = self.timeouts.kill;
        let moments = self.started.values().filter_map(|started| started.ends_by).flat_map(|by| [by, by + kill]);
        self.look_at = moments.filter(|at| *at > now).min();
        self.sooner = false;
        self.look_at
    }

    /// True once when it must look sooner than it was told.
    pub fn is_sooner(&mut self) -> bool {
        std::mem::take(&mut self.sooner)
    }

    /// Every handler that runs is to be told to end.
    pub fn kill_started(&mut self) {
        for (lease, started) in &mut self.started {
            if !std::mem::replace(&mut started.killed, true) {
                self.interrupts.push(lease, KILLED);
            }
        }
    }

    /// Why a started job's lease was lost; None while it holds, as far as is known.
    pub fn lost(&self, lease: &Lease) -> Option<&str> {
        self.started.get(lease)?.lost.as_deref()
    }

    /// Why a started job's handler should end; None while it may go on.
    pub fn interrupted(&self, lease: &Lease, now: Instant) -> Option<&str> {
        let started = self.started.get(lease)?;
        let late = started.is_late(now).then_some(TIMEOUT);
        started.lost.as_deref().or(started.killed.then_some(KILLED)).or(late)
    }
}

impl Started {
    fn is_late(&self, now: Instant) -> bool {
        self.ends_by.is_some_and(|by| by <= now)
    }
}

fn lease(job: &Job) -> Lease {
    Lease { jid: job.jid.clone(), token: job.token.clone() }
}

#[cfg(test)]
pub(super) mod tests {
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
        let (started, run) = hand.finish(&held, now + MS * 31).unwrap();
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
}
