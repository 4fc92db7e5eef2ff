//! Putting jobs into queues, and taking them out.

use std::ffi::c_char;

use manyhands::ops::{QueuePut, QueueReserve};
use manyhands::{Error, JobKind, Put, Request, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::client::mh_client;
use crate::error::{mh_code, mh_error};
use crate::job::mh_job;

/// What became of a put.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mh_placed {
    /// The job is new.
    Put = 1,
    /// An older job of its jid gave way to it.
    Replaced = 2,
    /// An older job of its jid stays as it was, and this one is not stored.
    Kept = 3,
}

impl mh_placed {
    fn from_name(name: &str) -> Result<mh_placed> {
        match name {
            "put" => Ok(mh_placed::Put),
            "replaced" => Ok(mh_placed::Replaced),
            "kept" => Ok(mh_placed::Kept),
            other => {
                Err(Error::internal(format!("the engine answered the outcome {other:?}, which C has no word for")))
            }
        }
    }
}

/// A job as mh_queue_put_many() takes it, for hooks.
fn described(queue: &str, kind: &str, data: Option<&str>, options: Option<&str>) -> String {
    let mut members: Map<String, Value> = options.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
    members.insert("queue".to_owned(), queue.into());
    members.insert("kind".to_owned(), kind.into());
    members.remove("data");
    let members = Value::Object(members).to_string();
    // The data goes as it is, were it no JSON: that is refused by the put.
    format!("[{},\"data\":{}}}]", members.strip_suffix('}').unwrap_or_default(), data.unwrap_or("null"))
}

/// Put one job into a queue.
///
/// queue         Its name. NULL: that of mh_client_define() for the kind.
/// kind          The name of the handler that will perform it.
/// data_json     What the handler gets, one JSON value, kept byte for byte, at most max-data (1 MiB). NULL: null.
/// options_json  A JSON object, or NULL for none. What it does not have is as mh_client_define() says of the kind, or else:
///               "jid"           the job's id. Default: 32 random hex digits.
///               "priority"      -128 to 127, larger first. Default 0.
///               "delay_ms"      milliseconds until it may run. Default 0.
///               "retries"       how often it may run again after an error or a lost lease, 0 to 255. Default 5.
///               "tags"          a list of at most 32 labels.
///               "route"         a list of at most 64 queues the job goes through after this one.
///               "throttles"     a list of at most 32 throttles: the job runs only while it holds all of them.
///               "headers"       an object of at most 32 texts, 4 KiB with their names, that go with the job through all
///                               stages, such as a trace's context.
///               "timeout_ms"    how long a run of it may take before mh_job_interrupted() says "timeout", 1 or more. Default: as
///                               mh_client_define() says of the kind, or the options of the worker that performs it.
///               "backoff_ms"    how long it waits before the next run after an mh_job_error() whose class "retry_on" of
///                               mh_client_define() does not name: milliseconds; a list of at most 64, one after the other and
///                               the last for all that follow; or an object of "first" and, if they are to differ, "factor" (2;
///                               1 to 1000), "most" (3600000) and "jitter" (0.1; 0 to 1), or of "list" and "jitter" (0). Default:
///                               as there.
///               "dependencies"  a list of at most 256 jids: the job waits until these are completed. Those that are
///                               completed already, or unknown, it need not wait for.
///               "missing"       what an unknown dependency is: "satisfied", or "reject": an error. Default "satisfied".
///               "on_conflict"   what to do when a job of this jid exists: "replace" it unless it is running (then it is
///                               kept), "keep" it, "reject" this put, or "move": replace it even while it runs. Default
///                               "replace".
///
/// Returns MH_CODE_OK and sets *out_jid to the job's id and *out_placed to what became of it. mh_queue_put_many() also tells
/// which of its dependencies it need not wait for.
/// Returns MH_CODE_INVALID_ARGUMENT naming the argument or option, before anything is stored; MH_CODE_JOB_EXISTS with
/// on_conflict "reject"; MH_CODE_UNKNOWN_DEPENDENCY with missing "reject"; MH_CODE_CYCLE, MH_CODE_TOO_DEEP; and the codes
/// of mh_client_call().
///
/// Ownership: the caller frees *out_jid with mh_string_free(). Both may be NULL pointers when they are not wanted.
/// Threads:   any number at once.
/// Blocking:  as mh_client_call().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_queue_put(
    client: *mut mh_client,
    queue: *const c_char,
    kind: *const c_char,
    data_json: *const c_char,
    options_json: *const c_char,
    out_jid: *mut *mut c_char,
    out_placed: *mut mh_placed,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, QueuePut::OPERATION, {
        let handle = handle!(client)?;
        let (client, hooks) = (handle.putting(), handle.hooks());
        let (queue, kind) = (optional_text!(queue)?, text!(kind)?);
        let (data, options) = (optional_text!(data_json)?, optional_text!(options_json)?);
        let defined = handle.kinds().get(kind);
        let defined = defined.as_deref();
        let queue = queue.or_else(|| defined.and_then(JobKind::default_queue));
        let queue =
            queue.ok_or_else(|| Error::invalid(format!("queue is NULL, and no default is defined for {kind}")))?;
        let filled = defined.map(|kind| kind.fill(options.unwrap_or_default()));
        let options = filled.as_deref().or(options);
        let (out_jid, out_placed) = (optional_output!(out_jid), optional_output!(out_placed));
        let jobs = if hooks.is_empty() { String::new() } else { described(queue, kind, data, options) };
        hooks.iter().for_each(|hooks| hooks.before_put(&jobs));
        let job = Put::new(kind).data(data.unwrap_or("null")).with_options(options.unwrap_or_default());
        let placed = job.and_then(|job| client.queue(queue).put(job));
        let placed =
            placed.map_err(|error| error.renamed(&[("data ", "data_json "), ("options ", "options_json ")]))?;
        let outcome = mh_placed::from_name(&placed.outcome)?;
        if !hooks.is_empty() {
            let reply =
                serde_json::json!([{"jid": placed.jid, "outcome": placed.outcome, "satisfied": placed.satisfied}]);
            hooks.iter().for_each(|hooks| hooks.after_put(&jobs, &reply.to_string()));
        }
        out_jid.give_text(placed.jid, "jid")?;
        out_placed.set(outcome);
        Ok(())
    })
}

