//! Taking jobs: a host's thread waits here until there is one for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Worker;
use super::shared::Shared;
use super::shift::Shift;
use crate::error::Result;
use crate::ops::Job;

/// What [`Worker::next`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a Next is looked at once and taken apart, never kept")]
pub enum Next {
    /// A job to perform, and then to hand to [`Worker::finish`].
    Job(Job),
    /// Nothing within the time.
    Empty,
    /// The worker is quiet or stopped: no more jobs will come.
    Stopped,
}

impl Worker {
    /// Waits for a job, at most `timeout` from when the worker's threads have started, which the first call waits for. Waits on a
    /// condition variable, never on a socket.
    ///
    /// While Redis is away this waits like any other time; a line on standard error says so once.
    ///
    /// # Errors
    /// `CLOSED` in a forked child; what keeps the worker from its calls when that cannot pass by itself, for example
    /// `DENIED`, `SCHEMA_MISMATCH` or `NO_SERVER_PROGRAM`.
    pub fn next(&self, timeout: Duration) -> Result<Next> {
        self.next_unless(timeout, &AtomicBool::new(false))
    }

    /// The same, for hosts that interrupt a thread: it ends with [`Next::Empty`] when `interrupted` is set and
    /// [`Worker::wake_hosts`] called after that. A job that is there already is given out.
    ///
    /// # Errors
    /// Those of [`Worker::next`].
    pub fn next_unless(&self, timeout: Duration, interrupted: &AtomicBool) -> Result<Next> {
        let inner = self.inner("worker_next")?;
        inner.threads.start(&inner.shared)?;
        let next = Worker::take(&inner.shared, timeout, interrupted);
        if let Ok(Next::Job(job)) = &next {
            inner.shared.hooks.before_perform(&inner.shared.name, job);
        }
        next
    }

    /// A job that is in hand already, to perform and then to hand to [`Worker::finish`]; None when there is none. Waits for nothing and
    /// asks for nothing: what has to come, and a fault or the end, is told by [`Worker::next`].
    ///
    /// # Errors
    /// `CLOSED` in a forked child.
    pub fn next_in_hand(&self) -> Result<Option<Job>> {
        let shared = &self.inner("worker_next")?.shared;
        let mut shift = shared.shift();
        let job = Worker::begin(shared, &mut shift, Instant::now());
        drop(shift);
        if let Some(job) = &job {
            shared.hooks.before_perform(&shared.name, job);
        }
        Ok(job)
    }

    /// Whoever waits in [`Worker::next_unless`] looks whether it was interrupted. Waits for no socket.
    pub fn wake_hosts(&self) {
        let Ok(inner) = self.inner("worker_wake") else { return };
        // Under the lock: a thread that has just looked is asleep before the bell rings.
        let shift = inner.shared.shift();
        inner.shared.hosts.ring_all();
        drop(shift);
    }

    /// Starts a job in hand, and rings for more where few are left.
    fn begin(shared: &Shared, shift: &mut Shift, now: Instant) -> Option<Job> {
        let job = shift.start(now)?;
        Worker::note_start(shared, shift, now);
        Some(job)
    }

    fn note_start(shared: &Shared, shift: &mut Shift, now: Instant) {
        if shift.fetch.runs_low(&shift.hand) {
            shared.runner.ring();
            shared.ring_waiter(shift, now);
        }
        shared.report_start(shift);
        shared.ring_if_sooner(&mut shift.hand);
        if shift.is_quiet() {
            // It was the last.
            shared.hosts.ring_all();
        }
    }

    pub(super) fn take(shared: &Shared, timeout: Duration, interrupted: &AtomicBool) -> Result<Next> {
        let (mut shift, now) = (shared.shift(), Instant::now());
        if let Some(job) = Worker::begin(shared, &mut shift, now) {
            return Ok(Next::Job(job));
        }
        let until = now.checked_add(timeout);
        shift.fetch.enter();
        if shift.wants_runner() {
            shared.runner.ring();
        }
        shared.ring_waiter(&mut shift, now);
        let next = loop {
            if shift.is_quiet() {
                break Ok(Next::Stopped);
            }
            let now = Instant::now();
            if let Some(job) = shift.start(now) {
                shift.fetch.leave();
                Worker::note_start(shared, &mut shift, now);
                return Ok(Next::Job(job));
            }
            if let Some(fault) = shift.fault() {
                break Err(fault.clone());
            }
            if until.is_some_and(|until| until <= now) || interrupted.load(Ordering::Relaxed) {
                break Ok(Next::Empty);
            }
            shift = shared.hosts.wait(shift, until);
        };
        shift.fetch.leave();
        next
    }
}
