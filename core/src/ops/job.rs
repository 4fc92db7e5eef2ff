//! A reserved job.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::put::{Put, RETRIES_DEFAULT};
use super::reply;
use crate::backoff::Backoff;
use crate::check;
use crate::error::{Error, Result};
use crate::json::{self, Fields};
use crate::request::Value;

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
    /// Milliseconds that a run of it may take, if its put said so; else it is as its kind or the worker says.
    pub timeout_ms: Option<i64>,
    /// How long it waits after an error that no rule names by its class, if its put said so.
    pub backoff: Option<Backoff>,
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
    /// `route`, `throttles`, `headers`, `timeout_ms`, `backoff_ms`, `parent` and `tracked`; an empty text stands for no options.
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
        Put { timeout_ms: job.timeout_ms, backoff: job.backoff.clone(), ..put }.check()?;
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
            timeout_ms: None,
            backoff: None,
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
            && self.timeout_ms.is_none()
            && self.backoff.is_none()
    }
}

/// What jobs of a reserve's reply have in common that follow each other: all but jid, kind, data and when it was put.
pub(super) struct Common(Job);

impl Common {
    pub(super) fn decode([queue, lease, extra]: [Value; 3], token: &str, worker: &str) -> Result<Common> {
        let job = Job {
            token: token.to_owned(),
            lease_ms: reply::natural(lease)?,
            worker: worker.to_owned(),
            ..Job::plain(String::new(), String::new(), reply::text(queue)?, String::new())
        };
        match reply::text(extra)?.as_str() {
            "" => Ok(Common(job)),
            extra => job
                .with_extra(extra)
                .map(Common)
                .map_err(|error| Error::internal(format!("the engine answered a job whose {}", error.message))),
        }
    }

    /// One of them, of the values that come next: its jid, what its record says of it, and its data where that is large.
    pub(super) fn job(&self, next: &mut impl FnMut() -> Value) -> Result<Job> {
        let (jid, mut about) = (reply::text(next())?, reply::text(next())?);
        let mut parts = about.splitn(4, '\0');
        let (Some(put_at), Some(kind), Some(place), Some(data)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Error::internal(format!("the engine answered {about:?} of a job")));
        };
        let wrong = |_| Error::internal(format!("the engine answered a job put at {put_at:?}"));
        let (put_at_ms, kind, apart) =
            (u64::from_str_radix(put_at, 36).map_err(wrong)?, kind.to_owned(), data.is_empty());
        about.drain(..put_at.len() + kind.len() + place.len() + 3);
        let data = if apart { reply::text(next())? } else { about };
        Ok(Job { jid, kind, data, put_at_ms, ..self.0.clone() })
    }
}

impl Job {
    /// Members this client does not know belong to a newer engine and are skipped.
    fn with_extra(self, extra: &str) -> Result<Job> {
        let mut fields = Fields::parse(extra, "extra")?;
        let backoff = Backoff::of_stored(&mut fields)?;
        Ok(Job { backoff, ..self.with_extra_fields(&mut fields)? })
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
            timeout_ms: fields.integer("timeout_ms")?,
            backoff: Backoff::take(fields, "backoff_ms")?,
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
             \"throttles\":{},\"headers\":{},\"timeout_ms\":{},\"backoff_ms\":{},\"parent\":{},\"tracked\":{}}}",
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
            Json::from(self.timeout_ms),
            self.backoff.as_ref().map_or(Json::Null, Backoff::value),
            self.parent.as_deref().map_or("null".to_owned(), quote),
            self.tracked,
        )
    }
}
