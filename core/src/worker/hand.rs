//! The jobs in a worker's hand: unstarted ones, and started ones until their handler has finished.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::caller::Callers;
use super::interrupts::{Interrupts, KILLED};
use super::kinds::Kinds;
use super::marks::{Mark, Region};
use super::pace::{KindId, Pace};
use super::timeouts::{TIMEOUT, Timeouts};
use crate::backoff::Backoff;
use crate::middleware::{About, attempt};
use crate::ops::{Job, Lease};

/// Work each thread may have held ahead.
const AHEAD: Duration = Duration::from_millis(25);
/// A job nobody started within this goes back to its place in the queue.
const RELEASE_AFTER: Duration = Duration::from_millis(100);
/// Most unstarted jobs: of two calls, so that the jobs of one are performed while the next is under way.
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
    /// Its own, if its put said one.
    pub backoff: Option<Backoff>,
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
        let ends_by = self.timeout_of(&job).and_then(|span| now.checked_add(span));
        if let Some(by) = ends_by.filter(|by| self.look_at.is_none_or(|at| *by < at)) {
            (self.look_at, self.sooner) = (Some(by), true);
        }
        let started = Started {
            kind: job.kind.clone(),
            queue: job.queue.clone(),
            attempt: attempt(&job),
            spent,
            backoff: job.backoff.clone(),
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

    fn timeout_of(&self, job: &Job) -> Option<Duration> {
        let own = job.timeout_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
        own.or_else(|| self.timeouts.of(&job.kind, self.kinds.timeout(&job.kind)))
    }

    /// Takes a started job back from its handler, with how long it ran; None when it is not in hand.
    pub fn finish(&mut self, lease: &Lease, now: Instant) -> Option<(Lease, Started, Duration)> {
        let (lease, started) = self.started.remove_entry(lease)?;
        self.interrupts.tidy(self.started.len(), |lease| self.started.contains_key(lease));
        if let (Some(marks), Some(mark)) = (&mut self.marks, started.mark) {
            marks.end(mark);
        }
        let run = now.saturating_duration_since(started.since);
        self.pace.record(started.pace, run);
        self.last_finish = Some(now);
        Some((lease, started, run))
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
        self.started.values().any(|started| started.is_stuck(self.timeouts.kill, now))
    }

    /// True when no handler runs but such.
    pub fn only_stuck_run(&self, now: Instant) -> bool {
        self.started.values().all(|started| started.is_stuck(self.timeouts.kill, now))
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

    fn is_stuck(&self, kill: Duration, now: Instant) -> bool {
        self.ends_by.is_some_and(|by| by + kill <= now)
    }
}

fn lease(job: &Job) -> Lease {
    Lease { jid: job.jid.clone(), token: job.token.clone() }
}

#[cfg(test)]
pub(super) mod tests;
