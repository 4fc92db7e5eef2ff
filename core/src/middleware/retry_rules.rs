//! When a job runs again after an error, by the error's class.

#[cfg(feature = "async")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "async")]
use super::asynchronous::{AsyncAround, AsyncMiddleware};
use super::perform::{Around, Middleware};
use crate::backoff::Backoff;
use crate::error::Result;
use crate::json::Fields;
use crate::ops::Job;
use crate::worker::{Outcome, draw, failure_group};

/// Middleware that says by the class of an [`Outcome::Error`] when its job runs again, or that it does not.
///
/// ```no_run
/// # fn main() -> manyhands::Result<()> {
/// use std::time::Duration;
///
/// use manyhands::{Backoff, Client, Outcome, RetryRules, Worker};
///
/// let rules = RetryRules::new()
///     .discard_on("NoSuchUser")
///     .retry_on("RateLimited", Backoff::fixed(Duration::from_secs(30)))
///     .retry_on("Network", Backoff::list([1, 10, 60].map(Duration::from_secs)))
///     .otherwise(Backoff::exponential(Duration::from_secs(2)));
/// let worker = Worker::open(&Client::open(None, "")?, r#"{"queues":["mail"]}"#)?.with(rules);
/// worker.run(|_job| Outcome::thrown("RateLimited", "429"))
/// # }
/// ```
///
/// The error goes on outward as any other; only what becomes of the job is decided here, and that is what hooks and the log
/// hear. After an error that no rule names it runs again with growing waits, as without rules. Of several rules for one error
/// those of the outermost middleware count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryRules {
    discards: Vec<String>,
    retries: Vec<(String, Backoff)>,
    others: Option<Backoff>,
}

impl RetryRules {
    /// No rules.
    pub fn new() -> RetryRules {
        RetryRules::default()
    }

    /// After an error of this class the job runs again after such a wait. It spends a retry, and without any left the job fails.
    #[must_use]
    pub fn retry_on(mut self, class: &str, backoff: Backoff) -> RetryRules {
        self.retries.push((class.to_owned(), backoff));
        self
    }

    /// The same for errors of all other classes, of jobs that have no backoff of their own.
    #[must_use]
    pub fn otherwise(self, backoff: Backoff) -> RetryRules {
        RetryRules { others: Some(backoff), ..self }
    }

    /// After an error of this class the job fails at once, whatever retries are left. This comes first.
    #[must_use]
    pub fn discard_on(mut self, class: &str) -> RetryRules {
        self.discards.push(class.to_owned());
        self
    }

    /// Takes what JSON says: `backoff_ms`, `retry_on` and `discard_on`.
    pub(crate) fn take(fields: &mut Fields) -> Result<RetryRules> {
        let mut rules = RetryRules { others: Backoff::take(fields, "backoff_ms")?, ..RetryRules::new() };
        if let Some(mut classes) = fields.object("retry_on")? {
            for class in classes.names() {
                if let Some(backoff) = Backoff::take(&mut classes, &class)? {
                    rules = rules.retry_on(&class, backoff);
                }
            }
        }
        let discards = fields.texts("discard_on")?.unwrap_or_default();
        Ok(discards.iter().fold(rules, |rules, class| rules.discard_on(class)))
    }

    /// What becomes of a job of this kind, which had spent so many retries before, after such a run. `own`: the job's backoff,
    /// which comes before that of the other classes.
    pub(crate) fn apply(&self, kind: &str, spent: u32, own: Option<&Backoff>, outcome: Outcome) -> Outcome {
        let rule = match &outcome {
            Outcome::Error { class, .. } => self.named(class).or(own.or(self.others.as_ref()).map(Some)),
            _ => None,
        };
        match rule {
            Some(backoff) => {
                ruled(kind, outcome, backoff.map(|backoff| backoff.delay(spent.saturating_add(1), draw())))
            }
            None => outcome,
        }
    }

    /// What they say of the error of a run, if it ended by one that they know.
    fn of_run(&self, job: &Job, outcome: &Outcome) -> Option<Ruled> {
        let Outcome::Error { class, .. } = outcome else { return None };
        // A backoff of its own comes after the rules of its kind that name the class: who ends the run looks at these.
        let others = self.others.as_ref().filter(|_| job.backoff.is_none());
        let rule = self.named(class).or(others.map(Some))?;
        let errors = u32::try_from(job.retries.saturating_sub(job.remaining).saturating_add(1)).unwrap_or(u32::MAX);
        let again_after = rule.map(|backoff| backoff.delay(errors.max(1), draw()));
        Some(Ruled { error: outcome.clone(), again_after })
    }

    /// What is said of this very class: to fail, or to wait.
    fn named(&self, class: &str) -> Option<Option<&Backoff>> {
        if self.discards.iter().any(|known| known == class) {
            return Some(None);
        }
        self.retries.iter().find(|(known, _)| known == class).map(|(_, backoff)| Some(backoff))
    }
}

/// What a rule says of the error of a run: fail, or run again after a wait.
#[derive(Debug, PartialEq)]
pub(crate) struct Ruled {
    error: Outcome,
    again_after: Option<Duration>,
}

impl Middleware for RetryRules {
    fn around(&self, job: &Job, next: Around<'_>) -> Outcome {
        let locals = next.locals();
        let outcome = next.call();
        if let Some(ruled) = self.of_run(job, &outcome) {
            locals.set(ruled);
        }
        outcome
    }
}

