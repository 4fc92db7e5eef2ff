//! What a handler made of a job, and how the engine is told.

mod json;

use super::jitter;
use crate::backoff::Backoff;
use crate::check;
use crate::error::Result;
use crate::json as text;
use crate::ops::{
    Again, Completion, Ending, Failure, JobComplete, JobFail, JobRelease, JobRetry, JobSnooze, MAX_DEPENDENCIES, Pause,
};
use crate::request::Request;

/// How a run of a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: completed, or put into its next queue.
    Complete {
        /// What the handler returned, one JSON value kept byte for byte; None stores no result.
        result: Option<String>,
        /// New data for the next queue, one JSON value; None keeps the data.
        data: Option<String>,
        /// The next queue; None follows the job's route, and completes the job at its end.
        queue: Option<String>,
        /// Wait in the next queue before the job can be reserved, in milliseconds.
        delay_ms: u64,
        /// The jids it waits for in the next queue, at most 256.
        dependencies: Vec<String>,
    },
    /// Given up at once, into a failure group.
    Fail {
        /// The failure group, 1 to 255 bytes.
        group: String,
        /// What went wrong; cut at 16 KiB.
        message: String,
        /// Where; cut at 16 KiB.
        trace: String,
    },
    /// Run again later, spending a retry; failed when none is left.
    Retry {
        /// Wait before the next run, in milliseconds.
        delay_ms: u64,
        /// The group it fails in when no retry is left, 1 to 255 bytes; empty: `failed-retries-<queue>`.
        group: String,
        /// What went wrong; cut at 16 KiB.
        message: String,
        /// Where; cut at 16 KiB.
        trace: String,
    },
    /// Run again later, spending nothing.
    Snooze {
        /// Wait before the next run, in milliseconds.
        delay_ms: u64,
    },
    /// The handler threw: run again after a wait that doubles with each retry (1 s to 1 h, ±10 %),
    /// and failed in group `<kind>:<class>` when no retry is left.
    Error {
        /// The class of what was thrown.
        class: String,
        /// Its message; cut at 16 KiB.
        message: String,
        /// Its trace; cut at 16 KiB.
        trace: String,
    },
    /// Not run, or stopped by an operator: waits again at its old place, spending nothing.
    Release,
    /// This worker has no handler for the job's kind: run again later while another live worker has one,
    /// else failed in group `unknown-kind:<kind>`.
    UnknownKind,
}

impl Outcome {
    /// Done, without a result.
    pub const DONE: Outcome = Outcome::done(None);

    /// Done, with what the handler returned, one JSON value, if anything.
    pub const fn done(result: Option<String>) -> Outcome {
        Outcome::Complete { result, data: None, queue: None, delay_ms: 0, dependencies: Vec::new() }
    }

    /// The handler threw this.
    pub fn thrown(class: &str, message: &str) -> Outcome {
        Outcome::Error { class: class.to_owned(), message: message.to_owned(), trace: String::new() }
    }