/// Put jobs, into any queues, in their order.
///
/// Up to 250 jobs, with up to 250 tags and throttles in all (each dependency counted twice) and 8 MiB of data, are one
/// step: all or none. More, or jobs that replace some with more, go by several steps, and an error then says how many
/// jobs are put.
///
/// jobs_json  A JSON array of objects: {"queue", "kind", "data"} and the options of mh_queue_put(). "kind" must be there, and
///            "queue" where mh_client_define() says none of the kind.
///
/// Returns MH_CODE_OK and sets *out_reply_json to a JSON array with one object for each job, in order: {"jid",
/// "outcome", "satisfied"}, where the outcome is "put", "replaced", "kept" (an existing job was left) or "exists"
/// (on_conflict "reject"), and "satisfied" lists those of its dependencies that it need not wait for.
/// Returns MH_CODE_INVALID_ARGUMENT naming the job and the option, before anything is stored; and the codes of
/// mh_client_call().
///
/// Ownership: the caller frees *out_reply_json with mh_string_free(). It may be a NULL pointer when it is not wanted.
/// Threads:   any number at once.
/// Blocking:  as mh_client_call().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_queue_put_many(
    client: *mut mh_client,
    jobs_json: *const c_char,
    out_reply_json: *mut *mut c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, QueuePut::OPERATION, {
        let handle = handle!(client)?;
        let (client, hooks) = (handle.putting(), handle.hooks());
        let jobs = text!(jobs_json)?;
        let out_reply_json = optional_output!(out_reply_json);
        if !hooks.is_empty() {
            // They are told of JSON only.
            serde_json::from_str::<&RawValue>(jobs)
                .map_err(|error| Error::invalid(format!("jobs_json is not JSON: {error}")))?;
        }
        let filled = handle.kinds().fill(jobs);
        let jobs = filled.as_deref().unwrap_or(jobs);
        hooks.iter().for_each(|hooks| hooks.before_put(jobs));
        let placed = QueuePut::from_list(jobs, None).and_then(|put| client.put_all(put));
        let placed = placed.map_err(|error| error.renamed(&[("jobs ", "jobs_json ")]))?;
        let reply = QueuePut::reply_json(&placed);
        hooks.iter().for_each(|hooks| hooks.after_put(jobs, &reply));
        out_reply_json.give_text(reply, "the reply")
    })
}

/// Take up to `limit` jobs of a queue under a lease, without a worker. Does not wait for jobs to come;
/// mh_worker_next() does.
///
/// queue   Its name.
/// worker  The name the jobs are held by, or NULL for one that this client made up for this process: host:pid:8 hex.
/// limit   1 to 250.
///
/// The lease is as long as the queue's heartbeat setting (60 s); mh_job_heartbeat() renews it, and nothing else does.
/// Order: larger priority first, then first put. A paused queue gives none.
///
/// Returns MH_CODE_OK, sets *out_count to how many jobs came, perhaps 0, and the first so many of `out_jobs`.
/// Returns MH_CODE_INVALID_ARGUMENT naming the argument; and the codes of mh_client_call().
///
/// Ownership: `out_jobs` is an array with places for `limit` jobs; the caller frees each with mh_job_free().
/// Threads:   any number at once.
/// Blocking:  as mh_client_call().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_queue_reserve(
    client: *mut mh_client,
    queue: *const c_char,
    worker: *const c_char,
    limit: usize,
    out_jobs: *mut *mut mh_job,
    out_count: *mut usize,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, QueueReserve::OPERATION, {
        let client = handle!(client)?;
        let (queue, worker) = (text!(queue)?, optional_text!(worker)?);
        let (out_jobs, out_count) = (output!(out_jobs)?, output!(out_count)?);
        let reserved = client.client().queue(queue).reserve_as(worker, i64::try_from(limit).unwrap_or(i64::MAX))?;
        let jobs = reserved.jobs.into_iter().map(|job| mh_job::reserved(client, job));
        let jobs = jobs.collect::<Result<Vec<_>>>()?;
        let count = jobs.len();
        out_jobs.give_all(jobs, limit)?;
        out_count.set(count);
        Ok(())
    })
}
