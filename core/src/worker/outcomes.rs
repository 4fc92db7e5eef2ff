//! Outcomes on their way to the engine: kept until it has answered.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use super::outcome::{Outcome, operation};
use crate::error::{Error, Result};
use crate::ops::{Answer, Ended, Ending, Lease, MAX_NAMED, WorkerTurn};

/// Longest an outcome waits for others to share its flush.
const FLUSH_AFTER: Duration = Duration::from_millis(1);
/// Most bytes of results and data of one flush; one outcome may be larger alone.
const MOST_BYTES: usize = 8 * 1024 * 1024;
/// Refusals kept for a host that does not ask for them.
const MOST_REFUSED: usize = 1_000;

/// Where `finish_wait` waits for the engine's answer.
pub type AnswerTo = SyncSender<Result<Answer>>;

/// An outcome the engine did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The job.
    pub jid: String,
    /// The token it was finished under.
    pub token: String,
    /// The operation that was refused, for example `job_complete`.
    pub operation: String,
    /// Why: `expired`, `cancelled`, `replaced`, `finished` or `unknown`; or the error's text when the engine could not take
    /// the outcome at all (a result larger than `max-data`), and the job is retried as if its handler had thrown that.
    pub reason: String,
}

/// A finished job.
pub struct Finished {
    pub ended: Ended<Ending>,
    /// The job's kind, for failure groups; empty when no handler had it.
    pub kind: String,
    /// Retries spent before this run.
    pub spent: u32,
    pub answer: Option<AnswerTo>,
}

/// What is left of a [`Finished`] while its ending is in a request.
struct Sent {
    kind: String,
    spent: u32,
    answer: Option<AnswerTo>,
}

/// Outcomes not yet answered, and refusals not yet told.
#[derive(Default)]
pub struct Outcomes {
    kept: VecDeque<Finished>,
    sent: Vec<Sent>,
    flush_at: Option<Instant>,
    /// How many of the first kept ones go alone, because one of them spoiled a flush.
    alone: usize,
    refused: VecDeque<Refused>,
    /// Leases that were lost, since they were last asked for.
    lost: Vec<(Lease, String)>,
}

impl Outcomes {
    /// Keeps an outcome for the next flush, due at most 1 ms from now; at once when its answer is waited for, or when no more go
    /// into one call.
    pub fn push(&mut self, finished: Finished, now: Instant) {
        let at_once = finished.answer.is_some() || self.kept.len() + 1 >= WorkerTurn::MOST_ENDED;
        let due = if at_once { now } else { now + FLUSH_AFTER };
        self.flush_at = Some(self.flush_at.map_or(due, |at| at.min(due)));
        self.kept.push_back(finished);
    }

    /// When the next flush is due; None when nothing is kept.
    pub fn flush_at(&self) -> Option<Instant> {
        self.flush_at
    }

    /// Outcomes waiting for a flush.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// Outcomes the engine has not answered.
    pub fn unanswered(&self) -> usize {
        self.kept.len() + self.sent.len()
    }

    /// The leases of outcomes that wait for a flush.
    pub fn leases(&self) -> impl Iterator<Item = Lease> {
        self.kept.iter().map(|finished| Lease { jid: finished.ended.jid.clone(), token: finished.ended.token.clone() })
    }

    /// Takes the next flush: as many outcomes as one call may carry, `beside` what it takes or by itself.
    pub fn take(&mut self, beside: bool) -> Vec<Ended<Ending>> {
        let most = match self.alone {
            0 if beside => WorkerTurn::ENDED_BESIDE,
            0 => WorkerTurn::MOST_ENDED,
            _ => 1,
        };
        self.alone = self.alone.saturating_sub(1);
        let (mut batch, mut bytes, mut dependencies) = (Vec::with_capacity(most.min(self.kept.len())), 0, 0);
        while let Some(next) = self.kept.front() {
            bytes += weight(&next.ended.how);
            let own = dependencies_of(&next.ended.how);
            let crowded = own > 0 && dependencies > 0 && dependencies + own > MAX_NAMED;
            let heavy = bytes > MOST_BYTES || crowded;
            if batch.len() == most || (heavy && !batch.is_empty()) {
                break;
            }
            let Some(Finished { ended, kind, spent, answer }) = self.kept.pop_front() else { break };
            self.sent.push(Sent { kind, spent, answer });
            dependencies += own;
            batch.push(ended);
        }
        if self.kept.is_empty() {
            self.flush_at = None;
        }
        batch
    }

