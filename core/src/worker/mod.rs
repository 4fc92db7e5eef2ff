//! The worker runtime that every language's worker sits on.
//!
//! The host pulls: its threads wait in [`Worker::next`] on a condition variable, run the handler themselves, and hand
//! the outcome back with [`Worker::finish`]. Two native threads do the rest, in Rust only: the *runner* flushes
//! outcomes, fetches and pulses; the *waiter* blocks in Redis while there is nothing to do. What they do when is
//! decided in `shift`, which has no thread and no clock of its own.

#[cfg(feature = "async")]
mod asynchronous;
mod backoff;
mod caller;
mod drain;
mod duty;
mod fetch;
mod following;
mod hand;
mod interrupts;
mod kinds;
mod marks;
mod news;
mod obeying;
mod options;
mod outcome;
mod outcomes;
mod pace;
mod patterns;
mod pause;
mod perform;
mod random;
mod reach;
mod runner;
mod settings;
mod shared;
mod shift;
mod signals;
mod strategy;
mod succession;
mod supervised;
mod supervisor;
mod threads;
mod timeouts;
mod traces;
mod trouble;
mod waiter;
mod window;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::error::{Code, Error, Result};
#[cfg(feature = "async")]
use crate::middleware::AnyMiddleware;
use crate::middleware::{Hooks, Middleware};
use crate::ops::{Job, JobHeartbeat, Lease};
#[cfg(feature = "async")]
use kinds::AsyncHandlers;
use kinds::Handlers;
use options::WorkerOptions;
use outcomes::AnswerTo;
use shared::Shared;
use strategy::Strategy;
use threads::Threads;

pub(crate) use backoff::draw;
pub use interrupts::Interrupt;
pub use outcome::Outcome;
pub(crate) use outcome::failure_group;
pub use outcomes::Refused;
pub use settings::{WORK_SETTINGS, WorkSetting, WorkSettings};
pub use supervisor::{Signal, Supervisor, Task};

/// How long [`Worker::finish_wait`] waits for an engine that does not answer.
const ANSWER: Duration = Duration::from_secs(60);

/// One process's worker: reserves jobs of its queues and keeps them until they are finished.
///
/// Cheap to clone and usable from many threads; all clones are the same worker. Dropping the last one stops it without
/// waiting for started jobs. In a forked child every call answers `CLOSED`, or nothing: a child opens its own.
#[derive(Clone)]
pub struct Worker {
    /// Always there until drop.
    inner: Option<Arc<Inner>>,
}

