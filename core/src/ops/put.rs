//! A job that is about to be put.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value as Json, json};

use crate::backoff::Backoff;
use crate::check;
use crate::error::{Error, Result};
use crate::json::{self, Fields};

/// Most tags of a job.
const MAX_TAGS: usize = 32;
/// Most stages of a route.
const MAX_ROUTE: usize = 64;
/// Most throttles of a job.
const MAX_THROTTLES: usize = 32;
/// Most jobs that a job waits for.
pub(crate) const MAX_DEPENDENCIES: usize = 256;
/// Most that the completions of one call name in all, where several name some.
pub(crate) const MAX_NAMED: usize = 64;
/// Most retries of a job.
const MAX_RETRIES: i64 = 255;
/// The retries of a job that was put without saying; the engine leaves them out of its answers.
pub(super) const RETRIES_DEFAULT: i64 = 5;

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

/// What a dependency is that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Satisfied, like one that is completed; the reply names it. The default.
    Satisfied,
    /// An error: `UNKNOWN_DEPENDENCY`, and nothing is put.
    Reject,
}

impl Missing {
    /// The word used in options.
    pub fn name(self) -> &'static str {
        match self {
            Missing::Satisfied => "satisfied",
            Missing::Reject => "reject",
        }
    }

    fn from_name(name: &str, path: &str) -> Result<Missing> {
        [Missing::Satisfied, Missing::Reject]
            .into_iter()
            .find(|choice| choice.name() == name)
            .ok_or_else(|| Error::invalid(format!("{path} {} is not one of satisfied, reject", json::quote(name))))
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
    /// The throttles that limit it, at most 32; each counts it while it runs.
    pub throttles: Vec<String>,
    /// Texts that go with it through all stages, such as a trace's context: at most 32, with 4 KiB in all, names too.
    pub headers: BTreeMap<String, String>,
    /// Milliseconds that a run of it may take, 1 or more. Default: as its kind or the worker says.
    pub timeout_ms: Option<i64>,
    /// How long it waits after an error that no rule names by its class. Default: as its kind or the worker says.
    pub backoff: Option<Backoff>,
    /// The jids it waits for, at most 256; earlier jobs of the same call count as existing.
    pub dependencies: Vec<String>,
    /// What a dependency is that does not exist. Default [`Missing::Satisfied`].
    pub missing: Missing,
    /// What to do when a job of this jid exists. Default [`OnConflict::Replace`].
    pub on_conflict: OnConflict,
}

impl Put {
    /// A job of `kind`, with JSON null as data and every default. [`crate::Queue::put`] sets the queue.
    pub fn new(kind: impl Into<String>) -> Put {
        Put::of(String::new(), kind.into(), "null".to_owned())
    }

    fn of(queue: String, kind: String, data: String) -> Put {
        Put {
            queue,
            kind,
            data,
            jid: None,
            priority: 0,
            delay_ms: 0,
            retries: None,
            tags: Vec::new(),
            route: Vec::new(),
            throttles: Vec::new(),
            headers: BTreeMap::new(),
            timeout_ms: None,
            backoff: None,
            dependencies: Vec::new(),
            missing: Missing::Satisfied,
            on_conflict: OnConflict::Replace,
        }
    }

