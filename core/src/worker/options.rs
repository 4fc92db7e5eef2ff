//! A worker's options, read once from JSON.

use std::collections::HashSet;
use std::time::Duration;

use super::patterns;
use super::strategy::{Strategy, Weights};
use super::timeouts::Timeouts;
use crate::check;
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::middleware::{Format, StatsdOptions};
use crate::ops::Share;

/// Most queues one worker reserves from.
pub const MAX_QUEUES: usize = 1_000;
/// Most handlers one worker runs at once.
const MAX_THREADS: i64 = 1_000;
/// Longest time between two looks of an idle worker.
const MAX_INTERVAL_MS: i64 = 86_400_000;
/// Most kinds one worker says it knows.
const MAX_KINDS: usize = 1_000;

/// What [`Worker::open`](super::Worker::open) was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Queues to reserve from, in this order.
    pub queues: Vec<String>,
    /// How the worker chooses among them.
    pub strategy: Strategy,
    /// Of queues and patterns, for the strategy `weighted`.
    pub weights: Weights,
    /// Handlers that run at once.
    pub threads: usize,
    /// Kinds the worker has handlers for, told to other workers in its status.
    pub kinds: Vec<String>,
    /// The host's language, for the worker's status.
    pub language: String,
    /// How long a stop that names no time waits for started jobs.
    pub shutdown_timeout: Duration,
    /// How long an idle worker waits before it looks for what nobody told it.
    pub interval: Duration,
    /// How long handlers may run.
    pub timeouts: Timeouts,
    /// Jobs to start in all; None: no limit.
    pub max_jobs: Option<u64>,
    /// How ends of jobs are logged; None: they are not.
    pub log: Option<Format>,
    /// Starts are logged too.
    pub verbose: bool,
    /// Where figures go.
    pub statsd: Option<StatsdOptions>,
}

impl WorkerOptions {
    /// Reads the options; those absent or null have their defaults.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option that is missing, wrong or unknown.
    pub fn from_json(text: &str) -> Result<WorkerOptions> {
        let mut fields = Fields::parse(text, "options")?;
        let queues = fields.texts("queues")?.ok_or_else(|| Error::invalid("options.queues is missing"))?;
        let strategy = fields.text("strategy")?.map_or(Ok(Strategy::Ordered), |name| known_strategy(&name))?;
        let options = WorkerOptions {
            queues: check_queues(queues, "options.queues")?,
            strategy,
            weights: take_weights(&mut fields, strategy)?,
            threads: fields.integer_in("threads", 1, MAX_THREADS)?.unwrap_or(1) as usize,
            kinds: fields.texts("kinds")?.unwrap_or_default(),
            language: fields.text("language")?.unwrap_or_else(|| "rust".to_owned()),
            shutdown_timeout: Duration::from_millis(
                fields.integer_in("shutdown_timeout_ms", 0, check::MAX_SPAN_MS)?.unwrap_or(25_000) as u64,
            ),
            interval: Duration::from_millis(
                fields.integer_in("interval_ms", 10, MAX_INTERVAL_MS)?.unwrap_or(2_000) as u64
            ),
            timeouts: Timeouts::take(&mut fields)?,
            log: Format::take(&mut fields)?,
            verbose: fields.boolean("verbose")?.unwrap_or(false),
            statsd: StatsdOptions::take(&mut fields)?,
            max_jobs: fields.integer_in("max_jobs", 0, i64::MAX)?.filter(|most| *most > 0).map(|most| most as u64),
        };
        fields.end()?;
        check::names(&options.kinds, "options.kinds", MAX_KINDS)?;
        check::name(&options.language, "options.language")?;
        Ok(options)
    }

    /// Whether the queues are those that patterns stand for, which change while it runs.
    pub fn follows(&self) -> bool {
        self.queues.iter().any(|entry| patterns::is_pattern(entry))
    }
}

/// Refuses queues a worker cannot have; `name` is what their user calls them.
pub fn check_queues(queues: Vec<String>, name: &str) -> Result<Vec<String>> {
    if queues.is_empty() {
        return Err(Error::invalid(format!("{name} is empty: a worker needs at least one queue")));
    }
    check::names(&queues, name, MAX_QUEUES)?;
    let mut seen = HashSet::with_capacity(queues.len());
    for (index, queue) in queues.iter().enumerate() {
        if !seen.insert(queue) {
            return Err(Error::invalid(format!("{name}[{index}] names {queue} a second time")));
        }
    }
    Ok(queues)
}

