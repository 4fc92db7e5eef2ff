//! A worker that cannot do its calls: since when, why, and when it tries again.

use std::time::{Duration, Instant};

use super::jitter;
use crate::error::{Code, Error};

/// The wait before the second try, in milliseconds; it doubles from there.
const FIRST_MS: u64 = 50;
/// The longest wait between tries, in milliseconds.
const LONGEST_MS: u64 = 2_000;

/// What a failed call means for the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Redis did not answer: the same call is made again under its old number.
    Unanswered,
    /// Redis answered and changed nothing, for a reason that may pass: the call is made anew.
    Refused,
    /// One of the call's outcomes cannot be taken.
    Spoiled,
}

/// What the error of a worker's call means.
pub fn meaning(error: &Error) -> Meaning {
    match error.code {
        Code::Unavailable | Code::Timeout | Code::OutcomeUnknown => Meaning::Unanswered,
        Code::InvalidArgument => Meaning::Spoiled,
        _ => Meaning::Refused,
    }
}

/// Why the worker's last call failed, and when the next is due.
pub struct Trouble {
    pub error: Error,
    pub since: Instant,
    pub retry_at: Instant,
    tries: u32,
}

impl Trouble {
    pub fn new(error: Error, now: Instant) -> Trouble {
        let mut trouble = Trouble { error, since: now, retry_at: now, tries: 0 };
        trouble.put_off(now);
        trouble
    }

    /// The next try failed too. A call that was under way when another failed, and fails before the next try is due, is none.
    pub fn again(&mut self, error: Error, now: Instant) {
        self.error = error;
        if now >= self.retry_at {
            self.put_off(now);
        }
    }

    fn put_off(&mut self, now: Instant) {
        let wait = (FIRST_MS << self.tries.min(LONGEST_MS.ilog2())).min(LONGEST_MS);
        self.tries += 1;
        self.retry_at = now + Duration::from_millis(jitter::jittered(wait, jitter::draw()));
    }

    /// True when waiting will not help: somebody has to put something right.
    pub fn needs_help(&self) -> bool {
        !self.error.retryable() && meaning(&self.error) != Meaning::Unanswered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_try_that_fails_doubles_the_wait_but_not_each_call() {
        let (now, error) = (Instant::now(), || Error::new(Code::Unavailable, "gone"));
        let mut trouble = Trouble::new(error(), now);
        let first = trouble.retry_at;
        trouble.again(error(), now);
        assert_eq!(trouble.retry_at, first, "the call of the other thread");
        trouble.again(error(), first);
        assert!(trouble.retry_at - first > Duration::from_millis(FIRST_MS), "{:?}", trouble.retry_at - first);
    }
}