    /// Its name, as in JSON: `complete`, `fail`, `retry`, `snooze`, `error`, `release` or `unknown_kind`.
    pub const fn name(&self) -> &'static str {
        match self {
            Outcome::Complete { .. } => "complete",
            Outcome::Fail { .. } => "fail",
            Outcome::Retry { .. } => "retry",
            Outcome::Snooze { .. } => "snooze",
            Outcome::Error { .. } => "error",
            Outcome::Release => "release",
            Outcome::UnknownKind => "unknown_kind",
        }
    }

    /// What went wrong, if anything did.
    pub fn message(&self) -> Option<&str> {
        match self {
            Outcome::Fail { message, .. } | Outcome::Retry { message, .. } | Outcome::Error { message, .. } => {
                Some(message)
            }
            _ => None,
        }
    }

    /// True of an error of this class and message.
    pub(crate) fn is_error(&self, class: &str, message: &str) -> bool {
        matches!(self, Outcome::Error { class: own, message: said, .. } if own == class && said == message)
    }

    /// True when the handler gave up or threw.
    pub(crate) const fn is_failure(&self) -> bool {
        matches!(self, Outcome::Fail { .. } | Outcome::Error { .. })
    }

    /// Run again after `delay_ms` milliseconds, without saying why.
    pub const fn retry(delay_ms: u64) -> Outcome {
        Outcome::Retry { delay_ms, group: String::new(), message: String::new(), trace: String::new() }
    }

    /// The operation of the engine that does the same to one job, for messages.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Outcome::Complete { .. } => JobComplete::OPERATION,
            Outcome::Fail { .. } => JobFail::OPERATION,
            Outcome::Retry { .. } | Outcome::Error { .. } => JobRetry::OPERATION,
            Outcome::Snooze { .. } | Outcome::UnknownKind => JobSnooze::OPERATION,
            Outcome::Release => JobRelease::OPERATION,
        }
    }

    /// Refuses what the engine would refuse, while the handler's thread can still answer for it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the member that is wrong.
    pub fn check(&self) -> Result<()> {
        match self {
            Outcome::Complete { result, data, queue, delay_ms, dependencies } => {
                result.as_ref().map_or(Ok(()), |value| text::check(value, "result"))?;
                data.as_ref().map_or(Ok(()), |value| text::check(value, "data"))?;
                queue.as_ref().map_or(Ok(()), |name| check::name(name, "queue"))?;
                check::names(dependencies, "dependencies", MAX_DEPENDENCIES)?;
                check_delay(*delay_ms)
            }
            Outcome::Fail { group, .. } => check::name(group, "group"),
            Outcome::Retry { delay_ms, group, .. } => {
                if !group.is_empty() {
                    check::name(group, "group")?;
                }
                check_delay(*delay_ms)
            }
            Outcome::Snooze { delay_ms } => check_delay(*delay_ms),
            Outcome::Error { .. } | Outcome::Release | Outcome::UnknownKind => Ok(()),
        }
    }

    /// What the engine is told, for who ends a job without a worker. `kind`: the job's. `spent`: retries it has spent.
    pub fn into_ending(self, kind: &str, spent: u32) -> Ending {
        match self {
            Outcome::Complete { result, data, queue, delay_ms, dependencies } => {
                Ending::Complete(Completion { result, queue, data, delay_ms, dependencies })
            }
            Outcome::Fail { group, message, trace } => Ending::Fail(Failure { group, message, trace }),
            Outcome::Retry { delay_ms, group, message, trace } => {
                Ending::Retry(Again { delay_ms, group, message, trace })
            }
            Outcome::Snooze { delay_ms } => Ending::Snooze(Pause { delay_ms }),
            Outcome::Error { class, message, trace } => {
                let wait = Backoff::default().delay(spent.saturating_add(1), jitter::draw());
                let delay_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                Ending::Retry(Again { delay_ms, group: failure_group(kind, &class), message, trace })
            }
            Outcome::Release => Ending::Release,
            Outcome::UnknownKind => Ending::UnknownKind,
        }
    }
}

/// The operation of the engine that does the same to one job, for messages.
pub(super) fn operation(ending: &Ending) -> &'static str {
    match ending {
        Ending::Complete(_) => JobComplete::OPERATION,
        Ending::Fail(_) => JobFail::OPERATION,
        Ending::Retry(_) => JobRetry::OPERATION,
        Ending::Snooze(_) | Ending::UnknownKind => JobSnooze::OPERATION,
        Ending::Release => JobRelease::OPERATION,
    }
}

/// `<kind>:<class>`, made a name: no control characters, and cut between characters where a name ends.
pub(crate) fn failure_group(kind: &str, class: &str) -> String {
    let mut group = format!("{kind}:{class}").replace(|c: char| c.is_ascii_control(), " ");
    while group.len() > check::MAX_NAME {
        group.pop();
    }
    group
}

fn check_delay(delay_ms: u64) -> Result<()> {
    check::span_ms(i64::try_from(delay_ms).unwrap_or(i64::MAX), "delay_ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_refused_at_once() {
        let complete = |result: &str| Outcome::completed(Some(result), "").unwrap();
        assert!(complete("[1]").check().is_ok());
        assert!(complete("NaN").check().unwrap_err().message.starts_with("result is not JSON"));
        let fail = Outcome::Fail { group: String::new(), message: String::new(), trace: String::new() };
        assert_eq!(fail.check().unwrap_err().message, "group is empty");
        assert!(Outcome::retry(u64::MAX).check().is_err());
    }
}
