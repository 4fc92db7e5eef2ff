//! Operations of a queue: put, reserve.

use serde_json::{Map, Value as Json};

use super::job::Job;
use super::reply;
use crate::check;
use crate::error::{Code, Error, Result};
use crate::identity;
use crate::json::{self, Fields};
use crate::request::{Args, Request, Value};

/// Most tags of a job.
const MAX_TAGS: usize = 32;
/// Most stages of a route.
const MAX_ROUTE: usize = 64;
/// Most queues of one reserve.
const MAX_QUEUES: usize = 64;
/// Most retries of a job.
const MAX_RETRIES: i64 = 255;

/// What a put does when a job of its jid exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// Replace the old job, unless it is running: then keep it. The default.
    Replace,
    /// Leave the old job as it is.
    Keep,
    /// Leave the old job and answer `exists`.
    Reject,
    /// Replace the old job even while it runs; its worker then gets `LOCK_LOST`.
    Move,
}

impl OnConflict {
    const ALL: [(OnConflict, &'static str); 4] = [
        (OnConflict::Replace, "replace"),
        (OnConflict::Keep, "keep"),
        (OnConflict::Reject, "reject"),
        (OnConflict::Move, "move"),
    ];

    /// The word used in options.
    pub fn name(self) -> &'static str {
        OnConflict::ALL.iter().find(|(choice, _)| *choice == self).map_or("replace", |(_, name)| name)
    }

    fn from_name(name: &str, path: &str) -> Result<OnConflict> {
        OnConflict::ALL.iter().find(|(_, known)| *known == name).map(|(choice, _)| *choice).ok_or_else(|| {
            Error::invalid(format!("{path} {} is not one of replace, keep, reject, move", json::quote(name)))
        })
    }
}

/// A job to be put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The queue it waits in.
    pub queue: String,
    /// The name of the handler that performs it.
    pub kind: String,
    /// JSON text given to the handler, stored and returned byte for byte; at most `max-data` (1 MiB). Default `null`.
    pub data: String,
    /// Its id, 1 to 255 bytes. Default: 32 random hex digits.
    pub jid: Option<String>,
    /// -128 to 127, larger first. Default 0.
    pub priority: i64,
    /// Milliseconds until it may run. Default 0.
    pub delay_ms: i64,
    /// How often it may run again after an error or a lost lease, 0 to 255. Default 5.
    pub retries: Option<i64>,
    /// Labels to find it by, at most 32.
    pub tags: Vec<String>,
    /// The queues it goes through after this one, at most 64.
    pub route: Vec<String>,
    /// What to do when a job of this jid exists. Default [`OnConflict::Replace`].
    pub on_conflict: OnConflict,
}

impl Put {
    /// A job of `kind` for `queue`, with JSON null as data and every default.
    pub fn new(queue: impl Into<String>, kind: impl Into<String>) -> Put {
        Put {
            queue: queue.into(),
            kind: kind.into(),
            data: "null".to_owned(),
            jid: None,
            priority: 0,
            delay_ms: 0,
            retries: None,
            tags: Vec::new(),
            route: Vec::new(),
            on_conflict: OnConflict::Replace,
        }
    }

    /// Sets the data, as JSON text.
    pub fn data(mut self, json: impl Into<String>) -> Put {
        self.data = json.into();
        self
    }

    /// Sets the jid.
    pub fn jid(mut self, jid: impl Into<String>) -> Put {
        self.jid = Some(jid.into());
        self
    }

    /// Sets the priority, -128 to 127, larger first.
    pub fn priority(mut self, priority: i64) -> Put {
        self.priority = priority;
        self
    }

    /// Sets the milliseconds until the job may run.
    pub fn delay_ms(mut self, delay_ms: i64) -> Put {
        self.delay_ms = delay_ms;
        self
    }

    /// Sets how often the job may run again, 0 to 255.
    pub fn retries(mut self, retries: i64) -> Put {
        self.retries = Some(retries);
        self
    }