    /// The engine answered the flush of `batch`.
    pub fn answer(&mut self, batch: &[Ended<Ending>], answers: Vec<Answer>, now: Instant) {
        let sent = std::mem::take(&mut self.sent);
        for ((ended, sent), answer) in batch.iter().zip(sent).zip(answers) {
            match &answer {
                Answer::State(_) => {}
                Answer::LockLost(reason) => {
                    // One that no handler had is nobody's loss.
                    if !sent.kind.is_empty() {
                        let lease = Lease { jid: ended.jid.clone(), token: ended.token.clone() };
                        self.lost.push((lease, reason.clone()));
                    }
                    self.refuse(ended, reason.clone());
                }
                Answer::Refused(error) => self.retry_for(ended.clone(), sent.kind, sent.spent, error, now),
            }
            if let Some(to) = sent.answer {
                // A caller that no longer waits has taken its error already.
                let _ = to.send(Ok(answer));
            }
        }
    }

    /// The flush of `batch` changed nothing: it is kept again, in its old place.
    pub fn restore(&mut self, batch: Vec<Ended<Ending>>, now: Instant) {
        let sent = std::mem::take(&mut self.sent);
        for (ended, Sent { kind, spent, answer }) in batch.into_iter().zip(sent).rev() {
            self.kept.push_front(Finished { ended, kind, spent, answer });
        }
        self.flush_at = (!self.kept.is_empty()).then_some(now);
    }

    /// The engine cannot take the flush of `batch` as it is, and changed nothing. Each outcome goes alone then.
    /// One that is refused alone is replaced by a retry for that error; a job whose retry is refused too is left to its lease.
    pub fn spoil(&mut self, batch: Vec<Ended<Ending>>, error: &Error, now: Instant) {
        if batch.len() != 1 {
            self.alone += batch.len();
            return self.restore(batch, now);
        }
        let sent = std::mem::take(&mut self.sent);
        for (ended, Sent { kind, spent, answer }) in batch.into_iter().zip(sent) {
            if let Some(to) = answer {
                let _ = to.send(Err(error.clone().about(&ended.jid)));
            }
            self.retry_for(ended, kind, spent, error, now);
        }
        self.flush_at = (!self.kept.is_empty()).then_some(now);
    }

    /// The engine cannot take this outcome at all: where the job was complete, it is retried for that error.
    fn retry_for(&mut self, ended: Ended<Ending>, kind: String, spent: u32, error: &Error, now: Instant) {
        self.refuse(&ended, error.to_string());
        if matches!(ended.how, Ending::Complete(_)) {
            let class = error.code.name().to_owned();
            let outcome = Outcome::Error { class, message: error.message.clone(), trace: String::new() };
            let ended = Ended { how: outcome.into_ending(&kind, spent), ..ended };
            self.kept.push_front(Finished { ended, kind, spent, answer: None });
            self.flush_at = Some(now);
        }
    }

    /// Lets those go who wait for an answer.
    pub fn leave_unanswered(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.answer = None);
        self.kept.iter_mut().for_each(|finished| finished.answer = None);
    }

    fn refuse(&mut self, ended: &Ended<Ending>, reason: String) {
        // A job given back unstarted is nobody's loss.
        if matches!(ended.how, Ending::Release) {
            return;
        }
        if self.refused.len() == MOST_REFUSED {
            self.refused.pop_front();
        }
        self.refused.push_back(Refused {
            jid: ended.jid.clone(),
            token: ended.token.clone(),
            operation: operation(&ended.how).to_owned(),
            reason,
        });
    }

    /// The leases that turned out to be lost since the last call.
    pub fn take_lost(&mut self) -> Vec<(Lease, String)> {
        std::mem::take(&mut self.lost)
    }

    /// True while there are refusals that nobody has taken.
    pub fn are_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// Refusals since the last call, oldest first.
    pub fn take_refused(&mut self) -> Vec<Refused> {
        self.refused.drain(..).collect()
    }
}

