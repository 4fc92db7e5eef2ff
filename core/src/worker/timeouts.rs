//! How long a handler may run, by kind, and what is made of one that does not end.

use std::collections::HashMap;
use std::time::Duration;

use super::Worker;
use crate::check;
use crate::error::Result;
use crate::json::Fields;

/// The reason of the interrupt of a handler that runs too long.
pub const TIMEOUT: &str = "timeout";
/// Most kinds with a time of their own.
const MAX_KINDS: usize = 1_000;

/// The options `timeout_ms`, `timeouts` and `kill_timeout_ms`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    all: Option<Duration>,
    kinds: HashMap<String, Duration>,
    /// What is left to a handler after its interrupt.
    pub kill: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { all: None, kinds: HashMap::new(), kill: Duration::from_secs(2) }
    }
}

impl Timeouts {
    /// Takes them from a worker's options.
    pub fn take(options: &mut Fields) -> Result<Timeouts> {
        let all = options.integer_in("timeout_ms", 1, check::MAX_SPAN_MS)?.map(span);
        let mut kinds = HashMap::new();
        if let Some(mut given) = options.object("timeouts")? {
            let names = given.names();
            check::names(&names, "options.timeouts", MAX_KINDS)?;
            for kind in names {
                if let Some(ms) = given.integer_in(&kind, 1, check::MAX_SPAN_MS)? {
                    kinds.insert(kind, span(ms));
                }
            }
        }
        let kill = options.integer_in("kill_timeout_ms", 0, check::MAX_SPAN_MS)?.map(span);
        Ok(Timeouts { all, kinds, kill: kill.unwrap_or(Timeouts::default().kill) })
    }

    /// How long a handler of this kind may run, whose definition says `defined`, when its job does not say; None: as long as it
    /// likes.
    pub fn of(&self, kind: &str, defined: Option<Duration>) -> Option<Duration> {
        self.kinds.get(kind).copied().or(defined).or(self.all)
    }
}

fn span(ms: i64) -> Duration {
    Duration::from_millis(ms as u64)
}

impl Worker {
    /// True when a handler went on for the option `kill_timeout_ms` after its interrupt `timeout`: it will not end. The process
    /// should: take no new jobs, let the others finish within [`Worker::shutdown_timeout`], and exit with status 70.
    pub fn is_stuck(&self) -> bool {
        let now = std::time::Instant::now();
        self.inner("worker_stuck").is_ok_and(|inner| {
            let stuck = inner.shared.shift().hand.is_stuck(now);
            if stuck {
                inner.shared.report_stuck();
            }
            stuck
        })
    }

    /// How long a handler has to end after an interrupt: the option `kill_timeout_ms`.
    pub fn kill_timeout(&self) -> Duration {
        self.inner.as_ref().map_or(Duration::ZERO, |inner| inner.shared.options.timeouts.kill)
    }

    /// True when of the option `max_jobs` fewer starts are left than there are threads: soon some of them stand idle. A master
    /// hears of it earlier where jobs are short, so that a successor comes up in time.
    /// [`Worker::next`] answers [`Next::Stopped`](super::Next::Stopped) once none is left.
    pub fn is_spent(&self) -> bool {
        self.inner("worker_spent").is_ok_and(|inner| inner.shared.shift().fetch.is_spent())
    }
}