    /// Sets the queue, for requests of [`crate::ops::QueuePut`] over several queues.
    pub fn queue(mut self, queue: impl Into<String>) -> Put {
        self.queue = queue.into();
        self
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

    /// Sets the throttles that limit the job.
    pub fn throttles<T: Into<String>>(mut self, ids: impl IntoIterator<Item = T>) -> Put {
        self.throttles = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the texts that go with the job through all stages.
    pub fn headers<K: Into<String>, V: Into<String>>(mut self, headers: impl IntoIterator<Item = (K, V)>) -> Put {
        self.headers = headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// Sets the milliseconds that a run of the job may take, 1 or more.
    pub fn timeout_ms(mut self, timeout_ms: i64) -> Put {
        self.timeout_ms = Some(timeout_ms);
        self
    }

    /// Sets how long the job waits after an error.
    pub fn backoff(mut self, backoff: Backoff) -> Put {
        self.backoff = Some(backoff);
        self
    }

    /// Sets the jids the job waits for.
    pub fn dependencies<T: Into<String>>(mut self, jids: impl IntoIterator<Item = T>) -> Put {
        self.dependencies = jids.into_iter().map(Into::into).collect();
        self
    }

    /// Sets what a dependency is that does not exist.
    pub fn missing(mut self, choice: Missing) -> Put {
        self.missing = choice;
        self
    }

    /// Sets what to do when a job of this jid exists.
    pub fn on_conflict(mut self, choice: OnConflict) -> Put {
        self.on_conflict = choice;
        self
    }

    /// Sets what a JSON object says: `jid`, `priority`, `delay_ms`, `retries`, `tags`, `route`, `throttles`,
    /// `headers`, `timeout_ms`, `backoff_ms` (see [`Backoff::from_json`]), `dependencies`, `missing`,
    /// `on_conflict`; what is absent or null stays. An empty text stands for no options.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option that is wrong or unknown; its range is checked when the job is put.
    pub fn with_options(mut self, json: &str) -> Result<Put> {
        let mut fields = Fields::parse(if json.is_empty() { "{}" } else { json }, "options")?;
        self.take_options(&mut fields)?;
        fields.end()?;
        Ok(self)
    }

    pub(crate) fn take_options(&mut self, fields: &mut Fields) -> Result<()> {
        set(&mut self.jid, fields.text("jid")?.map(Some));
        set(&mut self.priority, fields.integer("priority")?);
        set(&mut self.delay_ms, fields.integer("delay_ms")?);
        set(&mut self.retries, fields.integer("retries")?.map(Some));
        set(&mut self.tags, fields.texts("tags")?);
        set(&mut self.route, fields.texts("route")?);
        set(&mut self.throttles, fields.texts("throttles")?);
        set(&mut self.headers, fields.text_map("headers")?);
        set(&mut self.timeout_ms, fields.integer("timeout_ms")?.map(Some));
        set(&mut self.backoff, Backoff::take(fields, "backoff_ms")?.map(Some));
        set(&mut self.dependencies, fields.texts("dependencies")?);
        if let Some(name) = fields.text("missing")? {
            self.missing = Missing::from_name(&name, &fields.path("missing"))?;
        }
        if let Some(name) = fields.text("on_conflict")? {
            self.on_conflict = OnConflict::from_name(&name, &fields.path("on_conflict"))?;
        }
        Ok(())
    }

    /// All of it as JSON, an object as in [`QueuePut::from_list`](super::QueuePut::from_list): what was not said has its default.
    /// `data` goes in as it is.
    pub fn to_json(&self) -> String {
        let quote = json::quote;
        let list = |texts: &[String]| Json::from(texts.to_vec()).to_string();
        format!(
            "{{\"jid\":{},\"queue\":{},\"kind\":{},\"data\":{},\"priority\":{},\"delay_ms\":{},\"retries\":{},\"tags\":{},\
             \"route\":{},\"throttles\":{},\"headers\":{},\"timeout_ms\":{},\"backoff_ms\":{},\"dependencies\":{},\"missing\":{},\"on_conflict\":{}}}",
            self.jid.as_deref().map_or("null".to_owned(), quote),
            quote(&self.queue),
            quote(&self.kind),
            self.data,
            self.priority,
            self.delay_ms,
            self.retries.unwrap_or(RETRIES_DEFAULT),
            list(&self.tags),
            list(&self.route),
            list(&self.throttles),
            json!(self.headers),
            json!(self.timeout_ms),
            json!(self.backoff.as_ref().map(Backoff::value)),
            list(&self.dependencies),
            quote(self.missing.name()),
            quote(self.on_conflict.name()),
        )
    }

    /// `queue`: where it goes if it names none.
    pub(super) fn from_fields(mut fields: Fields, queue: Option<&str>) -> Result<Put> {
        let kind = fields.required_text("kind")?;
        let queue = match (fields.text("queue")?, queue) {
            (Some(own), _) => own,
            (None, Some(queue)) => queue.to_owned(),
            (None, None) => fields.required_text("queue")?,
        };
        let mut put = Put::new(kind).queue(queue);
        put.data = fields.raw("data")?.unwrap_or(put.data);
        put.take_options(&mut fields)?;
        fields.end()?;
        Ok(put)
    }

    /// Each job of a list, all checked, in one pass; None when anything is wrong or written in an unusual way, about which
    /// [`Put::from_fields`] knows more.
    pub(super) fn plainly(jobs_json: &str, queue: Option<&str>) -> Option<Vec<Put>> {
        let jobs: Vec<BTreeMap<&str, &RawValue>> = serde_json::from_str(jobs_json).ok()?;
        let read = |mut members: BTreeMap<&str, &RawValue>| {
            let text = |value: &RawValue| serde_json::from_str::<String>(value.get()).ok();
            let kind = text(members.remove("kind")?)?;
            let queue = match members.remove("queue") {
                Some(own) => text(own)?,
                None => queue?.to_owned(),
            };
            let mut put = Put::of(queue, kind, members.remove("data").map_or("null", RawValue::get).to_owned());
            if !members.is_empty() {
                let mut options = Fields::of(members);
                put.take_options(&mut options).and_then(|()| options.end()).ok()?;
            }
            put.check_with(json::check_depth).ok().map(|()| put)
        };
        jobs.into_iter().map(read).collect()
    }

    /// What it has that costs Redis about as much as a job.
    pub(super) fn extras(&self) -> usize {
        self.tags.len() + self.throttles.len() + 2 * self.dependencies.len() + self.headers.len().div_ceil(8)
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.check_with(json::check)
    }

    /// `data` is how its data is checked.
    fn check_with(&self, data: fn(&str, &str) -> Result<()>) -> Result<()> {
        check::name(&self.queue, "queue")?;
        check::name(&self.kind, "kind")?;
        data(&self.data, "data")?;
        if let Some(jid) = &self.jid {
            check::name(jid, "jid")?;
        }
        check::integer(self.priority, "priority", -128, 127)?;
        check::span_ms(self.delay_ms, "delay_ms")?;
        if let Some(retries) = self.retries {
            check::integer(retries, "retries", 0, MAX_RETRIES)?;
        }
        check::names(&self.tags, "tags", MAX_TAGS)?;
        check::names(&self.route, "route", MAX_ROUTE)?;
        check::names(&self.throttles, "throttles", MAX_THROTTLES)?;
        check::headers(&self.headers, "headers")?;
        if let Some(timeout_ms) = self.timeout_ms {
            check::integer(timeout_ms, "timeout_ms", 1, check::MAX_SPAN_MS)?;
        }
        self.backoff.as_ref().map_or(Ok(()), |backoff| backoff.check("backoff_ms"))?;
        check::names(&self.dependencies, "dependencies", MAX_DEPENDENCIES)
    }

    /// The options that differ from their defaults, as the engine reads them.
    pub(crate) fn options(&self) -> String {
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
        let lists = [
            ("tags", &self.tags),
            ("route", &self.route),
            ("throttles", &self.throttles),
            ("dependencies", &self.dependencies),
        ];
        for (name, list) in lists {
            if !list.is_empty() {
                options.insert(name.into(), list.clone().into());
            }
        }
        if !self.headers.is_empty() {
            options.insert("headers".into(), json!(self.headers));
        }
        if let Some(timeout_ms) = self.timeout_ms {
            options.insert("timeout_ms".into(), timeout_ms.into());
        }
        if let Some(backoff) = &self.backoff {
            options.insert("backoff_ms".into(), backoff.value());
        }
        if self.missing != Missing::Satisfied {
            options.insert("missing".into(), self.missing.name().into());
        }
        if self.on_conflict != OnConflict::Replace {
            options.insert("on_conflict".into(), self.on_conflict.name().into());
        }
        if options.is_empty() { String::new() } else { Json::Object(options).to_string() }
    }
}

fn set<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}
