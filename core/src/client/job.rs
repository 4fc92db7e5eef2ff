//! What can be read of a job at any time, whoever holds it.

use super::blocking::Client;
use crate::error::Result;
use crate::json::Fields;

/// A job as it stood when it was looked at. See [`Client::job`].
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Why it failed, or last went wrong.
    pub failure: Option<FailureView>,
    /// What happened to it, oldest first; at most 100 entries, of which the first is kept.
    pub history: Vec<Event>,
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
pub struct Event {
    /// put, reserved, completed, retried, snoozed, failed or lost.
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
}

impl JobView {
    fn read(json: &str) -> Result<JobView> {
        let mut fields = Fields::parse(json, "job_get")?;
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
            failure: fields.object("failure")?.map(FailureView::read).transpose()?,
            history: fields
                .required_list("history")?
                .into_iter()
                .map(|event| Event::read(event.get()))
                .collect::<Result<_>>()?,
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

impl Event {
    fn read(json: &str) -> Result<Event> {
        let mut fields = Fields::parse(json, "history")?;
        Ok(Event {
            what: fields.required_text("what")?,
            at_ms: number(&mut fields, "at_ms")?,
            queue: fields.text("queue")?,
            worker: fields.text("worker")?,
            run_ms: fields.integer("run_ms")?,
            group: fields.text("group")?,
        })
    }
}

fn number(fields: &mut Fields<'_>, name: &str) -> Result<i64> {
    Ok(fields.integer(name)?.unwrap_or(0))
}

/// Looks a job up; None when there is no such job (any more).
pub(super) fn look_up(client: &Client, jid: &str) -> Result<Option<JobView>> {
    let json = client.call("job_get", &serde_json::json!({ "jid": jid }).to_string())?;
    if json == "null" { Ok(None) } else { JobView::read(&json).map(Some) }
}