fn take_weights(fields: &mut Fields, strategy: Strategy) -> Result<Weights> {
    let Some(mut given) = fields.object("weights")? else { return Ok(Weights::new()) };
    if strategy != Strategy::Weighted {
        return Err(Error::invalid("options.weights belongs to the strategy weighted"));
    }
    let names = given.names();
    check::names(&names, "options.weights", MAX_QUEUES)?;
    let weigh = |name: String| {
        let weight = given.integer_in(&name, 1, Share::MOST_WEIGHT)?;
        let missing = || Error::invalid(format!("options.weights.{name} is missing"));
        Ok((name.clone(), weight.ok_or_else(missing)? as u32))
    };
    names.into_iter().map(weigh).collect()
}

fn known_strategy(name: &str) -> Result<Strategy> {
    Strategy::named(name).ok_or_else(|| {
        let known = Strategy::NAMES.map(|(name, _)| name).join(", ");
        Error::invalid(format!("options.strategy {name} is unknown; known are {known}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> String {
        WorkerOptions::from_json(json).unwrap_err().message
    }

    fn many(queues: usize) -> String {
        let names: Vec<String> = (0..queues).map(|number| format!("\"q{number}\"")).collect();
        format!("{{\"queues\":[{}]}}", names.join(","))
    }

    #[test]
    fn a_worker_has_up_to_1000_queues() {
        assert_eq!(WorkerOptions::from_json(&many(1_000)).unwrap().queues.len(), 1_000);
    }

    #[test]
    fn defaults() {
        let options = WorkerOptions::from_json(r#"{"queues":["mail"]}"#).unwrap();
        assert_eq!(options.queues, ["mail"]);
        assert_eq!((options.strategy, options.threads), (Strategy::Ordered, 1));
        assert_eq!((options.kinds.len(), options.language.as_str()), (0, "rust"));
        assert_eq!((options.shutdown_timeout, options.interval), (Duration::from_secs(25), Duration::from_secs(2)));
        assert_eq!((options.timeouts, options.max_jobs), (Timeouts::default(), None));
    }

    #[test]
    fn kinds_have_their_own_times() {
        let json = r#"{"queues":["q"],"timeout_ms":500,"timeouts":{"long":60000,"any":null},"kill_timeout_ms":0,"max_jobs":7}"#;
        let options = WorkerOptions::from_json(json).unwrap();
        let ms = |kind| options.timeouts.of(kind, None).unwrap().as_millis();
        assert_eq!((ms("long"), ms("any"), ms("other")), (60_000, 500, 500));
        assert_eq!((options.timeouts.kill, options.max_jobs), (Duration::ZERO, Some(7)));
    }

    #[test]
    fn errors_name_the_option() {
        assert_eq!(message("{}"), "options.queues is missing");
        assert_eq!(message(r#"{"queues":[]}"#), "options.queues is empty: a worker needs at least one queue");
        assert_eq!(message(r#"{"queues":["a",""]}"#), "options.queues[1] is empty");
        assert_eq!(message(r#"{"queues":["a","b","a"]}"#), "options.queues[2] names a a second time");
        assert_eq!(message(&many(1_001)), "options.queues has 1001 entries, at most 1000 are allowed");
        assert_eq!(message(r#"{"queues":["a"],"threads":0}"#), "options.threads 0 is outside 1..1000");
        assert_eq!(message(r#"{"queues":["a"],"interval_ms":5}"#), "options.interval_ms 5 is outside 10..86400000");
        assert_eq!(message(r#"{"queues":["a"],"thread":4}"#), "options.thread is unknown");
        assert_eq!(message(r#"{"queues":["a"],"timeout_ms":0}"#), "options.timeout_ms 0 is outside 1..3155760000000");
        assert_eq!(
            message(r#"{"queues":["a"],"timeouts":{"k":"1s"}}"#),
            "options.timeouts.k \"1s\" is not a whole number"
        );
        assert_eq!(message(r#"{"queues":["a"],"timeouts":{"":1}}"#), "options.timeouts[0] is empty");
        assert_eq!(
            message(r#"{"queues":["a"],"log":"loud"}"#),
            "options.log loud is unknown; known are off, text, json"
        );
        assert!(message(r#"{"queues":["a"],"max_jobs":-1}"#).starts_with("options.max_jobs -1 is outside 0.."));
        assert_eq!(
            message(r#"{"queues":["a"],"strategy":"fair"}"#),
            "options.strategy fair is unknown; known are ordered, round_robin, shuffled_round_robin, weighted, callback"
        );
        assert_eq!(
            message(r#"{"queues":["a"],"weights":{"a":2}}"#),
            "options.weights belongs to the strategy weighted"
        );
        assert_eq!(
            message(r#"{"queues":["a"],"strategy":"weighted","weights":{"a":0}}"#),
            "options.weights.a 0 is outside 1..1000"
        );
    }
}
