//! How the run of a job ended, as the engine reads it.

use std::borrow::Cow;

use serde_json::{Map, Value as Json};

use super::group::{self, Item};
use super::lease::Lease;
use super::put::MAX_DEPENDENCIES;
use crate::check;
use crate::error::{Error, Result};
use crate::json::{self, Fields};
use crate::request::Args;

/// Longest message or trace in bytes.
const MAX_TEXT: usize = 16 * 1024;

/// A job whose run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended<How> {
    /// The job.
    pub jid: String,
    /// The token its reserve gave.
    pub token: String,
    /// Milliseconds the handler ran, by the worker's monotonic clock.
    pub run_ms: u64,
    /// How it ended.
    pub how: How,
}

/// The run succeeded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// What the handler returned, as JSON text. None stores no result.
    pub result: Option<String>,
    /// The queue it goes on to. None: the next of its route; at the end of the route it is completed.
    pub queue: Option<String>,
    /// New data for the next stage, as JSON text. None keeps the old.
    pub data: Option<String>,
    /// Milliseconds until it may run in the next queue.
    pub delay_ms: u64,
    /// The jids it waits for in the next queue; where several completed by one call have some, they have at
    /// most 64 in all. Completed and unknown ones it need not wait for.
    pub dependencies: Vec<String>,
}

/// The job is given up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Failures that share a cause share a group. 1 to 255 bytes.
    pub group: String,
    /// What happened; cut at 16 KiB.
    pub message: String,
    /// Where it happened; cut at 16 KiB.
    pub trace: String,
}

/// The job runs again and spends a retry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Again {
    /// Milliseconds until it may run again.
    pub delay_ms: u64,
    /// The group it fails in when no retry is left. Empty: `failed-retries-<queue>`.
    pub group: String,
    /// What happened; cut at 16 KiB.
    pub message: String,
    /// Where it happened; cut at 16 KiB.
    pub trace: String,
}

/// The job runs again later and spends nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pause {
    /// Milliseconds until it may run again.
    pub delay_ms: u64,
}

/// Any end of a run: an item of [`super::WorkerTurn`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The run succeeded.
    Complete(Completion),
    /// The job is given up.
    Fail(Failure),
    /// The job runs again and spends a retry.
    Retry(Again),
    /// The job runs again later and spends nothing.
    Snooze(Pause),
    /// It was not started and goes back to its old place.
    Release,
    /// This worker has no handler for the job's kind.
    UnknownKind,
}

/// How an ending is written: its checks, and its two arguments.
pub(super) trait Wire {
    /// Two arguments; an operation whose items have only the first gets an empty second one cut off.
    const TWO: bool;

