//! A reserved job, and the operations that end its run or keep its lease.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::outcome::{self, Again, Completion, Ended, Failure, Pause};
use super::put::Put;
use super::reply;
use crate::check;
use crate::error::{Code, Error, Result};
use crate::json::{self, Fields};
use crate::request::{Args, Request, Value};

/// A job under a lease, as its handler sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub jid: String,
    /// The name of the handler that performs it.
    pub kind: String,
    /// The queue it was taken from.
    pub queue: String,
    /// JSON text, as it was put.
    pub data: String,
    /// -128 to 127.
    pub priority: i64,
    /// How often it may run again after its first run.
    pub retries: i64,
    /// How many of these are left.
    pub remaining: i64,
    /// Proves the lease; only grows. Text, because it passes 2^53.
    pub token: String,
    /// Milliseconds the lease lasts from the reserve on, if it is not renewed.
    pub lease_ms: u64,
    /// When it was put, in milliseconds of UTC since 1970.
    pub put_at_ms: u64,
    /// The worker that holds it.
    pub worker: String,
    /// Its labels.
    pub tags: Vec<String>,
    /// The queues it still goes through after this one.
    pub route: Vec<String>,
    /// The throttles it holds while it runs.
    pub throttles: Vec<String>,
    /// The texts that go with it through all stages.
    pub headers: BTreeMap<String, String>,
    /// The recurring job that put it.
    pub parent: Option<String>,
    /// Whether events tell what happens to it.
    pub tracked: bool,
}

impl Job {
    /// A job without a server, to test a handler with, of which nobody holds a lease. `data`: JSON text. The rest is as with a
    /// put that says no more, and is said by the fields:
    ///
    /// ```
    /// # use manyhands::Job;
    /// let job = Job { tags: vec!["urgent".into()], ..Job::build("welcome", r#"{"to": "ann"}"#) };
    /// assert_eq!((job.jid.as_str(), job.queue.as_str(), job.retries), ("built", "built", 5));
    /// ```
    pub fn build(kind: impl Into<String>, data: impl Into<String>) -> Job {
        Job::plain("built".to_owned(), kind.into(), "built".to_owned(), data.into())
    }

    /// The same with options, a JSON object of `jid`, `queue`, `priority`, `retries`, `remaining` (default: `retries`), `tags`,
    /// `route`, `throttles`, `headers`, `parent` and `tracked`; an empty text stands for no options.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming what is wrong or unknown, or what no put could have.
    pub fn build_with(kind: &str, data: &str, options_json: &str) -> Result<Job> {
        let mut fields = Fields::parse(if options_json.is_empty() { "{}" } else { options_json }, "options")?;
        let mut job = Job::build(kind, data);
        job.jid = fields.text("jid")?.unwrap_or(job.jid);
        job.queue = fields.text("queue")?.unwrap_or(job.queue);
        let remaining = fields.integer("remaining")?;
        let job = job.with_extra_fields(&mut fields)?;
        fields.end()?;
        let put = Put::new(kind).queue(&job.queue).data(data).jid(&job.jid).priority(job.priority).retries(job.retries);
        let put = put.tags(&job.tags).route(&job.route).throttles(&job.throttles).headers(job.headers.clone());
        put.check()?;
        let remaining = remaining.unwrap_or(job.retries);
        check::integer(remaining, "remaining", 0, job.retries)?;
        Ok(Job { remaining, ..job })
    }

    fn plain(jid: String, kind: String, queue: String, data: String) -> Job {
        Job {
            jid,
            kind,
            queue,
            data,
            priority: 0,
            retries: RETRIES_DEFAULT,
            remaining: RETRIES_DEFAULT,
            token: String::new(),
            lease_ms: 0,
            put_at_ms: 0,
            worker: String::new(),
            tags: Vec::new(),
            route: Vec::new(),
            throttles: Vec::new(),
            headers: BTreeMap::new(),
            parent: None,
            tracked: false,
        }
    }

