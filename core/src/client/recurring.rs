//! Recurring jobs: templates of which a job is put at every interval.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::ask::{Arguments, Page, natural, number, texts};
use super::blocking::Client;
use super::queue::Queue;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::identity;
use crate::json::Fields;

/// A recurring job that is about to be put. See [`Queue::put_recurring`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecurringPut {
    /// The name of the handler that performs its jobs.
    pub kind: String,
    /// JSON text given to the handler. Default `null`.
    pub data: String,
    /// Milliseconds between two jobs, 1 or more.
    pub interval_ms: i64,
    /// Its id, 1 to 235 bytes; its jobs are called `<jid>-1`, `<jid>-2` and so on. Default: 32 random hex digits.
    pub jid: Option<String>,
    /// Milliseconds until the first job. Default 0.
    pub offset_ms: i64,
    /// Of jobs missed while nobody looked, at most so many are put. Default 0: all.
    pub backlog: i64,
    /// -128 to 127, larger first. Default 0.
    pub priority: i64,
    /// How often a job may run again, 0 to 255. Default 5.
    pub retries: Option<i64>,
    /// Labels of its jobs, at most 32.
    pub tags: Vec<String>,
    /// The throttles that limit its jobs, at most 32.
    pub throttles: Vec<String>,
    /// The queues its jobs go through after the first, at most 64.
    pub route: Vec<String>,
    /// The texts that go with its jobs.
    pub headers: BTreeMap<String, String>,
    /// Milliseconds that a run of them may take, 1 or more. Default: as their kind or the worker says.
    pub timeout_ms: Option<i64>,
    /// How long they wait after an error that no rule names by its class. Default: as their kind or the worker says.
    pub backoff: Option<Backoff>,
}

/// What [`Recurring::update`] changes, from the next job on; what is None stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecurringUpdate {
    /// Milliseconds between two jobs; the next is then counted from now.
    pub interval_ms: Option<i64>,
    /// The queue its jobs are put into.
    pub queue: Option<String>,
    /// The name of the handler that performs them.
    pub kind: Option<String>,
    /// Their data, as JSON text.
    pub data: Option<String>,
    /// Of jobs missed while nobody looked, at most so many are put; 0: all.
    pub backlog: Option<i64>,
    /// Their priority.
    pub priority: Option<i64>,
    /// How often they may run again.
    pub retries: Option<i64>,
    /// Their labels.
    pub tags: Option<Vec<String>>,
    /// The throttles that limit them.
    pub throttles: Option<Vec<String>>,
    /// The queues they go through after the first.
    pub route: Option<Vec<String>>,
    /// The texts that go with them.
    pub headers: Option<BTreeMap<String, String>>,
    /// Milliseconds that a run of them may take.
    pub timeout_ms: Option<i64>,
    /// How long they wait after an error that no rule names by its class.
    pub backoff: Option<Backoff>,
}

/// A recurring job as it stood when it was looked at, to call its operations by.
#[derive(Clone, Debug)]
pub struct Recurring {
    client: Client,
    /// Its id, which its jobs name as their parent.
    pub jid: String,
    /// The name of the handler that performs its jobs.
    pub kind: String,
    /// The queue they are put into.
    pub queue: String,
    /// Their data, the JSON as it was given.
    pub data: String,
    /// Milliseconds between two of them.
    pub interval_ms: u64,
    /// Of jobs missed while nobody looked, at most so many are put; 0: all.
    pub backlog: u64,
    /// How many were put so far.
    pub count: u64,
    /// Whether it is paused.
    pub paused: bool,
    /// When the next is put, in ms since 1970 by Redis's clock; None while it is paused.
    pub next_at_ms: Option<i64>,
    /// -128 to 127, larger first.
    pub priority: i64,
    /// How often a job may run again.
    pub retries: i64,
    /// Their labels.
    pub tags: Vec<String>,
    /// The throttles that limit them.
    pub throttles: Vec<String>,
    /// The queues they go through after the first.
    pub route: Vec<String>,
    /// The texts that go with them.
    pub headers: BTreeMap<String, String>,
    /// Milliseconds that a run of them may take, if it was said.
    pub timeout_ms: Option<i64>,
    /// How long they wait after an error that no rule names by its class, if it was said.
    pub backoff: Option<Backoff>,
}