struct Inner {
    pid: u32,
    shared: Arc<Shared>,
    threads: Threads,
    chain: RwLock<Vec<Arc<dyn Middleware>>>,
    #[cfg(feature = "async")]
    async_chain: RwLock<Vec<Arc<dyn AnyMiddleware>>>,
    handlers: RwLock<Handlers>,
    #[cfg(feature = "async")]
    async_handlers: RwLock<AsyncHandlers>,
}

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
    /// A worker on a client. Checks the options only; the first [`Worker::next`] starts its threads and connects.
    ///
    /// options_json: `queues` (required), 1 to 1000 names or patterns in the order they are asked; `strategy`, `ordered` (default: a
    /// later queue is served when the earlier ones give nothing) `round_robin` (equal shares), `shuffled_round_robin` (the same, in an
    /// order drawn anew for each call), `weighted` (shares by weight: at one job a call a queue comes first as often as its
    /// weight says) or `callback` (see [`Worker::set_order`]; before the first all in order, on patterns none); `weights`, of `weighted`, from 1
    /// to 1000 by queue or pattern (a queue's own name, else the longest pattern that matches it, else 1); `threads`, how many
    /// handlers run at once, 1 (default) to 1000; `kinds`, the kinds that have handlers; `language`, for the worker's
    /// status (default `rust`); `shutdown_timeout_ms` (default 25000), see [`Worker::shutdown_timeout`]; `interval_ms`, how
    /// long an idle worker waits (±10 %) before it looks for what nobody told it, 10 to 86400000 (default 2000); `timeout_ms` (default
    /// none) and `timeouts`, an object of kinds that have another: a handler that runs longer gets an interrupt `timeout`, and
    /// has `kill_timeout_ms` (default 2000) to end, see [`Worker::is_stuck`]; `max_jobs` (default 0: no limit), the number of
    /// jobs to start in all, see [`Worker::is_spent`]; `log` (`off`, the default, `text` or `json`): a line on standard error for
    /// each job that ends, and with `verbose` (default false) for each that starts; `logged` (default false; VERBOSE sets it):
    /// such lines, as text when `log` is off; `statsd`, an object of `host`, `port` (default 8125) and `key` (default `manyhands`): figures of the jobs that end, named `<key>.<kind>.count`,
    /// `<key>.<kind>.<outcome>` and `<key>.<kind>.time`.
    ///
    /// Patterns are followed while the worker runs, and stand for at most 1000 queues. `mail-*` stands for the queues there
    /// are that match (`*`: any text), by name; `!mail-bulk` takes away what it matches of the entries before it, or, as the
    /// first entry, of all queues; `@slow` stands for the saved list of that name ([`Client::patterns`]), `!@slow` for the
    /// opposite of each of its entries. The saved priorities come before the order of the entries.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option.
    pub fn open(client: &Client, options_json: &str) -> Result<Worker> {
        let options = WorkerOptions::from_json(options_json)?;
        let shared = Arc::new(Shared::new(client.clone(), options));
        let (pid, threads, chain) = (std::process::id(), Threads::new(), RwLock::default());
        let handlers = RwLock::default();
        let inner = Inner {
            pid,
            shared,
            threads,
            chain,
            #[cfg(feature = "async")]
            async_chain: RwLock::default(),
            handlers,
            #[cfg(feature = "async")]
            async_handlers: RwLock::default(),
        };
        Ok(Worker { inner: Some(Arc::new(inner)) })
    }

    /// The same worker, with middleware around the handler of a later [`Worker::run`], inside of what it has already.
    #[must_use]
    pub fn with(self, middleware: impl Middleware + 'static) -> Worker {
        if let Ok(inner) = self.inner("worker_with") {
            inner.chain.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(middleware));
        }
        self
    }

    /// The same worker, with something more that is told what happens.
    #[must_use]
    pub fn hooked(self, hooks: impl Hooks + 'static) -> Worker {
        if let Ok(inner) = self.inner("worker_hooked") {
            inner.shared.hooks.add(Arc::new(hooks));
        }
        self
    }

    /// Waits for a job, at most `timeout`. Waits on a condition variable, never on a socket.
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
        let until = Instant::now().checked_add(timeout);
        inner.threads.start(&inner.shared)?;
        let next = Worker::take(&inner.shared, until, interrupted);
        if let Ok(Next::Job(job)) = &next {
            inner.shared.hooks.before_perform(&inner.shared.name, job);
        }
        next
    }

    /// Whoever waits in [`Worker::next_unless`] looks whether it was interrupted. Waits for no socket.
    pub fn wake_hosts(&self) {
        let Ok(inner) = self.inner("worker_wake") else { return };
        // Under the lock: a thread that has just looked is asleep before the bell rings.
        let shift = inner.shared.shift();
        inner.shared.hosts.ring_all();
        drop(shift);
    }

    fn take(shared: &Shared, until: Option<Instant>, interrupted: &AtomicBool) -> Result<Next> {
        let mut shift = shared.shift();
        if let Some(job) = shift.start(Instant::now()) {
            if shift.fetch.runs_low(&shift.hand) {
                shared.runner.ring();
            }
            shared.report_start(&shift);
            shared.ring_if_sooner(&mut shift.hand);
            if shift.is_quiet() {
                // It was the last.
                shared.hosts.ring_all();
            }
            return Ok(Next::Job(job));
        }
        shift.fetch.enter();
        if shift.wants_runner() {
            shared.runner.ring();
        }
        if shift.wants_wake() {
            shared.waiter.ring();
        }
        let next = loop {
            if shift.is_quiet() {
                break Ok(Next::Stopped);
            }
            let now = Instant::now();
            if let Some(job) = shift.start(now) {
                shared.report_start(&shift);
                shared.ring_if_sooner(&mut shift.hand);
                if shift.is_quiet() {
                    shared.hosts.ring_all();
                }
                break Ok(Next::Job(job));
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

    /// Hands in how a job's run ended. Returns at once; the engine is told within a millisecond, or with the next fetch.
    ///
    /// While Redis is away the outcome is kept. What the engine refuses comes out of [`Worker::take_refused`].
    ///
    /// jid, token: of the job from [`Worker::next`].
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the member of the outcome: the job is still in hand then, to be finished otherwise.
    /// `WRONG_STATE` when no such job is in hand. `CLOSED` after a stop or in a forked child.
    pub fn finish(&self, jid: &str, token: &str, outcome: Outcome) -> Result<()> {
        self.hand_in(jid, token, outcome, None)
    }

    /// The same, and waits for the engine's own answer, at most 60 s: the state the job is in now.
    ///
    /// # Errors
    /// Those of [`Worker::finish`]; `LOCK_LOST` with the reason; `OUTCOME_UNKNOWN` when no answer came: the outcome is
    /// still on its way, unless the worker has stopped.
    pub fn finish_wait(&self, jid: &str, token: &str, outcome: Outcome) -> Result<String> {
        let operation = outcome.operation();
        let (answer, answered) = sync_channel(1);
        self.hand_in(jid, token, outcome, Some(answer))?;
        let unknown = |what: &str| Err(Error::new(Code::OutcomeUnknown, what).about(jid));
        let answer = match answered.recv_timeout(ANSWER) {
            Ok(answer) => answer.and_then(|answer| answer.accepted(jid)),
            Err(RecvTimeoutError::Timeout) => {
                unknown("no answer came within 60000 ms; the outcome is kept and sent again")
            }
            Err(RecvTimeoutError::Disconnected) => unknown("the worker stopped before an answer came"),
        };
        answer.map_err(|error| error.during(operation))
    }

    fn hand_in(&self, jid: &str, token: &str, outcome: Outcome, answer: Option<AnswerTo>) -> Result<()> {
        let operation = outcome.operation();
        let shared = &self.inner(operation)?.shared;
        outcome.check().map_err(|error| error.during(operation).about(jid))?;
        let lease = Lease { jid: jid.to_owned(), token: token.to_owned() };
        if shared.hooks.are_any() {
            let about = Some(shared.shift()).filter(|shift| !shift.is_over());
            if let Some(about) = about.and_then(|shift| shift.hand.about(&lease, Instant::now())) {
                shared.hooks.after_perform(&shared.name, &lease, &about, &outcome);
            }
        }
        let mut shift = shared.shift();
        if shift.is_over() {
            return Err(Error::new(Code::Closed, "the worker has stopped; the job runs again when its lease ends")
                .during(operation)
                .about(jid));
        }
        let first = shift.outcomes.flush_at().is_none() || answer.is_some();
        if !shift.finish(&lease, outcome, answer, Instant::now()) {
            return Err(Error::new(
                Code::WrongState,
                format!("job {jid} is not in this worker's hand under token {token}"),
            )
            .during(operation)
            .about(jid));
        }
        let quiet = shift.is_quiet();
        drop(shift);
        if first {
            shared.runner.ring();
        }
        if quiet {
            shared.end.ring_all();
        }
        Ok(())
    }

    /// Renews a job's lease now. The runner does so in time by itself; this is for who wants to know.
    ///
    /// Returns the milliseconds the lease now lasts.
    ///
    /// # Errors
    /// `LOCK_LOST` with the reason; `CLOSED`; and those of [`crate::Lane::send`].
    ///
    /// Source: core/src/engine/ops/job_heartbeat.lua
    pub fn heartbeat(&self, jid: &str, token: &str) -> Result<u64> {
        let shared = &self.inner("job_heartbeat")?.shared;
        let lease = Lease { jid: jid.to_owned(), token: token.to_owned() };
        let mut answers = shared.client.send(JobHeartbeat { jobs: vec![lease] })?;
        answers.pop().unwrap_or_else(|| Err(Error::internal("the engine answered no heartbeat")))
    }

    /// Why the lease of a job in hand is lost: `expired`, `cancelled`, `replaced`, `finished` or `unknown`. None while it
    /// holds, as far as the last pulse (at most a second old) knew.
    pub fn lost(&self, jid: &str, token: &str) -> Option<String> {
        let lease = Lease { jid: jid.to_owned(), token: token.to_owned() };
        let reason = self.inner("worker_lost").ok()?.shared.shift().hand.lost(&lease)?.to_owned();
        Some(reason)
    }

    /// The outcomes the engine refused since the last call, oldest first; at most the last 1000 are kept.
    pub fn take_refused(&self) -> Vec<Refused> {
        self.inner("worker_refused").map_or_else(|_| Vec::new(), |inner| inner.shared.shift().outcomes.take_refused())
    }

    /// No new jobs from now on: unstarted ones go back, [`Worker::next`] answers [`Next::Stopped`], and started ones are
    /// finished as ever. [`Worker::stop`] must follow.
    pub fn quiet(&self) {
        let Ok(inner) = self.inner("worker_quiet") else { return };
        inner.shared.shift().fall_quiet();
        for bell in [&inner.shared.hosts, &inner.shared.runner] {
            bell.ring_all();
        }
    }

    /// Ends the worker: quiet, then up to `timeout` for started jobs to be finished, then all outcomes are flushed (for
    /// 2 s, or for what is left of `timeout` when that is more) and the native threads end. A hook that is still told of a lost job
    /// gets 2 s, a log that nobody reads half a second.
    ///
    /// A job still running after that is left to its lease; [`Worker::running`] counts them. A second stop does nothing.
    ///
    /// # Errors
    /// `UNAVAILABLE` when outcomes did not reach Redis in time; `CLOSED` in a forked child.
    pub fn stop(&self, timeout: Duration) -> Result<()> {
        let inner = self.inner("worker_stop")?;
        inner.threads.stop(&inner.shared, timeout).map_err(|error| error.during("worker_stop"))
    }

    /// How long the host should let started jobs run on at a stop: the option `shutdown_timeout_ms`.
    pub fn shutdown_timeout(&self) -> Duration {
        self.inner.as_ref().map_or(Duration::ZERO, |inner| inner.shared.options.shutdown_timeout)
    }

    /// How many handlers run at once: the option `threads`. Whoever performs the jobs waits in [`Worker::next`] with so many.
    pub fn threads(&self) -> usize {
        self.inner.as_ref().map_or(0, |inner| inner.shared.options.threads)
    }

    /// The worker's name, `host:pid:8 hex digits`: new for every worker.
    pub fn name(&self) -> &str {
        self.inner.as_ref().map_or("", |inner| &inner.shared.name)
    }

    /// The queues that its entries stand for now, in their order: what an order chooses from. Never a pattern: of a worker on
    /// patterns none before the first [`Worker::next`] has looked them up, and none while nothing matches.
    pub fn serving(&self) -> Vec<String> {
        self.inner("worker_serving").map_or_else(|_| Vec::new(), |inner| inner.shared.serving())
    }

    /// The same, looked up in Redis now: also of a worker that has not begun, whose patterns nobody follows yet.
    ///
    /// # Errors
    /// Those of [`Client::call`]; `CLOSED` in a forked child.
    pub fn look_up(&self) -> Result<Vec<String>> {
        let shared = &self.inner("worker_look_up")?.shared;
        if !shared.options.follows() {
            return Ok(shared.options.queues.clone());
        }
        let (_, served) = shared.resolve(&mut shared.client.lane()).map_err(|error| error.during("worker_look_up"))?;
        Ok(served.names)
    }

    /// From now on asks these of [`Worker::serving`], in this order; a queue that is absent is not asked. For the strategy
    /// `callback`, whose host sets it whenever a thread is about to take a job.
    ///
    /// # Errors
    /// `WRONG_STATE` under another strategy; `CLOSED` in a forked child.
    pub fn set_order(&self, queues: Vec<String>) -> Result<()> {
        let shared = &self.inner("worker_set_order")?.shared;
        if shared.options.strategy != Strategy::Callback {
            let message = "an order is set under the strategy callback only";
            return Err(Error::new(Code::WrongState, message).during("worker_set_order"));
        }
        shared.set_order(queues);
        Ok(())
    }

    /// Jobs whose handlers run.
    pub fn running(&self) -> usize {
        self.inner("worker_running").map_or(0, |inner| inner.shared.shift().hand.started())
    }

    /// Outcomes the engine has not answered. They are answered in the order in which they were handed in, so all but the
    /// last so many are: refused ones among those are already in [`Worker::take_refused`].
    pub fn unanswered(&self) -> usize {
        self.inner("worker_unanswered").map_or(0, |inner| inner.shared.shift().outcomes.unanswered())
    }

    /// What is behind this handle, in the process that opened it. A forked child never touches the parent's locks.
    fn inner(&self, call: &str) -> Result<&Inner> {
        let process = std::process::id();
        match &self.inner {
            Some(inner) if inner.pid == process => Ok(inner),
            _ => {
                let message = "this worker belongs to the process that opened it; a forked child must open its own";
                Err(Error::new(Code::Closed, message).during(call))
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.inner("worker_drop").is_err() {
            // The parent's locks may be held by threads that do not exist here: leak.
            std::mem::forget(self.inner.take());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Nobody is left to be told: undelivered jobs run again when their leases end.
        let _ = self.threads.stop(&self.shared, Duration::ZERO);
    }
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Worker({})", self.name())
    }
}
