//! When a job runs again after an error, by the error's class.

#[cfg(feature = "async")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "async")]
use super::asynchronous::{AsyncAround, AsyncMiddleware};
use super::perform::{Around, Middleware};
use crate::check;
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::ops::Job;
use crate::worker::{Outcome, draw, failure_group};

/// What an exponential backoff is unless it says otherwise.
const DOUBLING: f64 = 2.0;
const LONGEST_MS: i64 = 3_600_000;
const A_TENTH: f64 = 0.1;
/// What it grows by at most, from JSON.
const MOST_FACTOR: f64 = 1_000.0;

/// How long a job waits before it runs again, by the number of its errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Backoff {
    wait: Wait,
    jitter: f64,
}

#[derive(Clone, Debug, PartialEq)]
enum Wait {
    Listed(Vec<Duration>),
    Growing { first: Duration, factor: f64, most: Duration },
}

impl Backoff {
    /// Doubling from `first` after the first error to at most an hour, with a jitter of 0.1.
    pub fn exponential(first: Duration) -> Backoff {
        let most = Duration::from_millis(LONGEST_MS as u64);
        Backoff { wait: Wait::Growing { first, factor: DOUBLING, most }, jitter: A_TENTH }
    }

    /// The same after each error.
    pub fn fixed(wait: Duration) -> Backoff {
        Backoff::list([wait])
    }

    /// One after the other; the last for all that follow. An empty list does not wait.
    pub fn list(waits: impl IntoIterator<Item = Duration>) -> Backoff {
        Backoff { wait: Wait::Listed(waits.into_iter().collect()), jitter: 0.0 }
    }

    /// The same, growing by this factor (at least 1) to at most `most`; only of [`Backoff::exponential`].
    #[must_use]
    pub fn growing(mut self, by: f64, to: Duration) -> Backoff {
        if let Wait::Growing { factor, most, .. } = &mut self.wait {
            (*factor, *most) = (by.max(1.0), to);
        }
        self
    }

    /// The same, longer or shorter at random by a share of up to this, 0 to 1.
    #[must_use]
    pub fn jitter(self, share: f64) -> Backoff {
        Backoff { jitter: share.clamp(0.0, 1.0), ..self }
    }

    /// Takes one from JSON: milliseconds, a list of them, or an object of `first`, `factor`, `most` and `jitter`.
    fn take(fields: &mut Fields, name: &str) -> Result<Option<Backoff>> {
        let path = fields.path(name);
        let Some(text) = fields.raw(name)?.filter(|text| text != "null") else { return Ok(None) };
        match text.as_bytes().first() {
            Some(b'{') => Backoff::take_growing(Fields::parse(&text, &path)?).map(Some),
            Some(b'[') => {
                let waits: Vec<i64> = serde_json::from_str(&text)
                    .map_err(|_| Error::invalid(format!("{path} {text} is not a list of whole milliseconds")))?;
                if waits.is_empty() {
                    return Err(Error::invalid(format!("{path} is an empty list")));
                }
                let waits = waits.into_iter().enumerate().map(|(at, ms)| span(ms, &format!("{path}[{at}]")));
                waits.collect::<Result<Vec<_>>>().map(|waits| Some(Backoff::list(waits)))
            }
            _ => {
                let ms = serde_json::from_str(&text).map_err(|_| {
                    Error::invalid(format!("{path} {text} is not milliseconds, a list of them or an object"))
                })?;
                span(ms, &path).map(|wait| Some(Backoff::fixed(wait)))
            }
        }
    }

    fn take_growing(mut fields: Fields) -> Result<Backoff> {
        let first = fields.integer_in("first", 0, check::MAX_SPAN_MS)?;
        let first = first.ok_or_else(|| Error::invalid(format!("{} is missing", fields.path("first"))))?;
        let most = fields.integer_in("most", 0, check::MAX_SPAN_MS)?.unwrap_or(LONGEST_MS);
        let factor = fields.number_in("factor", 1.0, MOST_FACTOR)?.unwrap_or(DOUBLING);
        let jitter = fields.number_in("jitter", 0.0, 1.0)?.unwrap_or(A_TENTH);
        fields.end()?;
        let backoff = Backoff::exponential(Duration::from_millis(first as u64));
        Ok(backoff.growing(factor, Duration::from_millis(most as u64)).jitter(jitter))
    }