#[cfg(feature = "async")]
impl AsyncMiddleware for RetryRules {
    async fn around(&self, job: Arc<Job>, next: AsyncAround) -> Outcome {
        let locals = next.locals().clone();
        let outcome = next.call().await;
        if let Some(ruled) = self.of_run(&job, &outcome) {
            locals.set(ruled);
        }
        outcome
    }
}

impl Ruled {
    /// What becomes of a job of this kind whose run ended so: by this rule, if it is of this very error.
    pub(crate) fn apply(self, kind: &str, outcome: Outcome) -> Outcome {
        match &outcome {
            Outcome::Error { class, message, .. } if self.error.is_error(class, message) => {
                ruled(kind, outcome, self.again_after)
            }
            _ => outcome,
        }
    }
}

/// What a rule makes of an error: run again after a wait, or fail.
fn ruled(kind: &str, outcome: Outcome, again_after: Option<Duration>) -> Outcome {
    let Outcome::Error { class, message, trace } = outcome else { return outcome };
    let group = failure_group(kind, &class);
    match again_after {
        None => Outcome::Fail { group, message, trace },
        Some(wait) => {
            let delay_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            Outcome::Retry { delay_ms, group, message, trace }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn taken(json: &str) -> Result<RetryRules> {
        RetryRules::take(&mut Fields::parse(json, "options").unwrap())
    }

    #[test]
    fn rules_come_from_json() {
        let rules = taken(
            r#"{"backoff_ms": [1000, 2000], "discard_on": ["A"],
                "retry_on": {"B": 3000, "C": {"first": 1000}, "D": {"first": 1000, "factor": 3, "most": 2000, "jitter": 0}}}"#,
        );
        let expected = RetryRules::new()
            .otherwise(Backoff::list([S, S * 2]))
            .discard_on("A")
            .retry_on("B", Backoff::fixed(S * 3))
            .retry_on("C", Backoff::exponential(S))
            .retry_on("D", Backoff::exponential(S).growing(3.0, S * 2).jitter(0.0));
        assert_eq!(rules.unwrap(), expected);
        assert_eq!(taken(r#"{"backoff_ms": null, "retry_on": {"A": null}}"#).unwrap(), RetryRules::new());
        let refused = |json| taken(json).unwrap_err().message;
        assert_eq!(refused(r#"{"backoff_ms": -1}"#), "options.backoff_ms -1 is negative");
        assert_eq!(refused(r#"{"backoff_ms": []}"#), "options.backoff_ms is an empty list");
        assert_eq!(refused(r#"{"backoff_ms": [1, -2]}"#), "options.backoff_ms[1] -2 is negative");
        assert_eq!(refused(r#"{"retry_on": {"A": {}}}"#), "options.retry_on.A.first is missing");
        assert_eq!(
            refused(r#"{"retry_on": {"A": {"first": 1, "factor": 0.5}}}"#),
            "options.retry_on.A.factor 0.5 is outside 1..1000"
        );
        assert_eq!(
            refused(r#"{"backoff_ms": "1s"}"#),
            "options.backoff_ms \"1s\" is not milliseconds, a list of them or an object"
        );
    }

    #[test]
    fn rules_make_something_else_of_errors_only() {
        let rules = RetryRules::new().discard_on("A").retry_on("B", Backoff::list([S, S * 9]));
        let error = |class| Outcome::thrown(class, "broken");
        let (message, trace) = ("broken".to_owned(), String::new());
        let fail = Outcome::Fail { group: "k:A".to_owned(), message: message.clone(), trace: trace.clone() };
        assert_eq!(rules.apply("k", 0, None, error("A")), fail);
        assert_eq!(
            rules.apply("k", 3, None, error("B")),
            Outcome::Retry { delay_ms: 9_000, group: "k:B".to_owned(), message, trace }
        );
        assert_eq!(rules.apply("k", 0, None, error("C")), error("C"));
        let own = Backoff::fixed(S * 7);
        let delay = |rules: &RetryRules, class| match rules.apply("k", 0, Some(&own), error(class)) {
            Outcome::Retry { delay_ms, .. } => Some(delay_ms),
            _ => None,
        };
        let all = rules.clone().otherwise(Backoff::fixed(S * 5));
        assert_eq!(["A", "B", "C"].map(|class| delay(&all, class)), [None, Some(1_000), Some(7_000)]);
        assert_eq!(delay(&RetryRules::new(), "C"), Some(7_000));
        assert_eq!(rules.apply("k", 0, None, Outcome::DONE), Outcome::DONE);
    }

    #[test]
    fn discards_come_first_and_other_classes_last() {
        let [a, b] = [1, 2].map(|seconds| Backoff::fixed(S * seconds));
        let rules = RetryRules::new().retry_on("A", a.clone()).retry_on("B", a.clone()).discard_on("B");
        assert_eq!((rules.named("A"), rules.named("B"), rules.named("C")), (Some(Some(&a)), Some(None), None));
        let outcome = rules.otherwise(b).apply("k", 0, None, Outcome::thrown("C", ""));
        assert!(matches!(outcome, Outcome::Retry { delay_ms: 2_000, .. }));
    }
}