    /// Sets the tags.
    pub fn tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Put {
        self.tags = tags.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the queues the job goes through after the first.
    pub fn route<T: Into<String>>(mut self, queues: impl IntoIterator<Item = T>) -> Put {
        self.route = queues.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what to do when a job of this jid exists.
    pub fn on_conflict(mut self, choice: OnConflict) -> Put {
        self.on_conflict = choice;
        self
    }

    /// Sets what a JSON object says: `jid`, `priority`, `delay_ms`, `retries`, `tags`, `route`, `on_conflict`; what is absent
    /// gets its default. An empty text stands for no options.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option that is wrong or unknown; its range is checked when the job is put.
    pub fn with_options(mut self, json: &str) -> Result<Put> {
        let mut fields = Fields::parse(if json.is_empty() { "{}" } else { json }, "options")?;
        self.take_options(&mut fields)?;
        fields.end()?;
        Ok(self)
    }

    fn take_options(&mut self, fields: &mut Fields) -> Result<()> {
        self.jid = fields.text("jid")?;
        self.priority = fields.integer("priority")?.unwrap_or(0);
        self.delay_ms = fields.integer("delay_ms")?.unwrap_or(0);
        self.retries = fields.integer("retries")?;
        self.tags = fields.texts("tags")?.unwrap_or_default();
        self.route = fields.texts("route")?.unwrap_or_default();
        self.on_conflict = match fields.text("on_conflict")? {
            None => OnConflict::Replace,
            Some(name) => OnConflict::from_name(&name, &fields.path("on_conflict"))?,
        };
        Ok(())
    }

    fn from_json(text: &str, path: &str) -> Result<Put> {
        let mut fields = Fields::parse(text, path)?;
        let mut put = Put::new(fields.required_text("queue")?, fields.required_text("kind")?);
        put.data = fields.raw("data")?.unwrap_or(put.data);
        put.take_options(&mut fields)?;
        fields.end()?;
        Ok(put)
    }

    fn check(&self) -> Result<()> {
        check::name(&self.queue, "queue")?;
        check::name(&self.kind, "kind")?;
        json::check(&self.data, "data")?;
        if let Some(jid) = &self.jid {
            check::name(jid, "jid")?;
        }
        check::integer(self.priority, "priority", -128, 127)?;
        check::span_ms(self.delay_ms, "delay_ms")?;
        if let Some(retries) = self.retries {
            check::integer(retries, "retries", 0, MAX_RETRIES)?;
        }
        check::names(&self.tags, "tags", MAX_TAGS)?;
        check::names(&self.route, "route", MAX_ROUTE)
    }

    /// The options that differ from their defaults, as the engine reads them.
    fn options(&self) -> String {
        let mut options = Map::new();
        if self.priority != 0 {
            options.insert("priority".into(), self.priority.into());
        }
        if self.delay_ms != 0 {
            options.insert("delay_ms".into(), self.delay_ms.into());
        }
        if let Some(retries) = self.retries {
            options.insert("retries".into(), retries.into());
        }
        if !self.tags.is_empty() {
            options.insert("tags".into(), self.tags.clone().into());
        }
        if !self.route.is_empty() {
            options.insert("route".into(), self.route.clone().into());
        }
        if self.on_conflict != OnConflict::Replace {
            options.insert("on_conflict".into(), self.on_conflict.name().into());
        }
        if options.is_empty() { String::new() } else { Json::Object(options).to_string() }
    }
}

/// What became of one put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The job's id.
    pub jid: String,
    /// `put`, `replaced`, `kept` (the old job was left), or `exists` (refused by [`OnConflict::Reject`]).
    pub outcome: String,
}

impl Placed {
    /// This put, or `JOB_EXISTS` when it was refused.
    ///
    /// # Errors
    /// [`Code::JobExists`] when the outcome is `exists`.
    pub fn accepted(self) -> Result<Placed> {
        match self.refusal() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    fn refusal(&self) -> Option<Error> {
        (self.outcome == "exists").then(|| {
            Error::new(Code::JobExists, format!("job {} exists and on_conflict is reject", self.jid))
                .about(&self.jid)
                .during(QueuePut::OPERATION)
        })
    }

    fn to_json(&self) -> Json {
        let mut map = Map::new();
        map.insert("jid".into(), self.jid.clone().into());
        map.insert("outcome".into(), self.outcome.clone().into());
        if let Some(error) = self.refusal() {
            map.insert("error".into(), Json::Object(error.to_map()));
        }
        Json::Object(map)
    }
}

/// Puts 1 to 1000 jobs, in order, in one step.
///
/// Source: core/src/engine/ops/queue_put.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePut {
    jobs: Vec<Put>,
}

impl QueuePut {
    /// A put of these jobs. A job without a jid gets one now, so that a repeated call names the same job.
    pub fn new(jobs: impl IntoIterator<Item = Put>) -> QueuePut {
        let mut jobs: Vec<Put> = jobs.into_iter().collect();
        for job in &mut jobs {
            job.jid.get_or_insert_with(identity::jid);
        }
        QueuePut { jobs }
    }

    /// The jobs, each with its jid.
    pub fn jobs(&self) -> &[Put] {
        &self.jobs
    }

    pub(super) fn from_json(text: &str) -> Result<QueuePut> {
        let mut fields = Fields::parse(text, "")?;
        let items = fields.required_list("jobs")?;
        fields.end()?;
        let jobs = items
            .iter()
            .enumerate()
            .map(|(index, item)| Put::from_json(item.get(), &format!("jobs[{index}]")))
            .collect::<Result<Vec<_>>>()?;
        Ok(QueuePut::new(jobs))
    }