impl RecurringPut {
    /// A job of `kind` every `interval_ms` milliseconds, with JSON null as data and every default.
    pub fn new(kind: impl Into<String>, interval_ms: i64) -> RecurringPut {
        RecurringPut {
            kind: kind.into(),
            data: "null".to_owned(),
            interval_ms,
            jid: None,
            offset_ms: 0,
            backlog: 0,
            priority: 0,
            retries: None,
            tags: Vec::new(),
            throttles: Vec::new(),
            route: Vec::new(),
            headers: BTreeMap::new(),
            timeout_ms: None,
            backoff: None,
        }
    }

    /// Sets the data, as JSON text.
    pub fn data(mut self, json: impl Into<String>) -> RecurringPut {
        self.data = json.into();
        self
    }

    /// Sets the jid.
    pub fn jid(mut self, jid: impl Into<String>) -> RecurringPut {
        self.jid = Some(jid.into());
        self
    }

    /// Sets the milliseconds until the first job.
    pub fn offset_ms(mut self, offset_ms: i64) -> RecurringPut {
        self.offset_ms = offset_ms;
        self
    }

    /// Sets how many missed jobs are put at most; 0: all.
    pub fn backlog(mut self, backlog: i64) -> RecurringPut {
        self.backlog = backlog;
        self
    }

    /// Sets the priority, -128 to 127, larger first.
    pub fn priority(mut self, priority: i64) -> RecurringPut {
        self.priority = priority;
        self
    }

    /// Sets how often a job may run again, 0 to 255.
    pub fn retries(mut self, retries: i64) -> RecurringPut {
        self.retries = Some(retries);
        self
    }