    /// The wait after so many errors, at least 1. `draw`: any 16 random bits, which choose the jitter.
    fn delay(&self, errors: u32, draw: u16) -> Duration {
        let wait = match &self.wait {
            Wait::Listed(waits) => {
                let at = (errors as usize - 1).min(waits.len().saturating_sub(1));
                waits.get(at).copied().unwrap_or_default().as_secs_f64()
            }
            Wait::Growing { first, factor, most } => {
                let steps = i32::try_from(errors - 1).unwrap_or(i32::MAX);
                // Too large a number is infinite, and so more than the most.
                (first.as_secs_f64() * factor.powi(steps)).min(most.as_secs_f64())
            }
        };
        let moved = 1.0 + self.jitter * (f64::from(draw) / f64::from(u16::MAX) * 2.0 - 1.0);
        Duration::try_from_secs_f64(wait * moved).unwrap_or_default()
    }
}

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

    /// The same for errors of all other classes.
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

    /// What becomes of a job of this kind, which had spent so many retries before, after such a run.
    pub(crate) fn apply(&self, kind: &str, spent: u32, outcome: Outcome) -> Outcome {
        let rule = match &outcome {
            Outcome::Error { class, .. } => self.rule(class),
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
        let rule = self.rule(class)?;
        let errors = u32::try_from(job.retries.saturating_sub(job.remaining).saturating_add(1)).unwrap_or(u32::MAX);
        let again_after = rule.map(|backoff| backoff.delay(errors.max(1), draw()));
        Some(Ruled { error: outcome.clone(), again_after })
    }

    fn rule(&self, class: &str) -> Option<Option<&Backoff>> {
        if self.discards.iter().any(|known| known == class) {
            return Some(None);
        }
        let named = self.retries.iter().find(|(known, _)| known == class).map(|(_, backoff)| backoff);
        named.or(self.others.as_ref()).map(Some)
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

fn span(ms: i64, name: &str) -> Result<Duration> {
    check::span_ms(ms, name).map(|()| Duration::from_millis(ms as u64))
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
    const MIDDLE: u16 = u16::MAX / 2;

    #[test]
    fn waits_are_fixed_listed_or_grow() {
        let of = |backoff: &Backoff| [1, 2, 3, 4, u32::MAX].map(|errors| backoff.delay(errors, MIDDLE));
        assert_eq!(of(&Backoff::fixed(S * 3)), [S * 3; 5]);
        assert_eq!(of(&Backoff::list([S, S * 10])), [S, S * 10, S * 10, S * 10, S * 10]);
        assert_eq!(of(&Backoff::list([])), [Duration::ZERO; 5]);
        let growing = Backoff::exponential(S).jitter(0.0);
        assert_eq!(of(&growing), [S, S * 2, S * 4, S * 8, S * 3_600]);
        assert_eq!(of(&growing.growing(3.0, S * 20)), [S, S * 3, S * 9, S * 20, S * 20]);
    }

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
        assert_eq!(rules.apply("k", 0, error("A")), fail);
        assert_eq!(
            rules.apply("k", 3, error("B")),
            Outcome::Retry { delay_ms: 9_000, group: "k:B".to_owned(), message, trace }
        );
        assert_eq!(rules.apply("k", 0, error("C")), error("C"));
        assert_eq!(rules.apply("k", 0, Outcome::DONE), Outcome::DONE);
    }

    #[test]
    fn jitter_moves_by_its_share() {
        let backoff = Backoff::fixed(S * 10).jitter(0.2);
        assert_eq!((backoff.delay(1, 0), backoff.delay(1, u16::MAX)), (S * 8, S * 12));
        let backoff = Backoff::fixed(S).jitter(7.0);
        assert_eq!((backoff.delay(1, 0), backoff.delay(1, u16::MAX)), (Duration::ZERO, S * 2));
    }

    #[test]
    fn discards_come_first_and_other_classes_last() {
        let [a, b] = [1, 2].map(|seconds| Backoff::fixed(S * seconds));
        let rules = RetryRules::new().retry_on("A", a.clone()).retry_on("B", a.clone()).discard_on("B");
        assert_eq!((rules.rule("A"), rules.rule("B"), rules.rule("C")), (Some(Some(&a)), Some(None), None));
        assert_eq!(rules.otherwise(b.clone()).rule("C"), Some(Some(&b)));
    }
}
