//! Jobs on their way to JavaScript: plain values, the payload as the text it is.

use std::collections::BTreeMap;

use manyhands::{Backoff, Error};
use napi::bindgen_prelude::ToNapiValue;
use napi::sys::{napi_env, napi_value};
use napi_derive::napi;
use serde_json::value::RawValue;

/// A job under a lease. JavaScript gets a list for each: the members of an object cost a third more, and were a sixth of what its
/// thread did for a job that does nothing.
pub struct Job {
    /// Its id.
    pub jid: String,
    /// Names its handler.
    pub kind: String,
    /// The queue it was taken from.
    pub queue: String,
    /// JSON text, as it was put.
    pub data: String,
    /// Proves the lease.
    pub token: String,
    /// When it was put.
    pub put_at_ms: i64,
    /// Who holds it.
    pub worker: String,
    /// What its put said beside these; None of most jobs.
    pub said: Option<Said>,
}

/// Jobs that are given at once.
pub struct Batch(pub Vec<Job>);

impl ToNapiValue for Batch {
    unsafe fn to_napi_value(env: napi_env, Batch(jobs): Batch) -> napi::Result<napi_value> {
        let [mut kinds, mut queues, mut workers] = [Repeated(None), Repeated(None), Repeated(None)];
        let mut rows: Vec<napi_value> = Vec::with_capacity(jobs.len());
        for Job { jid, kind, queue, data, token, put_at_ms, worker, said } in jobs {
            // SAFETY: the environment is the caller's, as is this promise; what it has made of one job is alive for the others.
            rows.push(unsafe {
                let (kind, queue, worker) = (kinds.of(env, kind)?, queues.of(env, queue)?, workers.of(env, worker)?);
                match said {
                    None => ToNapiValue::to_napi_value(env, (jid, kind, queue, data, token, put_at_ms, worker)),
                    Some(said) => {
                        ToNapiValue::to_napi_value(env, (jid, kind, queue, data, token, put_at_ms, worker, said))
                    }
                }?
            });
        }
        // SAFETY: as above.
        unsafe { ToNapiValue::to_napi_value(env, rows) }
    }
}

/// The text of the job before: when that of the next one is the same, so is the value, which is made once, and looked up by the
/// hash that it has already.
struct Repeated(Option<(String, napi_value)>);

impl Repeated {
    /// # Safety
    /// The environment is the caller's, and its values live until the last call.
    unsafe fn of(&mut self, env: napi_env, text: String) -> napi::Result<napi_value> {
        match &self.0 {
            Some((known, value)) if *known == text => Ok(*value),
            _ => {
                // SAFETY: the caller's promise.
                let value = unsafe { ToNapiValue::to_napi_value(env, &text)? };
                self.0 = Some((text, value));
                Ok(value)
            }
        }
    }
}

/// What the put of a job may say, or an error has changed since.
#[napi(object, object_from_js = false, js_name = "NativeSaid")]
pub struct Said {
    /// -128 to 127.
    pub priority: i64,
    /// How often it may run again.
    pub retries: i64,
    /// How many of these are left.
    pub remaining: i64,
    /// Its labels.
    pub tags: Vec<String>,
    /// The queues it still goes through.
    pub route: Vec<String>,
    /// The throttles it holds.
    pub throttles: Vec<String>,
    /// The texts that go with it.
    pub headers: BTreeMap<String, String>,
    /// How long a run of it may take.
    pub timeout_ms: Option<i64>,
    /// How long it waits after an error, as JSON.
    pub backoff: Option<String>,
    /// The recurring job that put it.
    pub parent: Option<String>,
    /// Whether events tell of it.
    pub tracked: bool,
}

impl From<manyhands::Job> for Job {
    fn from(job: manyhands::Job) -> Job {
        let said = (!job.is_plain()).then_some(Said {
            priority: job.priority,
            retries: job.retries,
            remaining: job.remaining,
            tags: job.tags,
            route: job.route,
            throttles: job.throttles,
            headers: job.headers,
            timeout_ms: job.timeout_ms,
            backoff: job.backoff.as_ref().map(Backoff::to_json),
            parent: job.parent,
            tracked: job.tracked,
        });
        Job {
            jid: job.jid,
            kind: job.kind,
            queue: job.queue,
            data: job.data,
            token: job.token,
            put_at_ms: i64::try_from(job.put_at_ms).unwrap_or(i64::MAX),
            worker: job.worker,
            said,
        }
    }
}

/// A job as stored, or a recurring one: its payload and its result as they are, the other members as one JSON object.
#[napi(object, object_from_js = false, js_name = "NativeView")]
pub struct View {
    /// JSON text, as it was put.
    pub data: String,
    /// JSON text; None when there is none, or it is null: the engine's reply says both alike.
    pub result: Option<String>,
    /// All other members.
    pub rest: String,
}

impl View {
    /// Reads what job_get answers; None when there is no such job.
    pub fn read(reply: &str) -> manyhands::Result<Option<View>> {
        if reply == "null" {
            return Ok(None);
        }
        let mut members = members(reply)?;
        let mut text = |name: &str| members.remove(name).map(|value| value.get().to_owned());
        let data = text("data").unwrap_or_else(|| "null".to_owned());
        let result = text("result").filter(|text| text != "null");
        let history = members.get("history").map(|history| with_texts(history.get())).transpose()?.flatten();
        if let Some(history) = &history {
            members.insert("history".to_owned(), history);
        }
        Ok(Some(View { data, result, rest: written(&members)? }))
    }
}

/// What an operation answers that lists jobs: them, and the other members as one JSON object.
#[napi(object, object_from_js = false, js_name = "NativeViews")]
pub struct Views {
    /// None for each that there is not.
    pub jobs: Vec<Option<View>>,
    /// All other members.
    pub rest: String,
}

impl Views {
    /// Reads what job_get_many answers, and others with a member `jobs`.
    pub fn read(reply: &str) -> manyhands::Result<Views> {
        let mut members = members(reply)?;
        let listed = members.remove("jobs").map_or("[]", RawValue::get);
        let listed: Vec<&RawValue> = serde_json::from_str(listed).map_err(unreadable)?;
        let jobs = listed.into_iter().map(|job| View::read(job.get())).collect::<manyhands::Result<_>>()?;
        Ok(Views { jobs, rest: written(&members)? })
    }
}

type Members<'a> = BTreeMap<String, &'a RawValue>;

fn members(reply: &str) -> manyhands::Result<Members<'_>> {
    serde_json::from_str(reply).map_err(unreadable)
}

/// The history, in which what log entries hold stands as text, `raw_data`; None when none of them holds anything.
fn with_texts(history: &str) -> manyhands::Result<Option<Box<RawValue>>> {
    if !history.contains("\"data\"") {
        return Ok(None);
    }
    let mut entries: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(history).map_err(unreadable)?;
    for entry in &mut entries {
        if let Some(data) = entry.get("data").filter(|data| data.get() != "null") {
            let text = serde_json::value::to_raw_value(data.get()).map_err(unreadable)?;
            entry.remove("data");
            entry.insert("raw_data".to_owned(), text);
        }
    }
    serde_json::value::to_raw_value(&entries).map_err(unreadable).map(Some)
}

fn written(members: &Members<'_>) -> manyhands::Result<String> {
    serde_json::to_string(members).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::internal(format!("the engine's view of a job cannot be read: {error}"))
}