/// About how many bytes an ending adds to a call.
fn weight(ending: &Ending) -> usize {
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    match ending {
        Ending::Complete(completion) => length(&completion.result) + length(&completion.data),
        Ending::Fail(failure) => failure.message.len() + failure.trace.len(),
        Ending::Retry(again) => again.message.len() + again.trace.len(),
        Ending::Snooze(_) | Ending::Release | Ending::UnknownKind => 0,
    }
}

/// How many jids an ending waits for: those of one call may be as many as one may have.
fn dependencies_of(ending: &Ending) -> usize {
    if let Ending::Complete(completion) = ending { completion.dependencies.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::error::Code;

    const MS: Duration = Duration::from_millis(1);

    fn finished(jid: &str, outcome: Outcome, answer: Option<AnswerTo>) -> Finished {
        let how = outcome.into_ending("kind", 0);
        let ended = Ended { jid: jid.to_owned(), token: "7".to_owned(), run_ms: 0, how };
        Finished { ended, kind: "kind".to_owned(), spent: 0, answer }
    }

    fn done(jid: &str) -> Finished {
        finished(jid, Outcome::DONE, None)
    }

    fn with_result(jid: &str, bytes: usize) -> Finished {
        let result = Some("1".repeat(bytes));
        finished(jid, Outcome::completed(result.as_deref(), "").unwrap(), None)
    }

    fn waiting_for(jid: &str, count: usize) -> Finished {
        let options = serde_json::json!({"dependencies": vec!["x"; count]}).to_string();
        finished(jid, Outcome::completed(None, &options).unwrap(), None)
    }

    fn jids(batch: &[Ended<Ending>]) -> Vec<&str> {
        batch.iter().map(|ended| ended.jid.as_str()).collect()
    }

    #[test]
    fn flushes_a_millisecond_after_the_first_or_at_once_for_who_waits() {
        let (mut outcomes, now) = (Outcomes::default(), Instant::now());
        assert_eq!(outcomes.flush_at(), None);
        outcomes.push(done("a"), now);
        outcomes.push(done("b"), now + MS / 2);
        assert_eq!(outcomes.flush_at(), Some(now + MS));
        outcomes.push(finished("c", Outcome::DONE, Some(sync_channel(1).0)), now + MS / 2);
        assert_eq!(outcomes.flush_at(), Some(now + MS / 2));
        assert_eq!(jids(&outcomes.take(false)), ["a", "b", "c"]);
        assert_eq!((outcomes.flush_at(), outcomes.kept(), outcomes.unanswered()), (None, 0, 3));
    }

    #[test]
    fn a_flush_has_its_limits() {
        let (mut outcomes, now) = (Outcomes::default(), Instant::now());
        (0..WorkerTurn::MOST_ENDED + 5).for_each(|_| outcomes.push(done("a"), now));
        assert_eq!((outcomes.take(false).len(), outcomes.kept()), (WorkerTurn::MOST_ENDED, 5));
        (0..WorkerTurn::ENDED_BESIDE).for_each(|_| outcomes.push(done("a"), now));
        assert_eq!((outcomes.take(true).len(), outcomes.kept()), (WorkerTurn::ENDED_BESIDE, 5));
        assert!(outcomes.flush_at().is_some());
        let mut outcomes = Outcomes::default();
        for jid in ["a", "b", "c"] {
            outcomes.push(with_result(jid, MOST_BYTES / 2 + 1), now);
        }
        outcomes.push(with_result("d", 2 * MOST_BYTES), now);
        assert_eq!(jids(&outcomes.take(false)), ["a"]);
        assert_eq!(outcomes.kept(), 3);
        let mut outcomes = Outcomes::default();
        for (jid, count) in [("a", MAX_NAMED - 1), ("b", 1), ("c", 1), ("d", 4 * MAX_NAMED), ("e", 0)] {
            outcomes.push(waiting_for(jid, count), now);
        }
        assert_eq!(jids(&outcomes.take(false)), ["a", "b"]);
        assert_eq!(jids(&outcomes.take(false)), ["c"]);
        assert_eq!(jids(&outcomes.take(false)), ["d", "e"]);
    }

    #[test]
    fn refusals_are_told_and_answers_given() {
        let (mut outcomes, now) = (Outcomes::default(), Instant::now());
        let (answer, answered) = sync_channel(1);
        outcomes.push(finished("a", Outcome::DONE, Some(answer)), now);
        outcomes.push(done("b"), now);
        outcomes.push(finished("c", Outcome::Release, None), now);
        let batch = outcomes.take(false);
        let lost = || Answer::LockLost("expired".to_owned());
        outcomes.answer(&batch, vec![Answer::State("completed".to_owned()), lost(), lost()], now);
        assert_eq!(answered.recv().unwrap().unwrap(), Answer::State("completed".to_owned()));
        let refused = outcomes.take_refused();
        assert_eq!(refused.len(), 1, "a release that came too late is nobody's loss");
        assert_eq!((refused[0].jid.as_str(), refused[0].operation.as_str()), ("b", "job_complete"));
        assert_eq!((refused[0].reason.as_str(), outcomes.unanswered()), ("expired", 0));
        assert_eq!(outcomes.take_refused(), []);
    }

    #[test]
    fn a_completion_that_cannot_be_is_retried_for_its_error() {
        let (mut outcomes, now) = (Outcomes::default(), Instant::now());
        let (answer, answered) = sync_channel(1);
        outcomes.push(finished("a", Outcome::DONE, Some(answer)), now);
        let batch = outcomes.take(false);
        outcomes.answer(&batch, vec![Answer::Refused(Error::new(Code::Cycle, "a would wait for itself"))], now);
        assert_eq!(answered.recv().unwrap().unwrap().accepted("a").unwrap_err().code, Code::Cycle);
        assert!(outcomes.take_refused()[0].reason.starts_with("CYCLE"));
        assert!(
            matches!(&outcomes.take(false)[0].how, Ending::Retry(again) if again.message == "a would wait for itself")
        );
    }

    #[test]
    fn what_changed_nothing_is_kept_in_its_place() {
        let (mut outcomes, now) = (Outcomes::default(), Instant::now());
        outcomes.push(done("a"), now);
        outcomes.push(done("b"), now);
        let batch = outcomes.take(false);
        outcomes.push(done("c"), now);
        outcomes.restore(batch, now);
        assert_eq!(jids(&outcomes.take(false)), ["a", "b", "c"]);
    }

    #[test]
    fn one_spoiled_outcome_does_not_hold_up_the_others() {
        let (mut outcomes, now) = (Outcomes::default(), Instant::now());
        for jid in ["a", "b", "c"] {
            outcomes.push(done(jid), now);
        }
        let error = Error::new(Code::InvalidArgument, "result has too many bytes");
        let batch = outcomes.take(false);
        outcomes.spoil(batch, &error, now);
        let mut told = Vec::new();
        while outcomes.kept() > 0 {
            let batch = outcomes.take(false);
            told.push(jids(&batch).concat());
            if matches!((&batch[..], &batch[0].how), ([one], Ending::Complete(_)) if one.jid == "b") {
                outcomes.spoil(batch, &error, now);
            } else {
                let answers = batch.iter().map(|_| Answer::State("completed".to_owned())).collect();
                outcomes.answer(&batch, answers, now);
            }
        }
        assert_eq!(told, ["a", "b", "b", "c"], "the second b is its retry");
        assert_eq!(outcomes.take_refused()[0].reason, "INVALID_ARGUMENT: result has too many bytes");
        outcomes.push(done("d"), now);
        outcomes.push(done("e"), now);
        assert_eq!(outcomes.take(false).len(), 2, "and then they go together again");
    }
}