    /// Whether its put said nothing beside queue, kind and data, and it never spent a retry: as with most jobs.
    pub fn is_plain(&self) -> bool {
        let Job { priority, retries, remaining, parent, tracked, .. } = self;
        (*priority, *retries, *remaining, *tracked) == (0, RETRIES_DEFAULT, RETRIES_DEFAULT, false)
            && parent.is_none()
            && [&self.tags, &self.route, &self.throttles].iter().all(|list| list.is_empty())
            && self.headers.is_empty()
    }
}

/// The retries of a job that was put without saying; the engine leaves them out of its answers.
const RETRIES_DEFAULT: i64 = 5;

impl Job {
    /// Reads one job of a reserve's reply, in which each has so many values.
    pub(super) fn decode(values: [Value; Job::VALUES], token: &str, worker: &str) -> Result<Job> {
        let [jid, kind, queue, data, lease, put_at, extra] = values;
        let job = Job {
            token: token.to_owned(),
            lease_ms: reply::natural(lease)?,
            put_at_ms: reply::natural(put_at)?,
            worker: worker.to_owned(),
            ..Job::plain(reply::text(jid)?, reply::text(kind)?, reply::text(queue)?, reply::text(data)?)
        };
        match reply::text(extra)?.as_str() {
            "" => Ok(job),
            extra => job
                .with_extra(extra)
                .map_err(|error| Error::internal(format!("the engine answered a job whose {}", error.message))),
        }
    }

    pub(super) const VALUES: usize = 7;

    /// Members this client does not know belong to a newer engine and are skipped.
    fn with_extra(self, extra: &str) -> Result<Job> {
        self.with_extra_fields(&mut Fields::parse(extra, "extra")?)
    }

    fn with_extra_fields(self, fields: &mut Fields) -> Result<Job> {
        Ok(Job {
            priority: fields.integer("priority")?.unwrap_or(self.priority),
            retries: fields.integer("retries")?.unwrap_or(self.retries),
            remaining: fields.integer("remaining")?.unwrap_or(self.remaining),
            tags: fields.texts("tags")?.unwrap_or_default(),
            route: fields.texts("route")?.unwrap_or_default(),
            throttles: fields.texts("throttles")?.unwrap_or_default(),
            headers: fields.text_map("headers")?.unwrap_or_default(),
            parent: fields.text("parent")?,
            tracked: fields.boolean("tracked")?.unwrap_or(false),
            ..self
        })
    }

    /// The job as JSON; `data` goes in as it was put.
    pub fn to_json(&self) -> String {
        let quote = json::quote;
        let list = |texts: &[String]| Json::from(texts.to_vec()).to_string();
        format!(
            "{{\"jid\":{},\"kind\":{},\"queue\":{},\"data\":{},\"priority\":{},\"retries\":{},\"remaining\":{},\
             \"token\":{},\"lease_ms\":{},\"put_at_ms\":{},\"worker\":{},\"tags\":{},\"route\":{},\
             \"throttles\":{},\"headers\":{},\"parent\":{},\"tracked\":{}}}",
            quote(&self.jid),
            quote(&self.kind),
            quote(&self.queue),
            self.data,
            self.priority,
            self.retries,
            self.remaining,
            quote(&self.token),
            self.lease_ms,
            self.put_at_ms,
            quote(&self.worker),
            list(&self.tags),
            list(&self.route),
            list(&self.throttles),
            Json::from_iter(self.headers.clone()),
            self.parent.as_deref().map_or("null".to_owned(), quote),
            self.tracked,
        )
    }
}

/// The engine's answer about one job whose run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The state it is in now: `completed`, `waiting`, `scheduled`, `blocked` or `failed`.
    State(String),
    /// The token no longer holds: `expired`, `cancelled`, `replaced`, `finished` or `unknown`. Nothing was changed.
    LockLost(String),
    /// The engine cannot take this outcome (`CYCLE`, `TOO_DEEP`). Nothing was changed: the job still runs under its token.
    Refused(Error),
}

