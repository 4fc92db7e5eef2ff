//! What can be read of a job at any time, whoever holds it.

use std::collections::BTreeMap;

use super::ask::number;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::json::Fields;

/// A job as it stood when it was looked at. See [`crate::Client::job`].
#[derive(Clone, Debug, PartialEq)]
pub struct JobView {
    /// Its id.
    pub jid: String,
    /// The name of its handler.
    pub kind: String,
    /// The queue it is in, or ended in.
    pub queue: String,
    /// waiting, scheduled, blocked, throttled, running, failed or completed.
    pub state: String,
    /// Running, but its lease ran out.
    pub stalled: bool,
    /// Its data, the JSON as it was given.
    pub data: String,
    /// What its handler returned, the JSON as it was given; None: nothing.
    pub result: Option<String>,
    /// -128 to 127, larger first.
    pub priority: i64,
    /// Retries it was given.
    pub retries: i64,
    /// Retries it has left.
    pub remaining: i64,
    /// When it was put into its queue, in ms since 1970 by Redis's clock.
    pub put_at_ms: i64,
    /// When it becomes due, while scheduled.
    pub due_at_ms: Option<i64>,
    /// Who holds it, while running.
    pub worker: Option<String>,
    /// Proves the lease, while running.
    pub token: Option<String>,
    /// Until when, while running.
    pub lease_until_ms: Option<i64>,
    /// Its labels.
    pub tags: Vec<String>,
    /// The queues still before it.
    pub route: Vec<String>,
    /// The throttles that limit it.
    pub throttles: Vec<String>,
    /// The texts that go with it through all stages.
    pub headers: BTreeMap<String, String>,
    /// Milliseconds that a run of it may take, if its put said so.
    pub timeout_ms: Option<i64>,
    /// How long it waits after an error that no rule names by its class, if its put said so.
    pub backoff: Option<Backoff>,
    /// The jids it still waits for, the first 256.
    pub dependencies: Vec<String>,
    /// The jids that wait for it, the first 256.
    pub dependents: Vec<String>,
    /// Whether events tell what happens to it.
    pub tracked: bool,
    /// The recurring job that put it.
    pub parent: Option<String>,
    /// How far it is, if its handler ever said.
    pub progress: Option<ProgressView>,
    /// Why it failed, or last went wrong.
    pub failure: Option<FailureView>,
    /// What happened to it, oldest first; at most 100 entries, of which the first is kept.
    pub history: Vec<HistoryEntry>,
}

/// How far a job is, as its handler said.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgressView {
    /// 0 to 1.
    pub value: f64,
    /// What the handler said to it.
    pub note: String,
    /// When it said so.
    pub at_ms: i64,
}

/// Why a job failed, or last went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureView {
    /// Its failure group.
    pub group: String,
    /// What went wrong.
    pub message: String,
    /// Where.
    pub trace: String,
    /// When.
    pub at_ms: i64,
    /// In whose hands.
    pub worker: String,
}

/// One entry of a job's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// put, reserved, completed, retried, snoozed, failed, lost, timed_out, requeued or log.
    pub what: String,
    /// When, in ms since 1970 by Redis's clock.
    pub at_ms: i64,
    /// Of put: where.
    pub queue: Option<String>,
    /// Of reserved: by whom.
    pub worker: Option<String>,
    /// Of completed: how long the handler ran.
    pub run_ms: Option<i64>,
    /// Of retried and failed: the failure group.
    pub group: Option<String>,
    /// Of log: what was said.
    pub message: Option<String>,
    /// Of log: the data that belongs to it, the JSON as it was given.
    pub data: Option<String>,
}

impl JobView {
    /// Reads a job among others; None for null.
    pub(super) fn parse(json: &str) -> Result<Option<JobView>> {
        if json == "null" { Ok(None) } else { JobView::read(Fields::parse(json, "jobs")?).map(Some) }
    }

    pub(super) fn read(mut fields: Fields<'_>) -> Result<JobView> {
        let raw = |fields: &mut Fields, name| Ok(fields.raw(name)?.unwrap_or_else(|| "null".to_owned()));
        Ok(JobView {
            jid: fields.required_text("jid")?,
            kind: fields.required_text("kind")?,
            queue: fields.required_text("queue")?,
            state: fields.required_text("state")?,
            stalled: fields.boolean("stalled")?.unwrap_or(false),
            data: raw(&mut fields, "data")?,
            result: fields.raw("result")?.filter(|result| result != "null"),
            priority: number(&mut fields, "priority")?,
            retries: number(&mut fields, "retries")?,
            remaining: number(&mut fields, "remaining")?,
            put_at_ms: number(&mut fields, "put_at_ms")?,
            due_at_ms: fields.integer("due_at_ms")?,
            worker: fields.text("worker")?,
            token: fields.text("token")?,
            lease_until_ms: fields.integer("lease_until_ms")?,
            tags: fields.texts("tags")?.unwrap_or_default(),
            route: fields.texts("route")?.unwrap_or_default(),
            throttles: fields.texts("throttles")?.unwrap_or_default(),
            headers: fields.text_map("headers")?.unwrap_or_default(),
            timeout_ms: fields.integer("timeout_ms")?,
            backoff: Backoff::of_stored(&mut fields)?,
            dependencies: fields.texts("dependencies")?.unwrap_or_default(),
            dependents: fields.texts("dependents")?.unwrap_or_default(),
            tracked: fields.boolean("tracked")?.unwrap_or(false),
            parent: fields.text("parent")?,
            progress: fields.object("progress")?.map(ProgressView::read).transpose()?,
            failure: fields.object("failure")?.map(FailureView::read).transpose()?,
            history: fields
                .required_list("history")?
                .into_iter()
                .map(|event| HistoryEntry::read(event.get()))
                .collect::<Result<_>>()?,
        })
    }
}

impl ProgressView {
    fn read(mut fields: Fields<'_>) -> Result<ProgressView> {
        let value = fields.raw("value")?.unwrap_or_default();
        Ok(ProgressView {
            value: value.parse().map_err(|_| Error::internal("a progress that is no number"))?,
            note: fields.text("note")?.unwrap_or_default(),
            at_ms: number(&mut fields, "at_ms")?,
        })
    }
}

impl FailureView {
    fn read(mut fields: Fields<'_>) -> Result<FailureView> {
        Ok(FailureView {
            group: fields.required_text("group")?,
            message: fields.required_text("message")?,
            trace: fields.required_text("trace")?,
            at_ms: number(&mut fields, "at_ms")?,
            worker: fields.required_text("worker")?,
        })
    }
}

impl HistoryEntry {
    fn read(json: &str) -> Result<HistoryEntry> {
        let mut fields = Fields::parse(json, "history")?;
        Ok(HistoryEntry {
            what: fields.required_text("what")?,
            at_ms: number(&mut fields, "at_ms")?,
            queue: fields.text("queue")?,
            worker: fields.text("worker")?,
            run_ms: fields.integer("run_ms")?,
            group: fields.text("group")?,
            message: fields.text("message")?,
            data: fields.raw("data")?,
        })
    }
}