    /// Sets the tags.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> RecurringPut {
        self.tags = texts(tags);
        self
    }

    /// Sets the throttles that limit its jobs.
    pub fn throttles<T: Into<String>>(mut self, ids: impl IntoIterator<Item = T>) -> RecurringPut {
        self.throttles = texts(ids);
        self
    }

    /// Sets the texts that go with its jobs.
    pub fn headers<K: Into<String>, V: Into<String>>(
        mut self,
        headers: impl IntoIterator<Item = (K, V)>,
    ) -> RecurringPut {
        self.headers = headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// Sets the milliseconds that a run of its jobs may take, 1 or more.
    pub fn timeout_ms(mut self, timeout_ms: i64) -> RecurringPut {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// Sets how long its jobs wait after an error.
    pub fn backoff(mut self, backoff: Backoff) -> RecurringPut {
        self.backoff = Some(backoff);
        self
    }

    /// Sets the queues its jobs go through after the first.
    pub fn route<T: Into<String>>(mut self, queues: impl IntoIterator<Item = T>) -> RecurringPut {
        self.route = texts(queues);
        self
    }
}

impl Client {
    /// A recurring job; None when there is none of this jid.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_get.lua
    pub fn recurring(&self, jid: &str) -> Result<Option<Recurring>> {
        let reply = self.ask("recurring_get", Arguments::new().with("jid", jid))?;
        reply.read_some(|fields| Recurring::read(self, fields))
    }
}

impl Queue {
    /// From now on puts a job here every interval; one for each interval that has passed, even when nobody looked. A
    /// recurring job of its jid is replaced, and counts on.
    ///
    /// ```no_run
    /// # use manyhands::{Client, RecurringPut};
    /// # let client = Client::open(None, "")?;
    /// let hourly = client.queue("reports").put_recurring(RecurringPut::new("count", 3_600_000).jid("hourly"))?;
    /// hourly.pause()?;
    /// # Ok::<(), manyhands::Error>(())
    /// ```
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the argument; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_put.lua
    pub fn put_recurring(&self, job: RecurringPut) -> Result<Recurring> {
        let jid = job.jid.unwrap_or_else(identity::jid);
        let arguments = Arguments::new()
            .with("jid", jid.as_str())
            .with("queue", self.name())
            .with("kind", job.kind)
            .with("interval_ms", job.interval_ms)
            .with("offset_ms", job.offset_ms)
            .with("backlog", job.backlog)
            .with("priority", job.priority)
            .with_some("retries", job.retries)
            .with("tags", job.tags)
            .with("throttles", job.throttles)
            .with("route", job.route)
            .with("headers", Json::from_iter(job.headers))
            .with_some("timeout_ms", job.timeout_ms)
            .with_backoff(job.backoff.as_ref())
            .map_err(|error| error.during("recurring_put"))?
            .with_json("data", Some(&job.data))
            .map_err(|error| error.during("recurring_put"))?;
        self.client().ask("recurring_put", arguments)?.done();
        found(self.client(), &jid)
    }

    /// The recurring jobs of this queue, next first, paused ones last. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_list.lua
    pub fn recurring(&self, offset: i64, limit: i64) -> Result<Page<Recurring>> {
        let page = self.client().ask("recurring_list", Arguments::page(offset, limit).with("queue", self.name()))?;
        page.page("jobs", |json| Recurring::read(self.client(), Fields::parse(json, "jobs")?))
    }
}

impl Recurring {
    fn read(client: &Client, mut fields: Fields<'_>) -> Result<Recurring> {
        Ok(Recurring {
            client: client.clone(),
            jid: fields.required_text("jid")?,
            kind: fields.required_text("kind")?,
            queue: fields.required_text("queue")?,
            data: fields.raw("data")?.unwrap_or_else(|| "null".to_owned()),
            interval_ms: natural(&mut fields, "interval_ms")?,
            backlog: natural(&mut fields, "backlog")?,
            count: natural(&mut fields, "count")?,
            paused: fields.boolean("paused")?.unwrap_or(false),
            next_at_ms: fields.integer("next_at_ms")?,
            priority: number(&mut fields, "priority")?,
            retries: number(&mut fields, "retries")?,
            tags: fields.texts("tags")?.unwrap_or_default(),
            throttles: fields.texts("throttles")?.unwrap_or_default(),
            route: fields.texts("route")?.unwrap_or_default(),
            headers: fields.text_map("headers")?.unwrap_or_default(),
            timeout_ms: fields.integer("timeout_ms")?,
            backoff: Backoff::of_stored(&mut fields)?,
        })
    }

    /// Changes what is given, and answers what it is now. The time of the next job stays, unless the interval changes.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND` when it was cancelled; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_update.lua
    pub fn update(&self, changes: RecurringUpdate) -> Result<Recurring> {
        let arguments = self
            .arguments()
            .with_some("interval_ms", changes.interval_ms)
            .with_some("queue", changes.queue)
            .with_some("kind", changes.kind)
            .with_some("backlog", changes.backlog)
            .with_some("priority", changes.priority)
            .with_some("retries", changes.retries)
            .with_some("tags", changes.tags)
            .with_some("throttles", changes.throttles)
            .with_some("route", changes.route)
            .with_some("headers", changes.headers.map(Json::from_iter))
            .with_some("timeout_ms", changes.timeout_ms)
            .with_backoff(changes.backoff.as_ref())
            .map_err(|error| error.during("recurring_update"))?
            .with_json("data", changes.data.as_deref())
            .map_err(|error| error.during("recurring_update"))?;
        self.client.ask("recurring_update", arguments)?.done();
        found(&self.client, &self.jid)
    }

    /// Puts no more jobs; those that were put stay. False when it was cancelled before.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_cancel.lua
    pub fn cancel(&self) -> Result<bool> {
        self.client.ask("recurring_cancel", Arguments::new().with("jids", vec![self.jid.clone()]))?.changed()
    }

    /// Adds tags, 1 to 32, to those its jobs will have. Answers them all.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_tag.lua
    pub fn tag<T: Into<String>>(&self, tags: impl IntoIterator<Item = T>) -> Result<Vec<String>> {
        self.client.ask("recurring_tag", self.arguments().with("tags", texts(tags)))?.texts()
    }

    /// Takes tags off those its jobs will have. Answers those that are left.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_untag.lua
    pub fn untag<T: Into<String>>(&self, tags: impl IntoIterator<Item = T>) -> Result<Vec<String>> {
        self.client.ask("recurring_untag", self.arguments().with("tags", texts(tags)))?.texts()
    }

    /// Puts nothing until it is resumed; false when it was paused before.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_pause.lua
    pub fn pause(&self) -> Result<bool> {
        self.client.ask("recurring_pause", self.arguments())?.changed()
    }

    /// Goes on at the first of its instants that is still to come; what was missed meanwhile is not made up for. False when
    /// it was not paused.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/recurring_resume.lua
    pub fn resume(&self) -> Result<bool> {
        self.client.ask("recurring_resume", self.arguments())?.changed()
    }

    fn arguments(&self) -> Arguments {
        Arguments::new().with("jid", self.jid.as_str())
    }
}

fn found(client: &Client, jid: &str) -> Result<Recurring> {
    client.recurring(jid)?.ok_or_else(|| {
        Error::new(crate::Code::JobNotFound, format!("recurring job {jid} was cancelled meanwhile"))
            .about(jid)
            .during("recurring_get")
    })
}