impl Answer {
    pub(super) fn decode(value: Value) -> Result<Answer> {
        let text = reply::text(value)?;
        if let Some(reason) = lost_reason(&text) {
            return Ok(Answer::LockLost(reason));
        }
        let refused =
            text.split_once(' ').and_then(|(name, message)| Some(Error::new(Code::from_name(name)?, message)));
        Ok(refused.map_or(Answer::State(text), Answer::Refused))
    }

    /// The state, or the error of a lost lease or a refused outcome.
    ///
    /// # Errors
    /// [`Code::LockLost`], or that of [`Answer::Refused`], about `jid`.
    pub fn accepted(self, jid: &str) -> Result<String> {
        match self {
            Answer::State(state) => Ok(state),
            Answer::LockLost(reason) => Err(Error::lock_lost(jid, &reason)),
            Answer::Refused(error) => Err(error.about(jid)),
        }
    }
}

/// The reason in `LOCK_LOST <reason>`.
pub(super) fn lost_reason(text: &str) -> Option<String> {
    text.strip_prefix("LOCK_LOST").map(|reason| reason.trim().to_owned())
}

/// A job and the token that proves its lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The job.
    pub jid: String,
    /// The token its reserve gave.
    pub token: String,
}

impl Lease {
    pub(super) fn encode(&self, args: &mut Args) -> Result<()> {
        check::name(&self.jid, "jid")?;
        check::token(&self.token)?;
        args.text(&self.jid).text(&self.token);
        Ok(())
    }

    pub(super) fn from_fields(mut fields: Fields) -> Result<Lease> {
        let lease = Lease::take(&mut fields)?;
        fields.end()?;
        Ok(lease)
    }

    pub(super) fn take(fields: &mut Fields) -> Result<Lease> {
        Ok(Lease { jid: fields.required_text("jid")?, token: fields.required_text("token")? })
    }
}

/// Defines a request that ends the runs of 1 to 125 jobs, each with its own answer.
macro_rules! outcome_request {
    ($(#[$doc:meta])+ $name:ident, $how:ty, $operation:literal) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The jobs, 1 to 125.
            pub jobs: Vec<Ended<$how>>,
        }

        impl $name {
            pub(super) fn from_json(text: &str) -> Result<$name> {
                Ok($name { jobs: items(text, outcome::from_fields)? })
            }
        }

        impl Request for $name {
            const OPERATION: &'static str = $operation;
            type Reply = Vec<Answer>;

            fn encode(&self, args: &mut Args) -> Result<()> {
                check::count(self.jobs.len(), "jobs", check::MAX_OUTCOMES)?;
                for (index, job) in self.jobs.iter().enumerate() {
                    outcome::encode(job, args).map_err(|error| super::in_item(error, index, self.jobs.len()))?;
                }
                Ok(())
            }

            fn decode(&self, value: Value) -> Result<Vec<Answer>> {
                reply::per_item(value, self.jobs.len())?.into_iter().map(Answer::decode).collect()
            }
        }
    };
}

outcome_request! {
    /// The runs succeeded: the jobs are completed, or go on to the next queue of their route.
    ///
    /// Source: core/src/engine/ops/job_complete.lua
    JobComplete, Completion, "job_complete"
}
outcome_request! {
    /// The workers give the jobs up, whatever retries are left.
    ///
    /// Source: core/src/engine/ops/job_fail.lua
    JobFail, Failure, "job_fail"
}
outcome_request! {
    /// The jobs run again later; each spends a retry, or fails when none is left.
    ///
    /// Source: core/src/engine/ops/job_retry.lua
    JobRetry, Again, "job_retry"
}
outcome_request! {
    /// The jobs run again later and spend no retry.
    ///
    /// Source: core/src/engine/ops/job_snooze.lua
    JobSnooze, Pause, "job_snooze"
}

/// Gives jobs back unstarted, at their old places, spending nothing.
///
/// Source: core/src/engine/ops/job_release.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRelease {
    /// The jobs, 1 to 125.
    pub jobs: Vec<Lease>,
}

