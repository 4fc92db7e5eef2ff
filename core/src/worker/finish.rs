//! Handing in outcomes, and waiting for what the engine makes of them.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::outcomes::AnswerTo;
use super::{Outcome, Worker};
use crate::error::{Code, Error, Result};
use crate::ops::{Answer, Lease};

/// How long [`Worker::finish_wait`] waits for an engine that does not answer.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// The engine's own answer to an outcome that was handed in, see [`Worker::finish_awaited`]. Who no longer waits drops it.
pub struct Awaited {
    jid: String,
    operation: &'static str,
    answered: Receiver<Result<Answer>>,
    until: Instant,
}

impl Awaited {
    /// What [`Worker::finish_wait`] returns, once; None when it has not come within so long and may come yet.
    pub fn within(&self, span: Duration) -> Option<Result<String>> {
        let left = self.until.saturating_duration_since(Instant::now());
        let unknown = |what: &str| Err(Error::new(Code::OutcomeUnknown, what).about(&self.jid));
        let answer = match self.answered.recv_timeout(span.min(left)) {
            Ok(answer) => answer.and_then(|answer| answer.accepted(&self.jid)),
            Err(RecvTimeoutError::Timeout) if span < left => return None,
            Err(RecvTimeoutError::Timeout) => {
                unknown("no answer came within 60000 ms; the outcome is kept and sent again")
            }
            Err(RecvTimeoutError::Disconnected) => unknown("the worker stopped before an answer came"),
        };
        Some(answer.map_err(|error| error.during(self.operation)))
    }
}

impl Worker {
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
        let awaited = self.finish_awaited(jid, token, outcome)?;
        loop {
            if let Some(answer) = awaited.within(ANSWER) {
                return answer;
            }
        }
    }

    /// The same for a host that looks at other things while it waits.
    ///
    /// # Errors
    /// Those of [`Worker::finish`].
    pub fn finish_awaited(&self, jid: &str, token: &str, outcome: Outcome) -> Result<Awaited> {
        let operation = outcome.operation();
        let (answer, answered) = sync_channel(1);
        self.hand_in(jid, token, outcome, Some(answer))?;
        Ok(Awaited { jid: jid.to_owned(), operation, answered, until: Instant::now() + ANSWER })
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
        let due = shift.outcomes.flush_at();
        if !shift.finish(&lease, outcome, answer, Instant::now()) {
            return Err(Error::new(
                Code::WrongState,
                format!("job {jid} is not in this worker's hand under token {token}"),
            )
            .during(operation)
            .about(jid));
        }
        let (quiet, sooner) = (shift.is_quiet(), shift.outcomes.flush_at() != due);
        drop(shift);
        if sooner {
            shared.runner.ring();
        }
        if quiet {
            shared.end.ring_all();
        }
        Ok(())
    }
}
