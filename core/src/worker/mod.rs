//! The worker runtime that every language's worker sits on.
//!
//! The host pulls: its threads wait in [`Worker::next`] on a condition variable, run the handler themselves, and hand
//! the outcome back with [`Worker::finish`]. Two native threads do the rest, in Rust only: the *runner* flushes
//! outcomes, fetches and pulses; the *waiter* blocks in Redis while there is nothing to do. What they do when is
//! decided in `shift`, which has no thread and no clock of its own.

#[cfg(feature = "async")]
mod asynchronous;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), path = "backtrace/none.rs")]
mod backtrace;
mod caller;
mod choice;
mod drain;
mod duty;
mod ending;
mod fetch;
mod finish;
mod following;
mod hand;
mod hearing;
mod interrupts;
mod jitter;
mod kinds;
mod last_resort;
mod marks;
mod news;
mod next;
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

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::client::Client;
use crate::error::{Code, Error, Result};
#[cfg(feature = "async")]
use crate::middleware::AnyMiddleware;
use crate::middleware::{Hooks, Middleware};
use crate::ops::{JobHeartbeat, Lease};
use crate::process;
#[cfg(feature = "async")]
use kinds::AsyncHandlers;
use kinds::Handlers;
use options::WorkerOptions;
use shared::Shared;
use threads::Threads;

pub use ending::End;
pub use finish::Awaited;
pub use interrupts::Interrupt;
pub(crate) use jitter::draw;
pub use next::Next;
pub use outcome::Outcome;
pub(crate) use outcome::failure_group;
pub use outcomes::Refused;
pub use settings::{WORK_SETTINGS, WorkSetting, WorkSettings};
pub use supervisor::{Signal, Supervisor, Task};

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
    /// While [`Worker::run`] or [`Worker::run_async`] goes on.
    runs: AtomicBool,
    chain: RwLock<Vec<Arc<dyn Middleware>>>,
    #[cfg(feature = "async")]
    async_chain: RwLock<Vec<Arc<dyn AnyMiddleware>>>,
    handlers: RwLock<Handlers>,
    #[cfg(feature = "async")]
    async_handlers: RwLock<AsyncHandlers>,
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
    /// none) and `timeouts`, an object of kinds that have another (that of a put comes first): a handler that runs longer gets an interrupt
    /// `timeout`, and has `kill_timeout_ms` (default 2000) to end, see [`Worker::is_stuck`]; `max_jobs` (default 0: no limit), the number of
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
        let (pid, threads, chain) = (process::id(), Threads::new(), RwLock::default());
        let handlers = RwLock::default();
        let inner = Inner {
            pid,
            shared,
            threads,
            runs: AtomicBool::new(false),
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
        match &self.inner {
            Some(inner) if inner.pid == process::id() => Ok(inner),
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