    pub(super) fn reply_json(reply: Vec<Placed>) -> String {
        Json::Array(reply.iter().map(Placed::to_json).collect()).to_string()
    }
}

impl Request for QueuePut {
    const OPERATION: &'static str = "queue_put";
    type Reply = Vec<Placed>;

    fn encode(&self, args: &mut Args) -> Result<()> {
        check::count(self.jobs.len(), "jobs")?;
        for (index, job) in self.jobs.iter().enumerate() {
            job.check().map_err(|error| super::in_item(error, index, self.jobs.len()))?;
            let jid = job.jid.as_deref().unwrap_or_default();
            args.text(jid).text(&job.queue).text(&job.kind).text(&job.data).text(&job.options());
        }
        Ok(())
    }

    fn decode(&self, value: Value) -> Result<Vec<Placed>> {
        let outcomes = reply::per_item(value, self.jobs.len())?;
        self.jobs
            .iter()
            .zip(outcomes)
            .map(|(job, outcome)| {
                Ok(Placed { jid: job.jid.clone().unwrap_or_default(), outcome: reply::text(outcome)? })
            })
            .collect()
    }
}

/// Takes up to `limit` jobs under a lease, in one step. Does not wait.
///
/// Order: the queues as listed; in each, larger priority first, then first put.
///
/// Source: core/src/engine/ops/queue_reserve.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueReserve {
    /// Who takes them: a worker name.
    pub worker: String,
    /// 1 to 64 queues.
    pub queues: Vec<String>,
    /// Most jobs to take, 0 to 1000. 0 takes none and passes a wake token on.
    pub limit: i64,
    /// Share the limit evenly among the queues that have jobs, instead of draining them in order.
    pub share: bool,
}

/// What a reserve took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The jobs, all under one token.
    pub jobs: Vec<Job>,
    /// Milliseconds until something of these queues becomes due, if anything will.
    pub next_due_ms: Option<u64>,
    /// Grows whenever the set of queues changes.
    pub queues_version: i64,
}

impl QueueReserve {
    pub(super) fn from_json(text: &str, worker: &str) -> Result<QueueReserve> {
        let mut fields = Fields::parse(text, "")?;
        let request = QueueReserve::take(&mut fields, worker)?;
        fields.end()?;
        Ok(request)
    }

    pub(super) fn take(fields: &mut Fields, worker: &str) -> Result<QueueReserve> {
        Ok(QueueReserve {
            worker: fields.text("worker")?.unwrap_or_else(|| worker.to_owned()),
            queues: fields.texts("queues")?.ok_or_else(|| Error::invalid("queues is missing"))?,
            limit: fields.integer("limit")?.unwrap_or(1),
            share: fields.boolean("share")?.unwrap_or(false),
        })
    }

    /// Appends `worker limit share`, the opening of reserve and of worker_turn.
    pub(super) fn encode_head(&self, args: &mut Args) -> Result<()> {
        check::name(&self.worker, "worker")?;
        check::integer(self.limit, "limit", 0, check::MAX_ITEMS as i64)?;
        if self.queues.is_empty() {
            return Err(Error::invalid("queues is empty"));
        }
        check::names(&self.queues, "queues", MAX_QUEUES)?;
        args.text(&self.worker).integer(self.limit).text(if self.share { "1" } else { "0" });
        Ok(())
    }

    pub(super) fn decode_reserved(&self, value: Value) -> Result<Reserved> {
        let mut parts = reply::list(value)?.into_iter();
        let mut next = || parts.next().ok_or_else(|| Error::internal("the engine's answer to a reserve is too short"));
        let token = reply::text(next()?)?;
        let next_due = reply::integer(next()?)?;
        let queues_version = reply::integer(next()?)?;
        let jobs = parts.map(|job| Job::decode(job, &token, &self.worker)).collect::<Result<Vec<_>>>()?;
        Ok(Reserved { jobs, next_due_ms: u64::try_from(next_due).ok(), queues_version })
    }
}

impl Request for QueueReserve {
    const OPERATION: &'static str = "queue_reserve";
    type Reply = Reserved;

    fn encode(&self, args: &mut Args) -> Result<()> {
        self.encode_head(args)?;
        for queue in &self.queues {
            args.text(queue);
        }
        Ok(())
    }

    fn decode(&self, value: Value) -> Result<Reserved> {
        self.decode_reserved(value)
    }
}

impl Reserved {
    pub(super) fn to_json(&self) -> String {
        let jobs: Vec<String> = self.jobs.iter().map(Job::to_json).collect();
        let due = self.next_due_ms.map_or("null".to_owned(), |due| due.to_string());
        format!("{{\"jobs\":[{}],\"next_due_ms\":{due},\"queues_version\":{}}}", jobs.join(","), self.queues_version)
    }
}