/// Renews leases.
///
/// Source: core/src/engine/ops/job_heartbeat.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobHeartbeat {
    /// The jobs, 1 to 250.
    pub jobs: Vec<Lease>,
}

fn encode_leases(jobs: &[Lease], most: usize, args: &mut Args) -> Result<()> {
    check::count(jobs.len(), "jobs", most)?;
    for (index, lease) in jobs.iter().enumerate() {
        lease.encode(args).map_err(|error| super::in_item(error, index, jobs.len()))?;
    }
    Ok(())
}

impl JobRelease {
    pub(super) fn from_json(text: &str) -> Result<JobRelease> {
        Ok(JobRelease { jobs: items(text, Lease::from_fields)? })
    }
}

impl Request for JobRelease {
    const OPERATION: &'static str = "job_release";
    type Reply = Vec<Answer>;

    fn encode(&self, args: &mut Args) -> Result<()> {
        encode_leases(&self.jobs, check::MAX_OUTCOMES, args)
    }

    fn decode(&self, value: Value) -> Result<Vec<Answer>> {
        reply::per_item(value, self.jobs.len())?.into_iter().map(Answer::decode).collect()
    }
}

impl JobHeartbeat {
    pub(super) fn from_json(text: &str) -> Result<JobHeartbeat> {
        Ok(JobHeartbeat { jobs: items(text, Lease::from_fields)? })
    }
}

impl Request for JobHeartbeat {
    const OPERATION: &'static str = "job_heartbeat";
    /// Per job the milliseconds its lease now lasts, or the error `LOCK_LOST`.
    type Reply = Vec<Result<u64>>;

    fn encode(&self, args: &mut Args) -> Result<()> {
        encode_leases(&self.jobs, check::MAX_ITEMS, args)
    }

    fn decode(&self, value: Value) -> Result<Vec<Result<u64>>> {
        let answers = reply::per_item(value, self.jobs.len())?;
        self.jobs.iter().zip(answers).map(|(lease, answer)| heartbeat_answer(lease, answer)).collect()
    }
}

fn heartbeat_answer(lease: &Lease, answer: Value) -> Result<Result<u64>> {
    if let Value::Int(_) = answer {
        return reply::natural(answer).map(Ok);
    }
    let text = reply::text(answer)?;
    match lost_reason(&text) {
        Some(reason) => Ok(Err(Error::lock_lost(&lease.jid, &reason).during(JobHeartbeat::OPERATION))),
        None => reply::natural(Value::BulkString(text.into_bytes())).map(Ok),
    }
}

/// The `jobs` of a call at the door that has nothing else.
fn items<T>(text: &str, read: fn(Fields) -> Result<T>) -> Result<Vec<T>> {
    let mut fields = Fields::parse(text, "")?;
    let items = take_items(&mut fields, read)?;
    fields.end()?;
    Ok(items)
}

/// The `jobs` of a call at the door. Errors say which one is at fault when there are several, as `in_item` does.
pub(super) fn take_items<T>(fields: &mut Fields, read: fn(Fields) -> Result<T>) -> Result<Vec<T>> {
    let items = fields.required_list("jobs")?;
    let alone = items.len() == 1;
    let items = items.into_iter().enumerate().map(|(index, item)| {
        let item = Fields::parse(item.get(), &format!("jobs[{index}]"))?;
        read(if alone { item.unplaced() } else { item })
    });
    items.collect()
}

/// Per job `{"jid", <name>}` or `{"jid", "error"}`.
pub(super) fn answers_json<'a>(
    operation: &str,
    name: &str,
    answers: impl IntoIterator<Item = (&'a str, Result<Json>)>,
) -> String {
    let list = answers.into_iter().map(|(jid, answer)| {
        let mut map = Map::new();
        map.insert("jid".into(), jid.into());
        match answer {
            Ok(value) => map.insert(name.into(), value),
            Err(error) => map.insert("error".into(), Json::Object(error.during(operation).to_map())),
        };
        Json::Object(map)
    });
    Json::Array(list.collect()).to_string()
}
