//! A call that is tried until there is an answer or its time is over: what a fault of one try means.

use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::blocking::Shared;
use super::fault::{Fault, NO_ANSWER};
use crate::error::{Code, Error, Result};

/// The time kept for a call's last try; a tenth of `timeout_ms` when that is less.
const LAST_TRY: Duration = Duration::from_millis(100);

/// The tries of one call.
pub(super) struct Trial {
    writes: bool,
    timeout: Duration,
    /// When its time is over.
    pub deadline: Instant,
    /// Becomes true when the server may have performed the call without our knowing.
    pub sent: bool,
    backoff: Backoff,
    reloaded: bool,
}

/// What comes after a try that gave no answer.
pub(super) enum Then {
    /// Another, at once.
    Now,
    /// Another after a pause. The error is what the call ends with if there shall be none.
    After(Duration, Error),
}

impl Trial {
    pub fn new(timeout: Duration, writes: bool) -> Trial {
        let deadline = Instant::now() + timeout;
        Trial { writes, timeout, deadline, sent: false, backoff: Backoff::new(), reloaded: false }
    }

    /// What a fault means. A connection that broke or met [`Fault::NoFunction`] is not used again.
    ///
    /// # Errors
    /// What the call ends with.
    pub fn after(&mut self, fault: Fault, shared: &Shared) -> Result<Then> {
        let error = match fault {
            // The full or read-only server of this try may not be as it was at an earlier one that broke.
            Fault::Refused(error) if self.sent && matches!(error.code, Code::OutOfMemory | Code::ReadOnly) => error,
            Fault::Refused(error) => return Err(self.gave_up(error)),
            Fault::NoFunction if !self.reloaded => {
                self.reloaded = true;
                shared.pool().forget_engine();
                return Ok(Then::Now);
            }
            Fault::NoFunction => Error::new(Code::EngineOutdated, "the engine in the server lacks this operation"),
            Fault::Later(error) => error,
            Fault::Broken(cause) | Fault::Unsent(cause) => {
                let error = shared.unavailable(&cause);
                // Where nobody is, nobody will come; who is silent may be busy.
                if !shared.pool().has_connected() && cause != NO_ANSWER {
                    return Err(self.gave_up(error));
                }
                error
            }
        };
        // The last try begins when there is just time for it.
        let last_try = (self.timeout / 10).min(LAST_TRY);
        let spare = self.deadline.saturating_duration_since(Instant::now()).saturating_sub(last_try);
        let error = self.gave_up(error);
        if spare.is_zero() { Err(error) } else { Ok(Then::After(self.backoff.wait().min(spare), error)) }
    }

    /// What a call ends with when `error` is the last that is known: an earlier or this try may have been performed. What
    /// the engine itself says is certain all the same, as it remembers the earlier try.
    fn gave_up(&self, error: Error) -> Error {
        if !self.sent || error.code.is_of_the_engine() {
            return error;
        }
        let limit = self.timeout.as_millis();
        let (code, said) = match self.writes {
            true => (Code::OutcomeUnknown, "the call was sent and may have happened, but no answer came"),
            false => (Code::Timeout, "no answer came"),
        };
        Error::new(code, format!("{said} (time limit {limit} ms): {}", error.message))
    }
}
