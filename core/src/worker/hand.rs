//! The jobs in a worker's hand: unstarted ones, and started ones until their handler has finished.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::pace::{KindId, Pace};
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
    /// Retries spent before this run.
    pub spent: u32,
    pace: KindId,
    since: Instant,
    lost: Option<String>,
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
    pace: Pace,
    last_finish: Option<Instant>,
}

impl Hand {
    /// Takes reserved jobs, in the order in which they are to be started.
    pub fn receive(&mut self, jobs: Vec<Job>, now: Instant) {
        for job in jobs {
            let pace = self.pace.kind(&job.kind);
            self.unstarted.push_back(Unstarted { job, pace, since: now });
        }
    }

    /// Hands the oldest unstarted job to a handler.
    pub fn start(&mut self, now: Instant) -> Option<Job> {
        let Unstarted { job, pace, .. } = self.unstarted.pop_front()?;
        let spent = u32::try_from(job.retries.saturating_sub(job.remaining)).unwrap_or(0);
        let started = Started { kind: job.kind.clone(), spent, pace, since: now, lost: None };
        self.started.insert(lease(&job), started);
        Some(job)
    }

    /// Takes a started job back from its handler, with how long it ran; None when it is not in hand.
    pub fn finish(&mut self, lease: &Lease, now: Instant) -> Option<(Started, Duration)> {
        let started = self.started.remove(lease)?;
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

    /// Notes that a job's lease is lost: an unstarted one is dropped, a started one is marked.
    pub fn lose(&mut self, lease: &Lease, reason: &str) {
        match self.started.get_mut(lease) {
            Some(started) => started.lost = Some(reason.to_owned()),
            None => self.unstarted.retain(|held| held.job.jid != lease.jid || held.job.token != lease.token),
        }
    }

    /// Why a started job's lease was lost; None while it holds, as far as is known.
    pub fn lost(&self, lease: &Lease) -> Option<&str> {
        self.started.get(lease)?.lost.as_deref()
    }
}

fn lease(job: &Job) -> Lease {
    Lease { jid: job.jid.clone(), token: job.token.clone() }
}
