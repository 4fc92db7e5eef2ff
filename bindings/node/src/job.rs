//! Jobs on their way to JavaScript: plain values, the payload as the text it is.

use std::collections::BTreeMap;

use manyhands::Error;
use napi_derive::napi;
use serde_json::value::RawValue;

/// A job under a lease.
#[napi(object, object_from_js = false, js_name = "NativeJob")]
pub struct Job {
    /// Its id.
    pub jid: String,
    /// Names its handler.
    pub kind: String,
    /// The queue it was taken from.
    pub queue: String,
    /// JSON text, as it was put.
    pub data: String,
    /// -128 to 127.
    pub priority: i64,
    /// How often it may run again.
    pub retries: i64,
    /// How many of these are left.
    pub remaining: i64,
    /// Proves the lease.
    pub token: String,
    /// When it was put.
    pub put_at_ms: i64,
    /// Who holds it.
    pub worker: String,
    /// Its labels.
    pub tags: Vec<String>,
    /// The queues it still goes through.
    pub route: Vec<String>,
}

impl From<manyhands::Job> for Job {
    fn from(job: manyhands::Job) -> Job {
        Job {
            jid: job.jid,
            kind: job.kind,
            queue: job.queue,
            data: job.data,
            priority: job.priority,
            retries: job.retries,
            remaining: job.remaining,
            token: job.token,
            put_at_ms: i64::try_from(job.put_at_ms).unwrap_or(i64::MAX),
            worker: job.worker,
            tags: job.tags,
            route: job.route,
        }
    }
}

/// A job as stored: its payload and its result as they are, the other members as one JSON object.
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
    /// Reads the reply of `job_get`; None when there is no such job.
    pub fn read(reply: &str) -> manyhands::Result<Option<View>> {
        if reply == "null" {
            return Ok(None);
        }
        let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(reply)
            .map_err(|error| Error::internal(format!("the job's view is no JSON object: {error}")))?;
        let mut text = |name: &str| members.remove(name).map(|value| value.get().to_owned());
        let data = text("data").unwrap_or_else(|| "null".to_owned());
        let result = text("result").filter(|text| text != "null");
        let rest = serde_json::to_string(&members)
            .map_err(|error| Error::internal(format!("the job's view cannot be written: {error}")))?;
        Ok(Some(View { data, result, rest }))
    }
}