    fn check(&self) -> Result<()>;
    fn arguments(&self) -> [Cow<'_, str>; 2];
    fn take(fields: &mut Fields) -> Result<Self>
    where
        Self: Sized;
}

/// `{"name": text, …}` of the texts that are not empty, or empty.
fn object<const N: usize>(members: [(&str, Json); N]) -> String {
    let map: Map<String, Json> = members
        .into_iter()
        .filter(|(_, value)| !matches!(value, Json::Null) && value.as_str() != Some(""))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    if map.is_empty() { String::new() } else { Json::Object(map).to_string() }
}

fn take_span(fields: &mut Fields, name: &str) -> Result<u64> {
    let span = fields.integer_in(name, 0, check::MAX_SPAN_MS)?;
    Ok(span.map_or(0, i64::unsigned_abs))
}

fn check_span(span: u64, name: &str) -> Result<()> {
    check::span_ms(i64::try_from(span).unwrap_or(i64::MAX), name)
}

/// The longest part of `text` within the engine's limit for messages and traces.
fn cut(text: &str) -> &str {
    let end = (0..=MAX_TEXT.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

impl Completion {
    /// What it says beside its result.
    fn options(&self) -> String {
        let Completion { queue, data, delay_ms, dependencies, .. } = self;
        if queue.is_none() && data.is_none() && *delay_ms == 0 && dependencies.is_empty() {
            return String::new(); // as with most
        }
        object([
            ("queue", queue.clone().into()),
            ("data", data.clone().into()),
            ("delay_ms", (*delay_ms > 0).then_some(*delay_ms).into()),
            ("dependencies", (!dependencies.is_empty()).then(|| dependencies.clone()).into()),
        ])
    }
}

impl Wire for Completion {
    const TWO: bool = true;

    fn check(&self) -> Result<()> {
        for (value, name) in [(&self.result, "result"), (&self.data, "data")] {
            if let Some(text) = value {
                json::check(text, name)?;
            }
        }
        if let Some(queue) = &self.queue {
            check::name(queue, "queue")?;
        }
        check::names(&self.dependencies, "dependencies", MAX_DEPENDENCIES)?;
        check_span(self.delay_ms, "delay_ms")
    }

    fn arguments(&self) -> [Cow<'_, str>; 2] {
        [self.result.as_deref().unwrap_or_default().into(), self.options().into()]
    }

    fn take(fields: &mut Fields) -> Result<Completion> {
        Ok(Completion {
            result: fields.raw("result")?,
            queue: fields.text("queue")?,
            data: fields.raw("data")?,
            delay_ms: take_span(fields, "delay_ms")?,
            dependencies: fields.texts("dependencies")?.unwrap_or_default(),
        })
    }
}

impl Wire for Failure {
    const TWO: bool = true;

    fn check(&self) -> Result<()> {
        check::name(&self.group, "group")
    }

    fn arguments(&self) -> [Cow<'_, str>; 2] {
        let detail = object([("message", cut(&self.message).into()), ("trace", cut(&self.trace).into())]);
        [self.group.as_str().into(), detail.into()]
    }

    fn take(fields: &mut Fields) -> Result<Failure> {
        Ok(Failure {
            group: fields.required_text("group")?,
            message: fields.text("message")?.unwrap_or_default(),
            trace: fields.text("trace")?.unwrap_or_default(),
        })
    }
}

impl Wire for Again {
    const TWO: bool = true;

    fn check(&self) -> Result<()> {
        if !self.group.is_empty() {
            check::name(&self.group, "group")?;
        }
        check_span(self.delay_ms, "delay_ms")
    }

    fn arguments(&self) -> [Cow<'_, str>; 2] {
        let detail = object([
            ("group", self.group.clone().into()),
            ("message", cut(&self.message).into()),
            ("trace", cut(&self.trace).into()),
        ]);
        [self.delay_ms.to_string().into(), detail.into()]
    }

    fn take(fields: &mut Fields) -> Result<Again> {
        Ok(Again {
            delay_ms: take_span(fields, "delay_ms")?,
            group: fields.text("group")?.unwrap_or_default(),
            message: fields.text("message")?.unwrap_or_default(),
            trace: fields.text("trace")?.unwrap_or_default(),
        })
    }
}

impl Wire for Pause {
    const TWO: bool = false;

    fn check(&self) -> Result<()> {
        check_span(self.delay_ms, "delay_ms")
    }

    fn arguments(&self) -> [Cow<'_, str>; 2] {
        [self.delay_ms.to_string().into(), "".into()]
    }

    fn take(fields: &mut Fields) -> Result<Pause> {
        Ok(Pause { delay_ms: take_span(fields, "delay_ms")? })
    }
}

/// Appends `jid token run_ms a [b]` for each, the form of the operations that end runs.
pub(super) fn encode<How: Wire>(jobs: &[Ended<How>], args: &mut Args) -> Result<()> {
    for (index, job) in jobs.iter().enumerate() {
        let [first, second] = job.checked(&job.how).map_err(|error| super::in_item(error, index, jobs.len()))?;
        args.text(&job.jid).text(&job.token).text(&job.run_ms.to_string()).text(&first);
        if How::TWO {
            args.text(&second);
        }
    }
    Ok(())
}

/// Appends groups of `token options run_ms result`, the form of job_complete.
pub(super) fn encode_completions(jobs: &[Ended<Completion>], args: &mut Args) -> Result<()> {
    let mut items = Vec::with_capacity(jobs.len());
    for (index, job) in jobs.iter().enumerate() {
        let [result, options] = job.checked(&job.how).map_err(|error| super::in_item(error, index, jobs.len()))?;
        let common = [job.token.as_str().into(), options];
        items.push(Item { common, alike: job.alike(result), own: [job.jid.as_str().into()] });
    }
    group::encode(&items, args);
    Ok(())
}

/// Appends groups of `verb token b run_ms a`, the form of worker_turn.
pub(super) fn encode_turn(jobs: &[Ended<Ending>], args: &mut Args) -> Result<()> {
    let mut items = Vec::with_capacity(jobs.len());
    for (index, job) in jobs.iter().enumerate() {
        let (verb, texts) = job.turned();
        let [first, second] = texts.map_err(|error| super::in_item(error, index, jobs.len()))?;
        let common = [verb.into(), job.token.as_str().into(), second];
        items.push(Item { common, alike: job.alike(first), own: [job.jid.as_str().into()] });
    }
    group::encode(&items, args);
    Ok(())
}

/// Reads an item of such an operation.
pub(super) fn from_fields<How: Wire>(fields: Fields) -> Result<Ended<How>> {
    Ended::read(fields, How::take)
}

impl<How> Ended<How> {
    fn read(mut fields: Fields, take: impl FnOnce(&mut Fields) -> Result<How>) -> Result<Ended<How>> {
        let Lease { jid, token } = Lease::take(&mut fields)?;
        let run_ms = take_span(&mut fields, "run_ms")?;
        let how = take(&mut fields)?;
        fields.end()?;
        Ok(Ended { jid, token, run_ms, how })
    }

    /// Two arguments of an ending, when nothing is wrong with it and the job.
    fn checked<'a>(&self, how: &'a impl Wire) -> Result<[Cow<'a, str>; 2]> {
        how.check()?;
        self.check()?;
        Ok(how.arguments())
    }

    fn check(&self) -> Result<()> {
        check::name(&self.jid, "jid")?;
        check::token(&self.token)?;
        check_span(self.run_ms, "run_ms")
    }

    /// What it may happen to have alike with the others of a group.
    fn alike<'a>(&self, first: Cow<'a, str>) -> [Cow<'a, str>; 2] {
        [self.run_ms.to_string().into(), first]
    }
}

impl Ending {
    fn take(fields: &mut Fields) -> Result<Ending> {
        let path = fields.path("verb");
        Ok(match fields.required_text("verb")?.as_str() {
            "complete" => Ending::Complete(Wire::take(fields)?),
            "fail" => Ending::Fail(Wire::take(fields)?),
            "retry" => Ending::Retry(Wire::take(fields)?),
            "snooze" => Ending::Snooze(Wire::take(fields)?),
            "release" => Ending::Release,
            "unknown_kind" => Ending::UnknownKind,
            other => return Err(Error::invalid(format!("{path} {} is not an outcome", json::quote(other)))),
        })
    }
}

impl Ended<Ending> {
    /// Reads an item of worker_turn: as in the operation of its verb, and the `verb` itself.
    pub(super) fn from_turn_fields(fields: Fields) -> Result<Ended<Ending>> {
        Ended::read(fields, Ending::take)
    }

    /// Its verb, and the two arguments of that.
    fn turned(&self) -> (&'static str, Result<[Cow<'_, str>; 2]>) {
        let none = || self.check().map(|()| ["".into(), "".into()]);
        match &self.how {
            Ending::Complete(how) => ("complete", self.checked(how)),
            Ending::Fail(how) => ("fail", self.checked(how)),
            Ending::Retry(how) => ("retry", self.checked(how)),
            Ending::Snooze(how) => ("snooze", self.checked(how)),
            Ending::Release => ("release", none()),
            Ending::UnknownKind => ("unknown_kind", none()),
        }
    }
}
