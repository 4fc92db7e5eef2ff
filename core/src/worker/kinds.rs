//! What a worker was told of kinds: who performs their jobs, how long that may take, and what follows an error.

#[cfg(feature = "async")]
mod asynchronous;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Outcome, Worker};
use crate::backoff::Backoff;
#[cfg(feature = "async")]
use crate::error::Code;
use crate::error::{Error, Result};
use crate::kind::JobKind;
use crate::middleware::RetryRules;
use crate::ops::Job;
#[cfg(feature = "async")]
pub use asynchronous::AsyncHandlers;

/// Most kinds of one worker.
const MAX_KINDS: usize = 1_000;

/// The handlers of [`Worker::perform`], by kind.
pub type Handlers = HashMap<String, Arc<dyn Fn(&Job) -> Outcome + Send + Sync>>;

/// What is said of the runs of some kinds.
#[derive(Default)]
pub struct Kinds(HashMap<String, Known>);

struct Known {
    timeout: Option<Duration>,
    rules: RetryRules,
    has_handler: bool,
}

impl Kinds {
    fn define(&mut self, kind: &JobKind, has_handler: bool) -> Result<()> {
        let had_one = self.0.get(kind.name()).is_some_and(|known| known.has_handler);
        if self.0.len() >= MAX_KINDS && !self.0.contains_key(kind.name()) {
            return Err(Error::invalid(format!("a worker knows at most {MAX_KINDS} kinds")));
        }
        let (timeout, rules) = kind.of_runs();
        self.0.insert(kind.name().to_owned(), Known { timeout, rules, has_handler: had_one || has_handler });
        Ok(())
    }

    /// How long a handler of this kind may run, as its definition says.
    pub fn timeout(&self, kind: &str) -> Option<Duration> {
        self.0.get(kind)?.timeout
    }

    /// What becomes of a job of this kind after such a run. `own`: the job's backoff.
    pub fn ruled(&self, kind: &str, spent: u32, own: Option<&Backoff>, outcome: Outcome) -> Outcome {
        match self.0.get(kind) {
            Some(known) => known.rules.apply(kind, spent, own, outcome),
            None => RetryRules::new().apply(kind, spent, own, outcome),
        }
    }

    /// The kinds that have a handler: `named` are those the host performs by itself.
    pub fn known(&self, named: &[String]) -> Vec<String> {
        let here = self.0.iter().filter(|(kind, known)| known.has_handler && !named.contains(kind));
        let mut here: Vec<_> = here.map(|(kind, _)| kind.clone()).collect();
        here.sort_unstable();
        named.iter().cloned().chain(here).collect()
    }
}

impl Worker {
    /// Runs of this kind that begin from now on have its timeout, unless their put or the option `timeouts` says another; and its
    /// retry rules say what follows their errors, unless [`RetryRules`] around the handler did; of a job with a backoff of its own
    /// they say so of the classes that they name. Hooks and the log hear of the error itself.
    ///
    /// For whoever performs jobs by [`Worker::next`] or [`Worker::run`]; [`Worker::perform`] does it too.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` as [`JobKind::checked`], and for the 1001st kind; `CLOSED` in a forked child.
    pub fn define(&self, kind: &JobKind) -> Result<()> {
        self.know(kind, false)
    }

    /// The same worker, with the handler of a kind for [`Worker::serve`]; one that the kind has already is replaced. Others see in
    /// the worker's status that the kind has a handler here.
    ///
    /// # Errors
    /// Those of [`Worker::define`]; `WRONG_STATE` of a worker with handlers that are futures.
    pub fn perform(self, kind: &JobKind, handler: impl Fn(&Job) -> Outcome + Send + Sync + 'static) -> Result<Worker> {
        let inner = self.inner("worker_perform")?;
        let mut handlers = inner.handlers.write().unwrap_or_else(PoisonError::into_inner);
        #[cfg(feature = "async")]
        if !inner.async_handlers.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let message = format!(
                "{} cannot be performed by a handler that blocks: Worker::perform_async gave this worker futures",
                kind.name()
            );
            return Err(Error::new(Code::WrongState, message).during("worker_perform"));
        }
        self.know(kind, true)?;
        handlers.insert(kind.name().to_owned(), Arc::new(handler));
        drop(handlers);
        Ok(self)
    }

    /// [`Worker::run`] with the handlers of [`Worker::perform`]. A job whose kind has none ends as [`Outcome::UnknownKind`]; that
    /// is what middleware hears.
    ///
    /// # Errors
    /// Those of [`Worker::run`]; `WRONG_STATE` of a worker with handlers that are futures.
    pub fn serve(&self) -> Result<()> {
        let handlers = self.handlers("worker_run")?;
        self.run(|job| handlers.get(&job.kind).map_or(Outcome::UnknownKind, |handler| handler(job)))
    }

    pub(super) fn handlers(&self, call: &str) -> Result<Handlers> {
        let inner = self.inner(call)?;
        #[cfg(feature = "async")]
        if !inner.async_handlers.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            let message = "the handlers of Worker::perform_async are futures: for them there are Worker::serve_async and \
                Worker::drain_served_async";
            return Err(Error::new(Code::WrongState, message).during(call));
        }
        Ok(inner.handlers.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn know(&self, kind: &JobKind, has_handler: bool) -> Result<()> {
        kind.check()?;
        self.inner("worker_define")?.shared.shift().hand.kinds.define(kind, has_handler)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_definition_replaces_the_first_and_keeps_its_handler() {
        let mut kinds = Kinds::default();
        kinds.define(&JobKind::new("b").timeout(Duration::from_secs(1)), true).unwrap();
        kinds.define(&JobKind::new("a"), false).unwrap();
        kinds.define(&JobKind::new("b").timeout(Duration::from_secs(2)), false).unwrap();
        assert_eq!(kinds.timeout("b"), Some(Duration::from_secs(2)));
        assert_eq!((kinds.timeout("a"), kinds.timeout("c")), (None, None));
        assert_eq!(kinds.known(&["z".to_owned(), "b".to_owned()]), ["z", "b"]);
        assert_eq!(kinds.known(&[]), ["b"]);
    }

    #[test]
    fn there_are_at_most_1000() {
        let mut kinds = Kinds::default();
        for number in 0..MAX_KINDS {
            kinds.define(&JobKind::new(number.to_string()), true).unwrap();
        }
        assert!(kinds.define(&JobKind::new("0"), true).is_ok());
        assert_eq!(
            kinds.define(&JobKind::new("one more"), true).unwrap_err().message,
            "a worker knows at most 1000 kinds"
        );
    }
}
