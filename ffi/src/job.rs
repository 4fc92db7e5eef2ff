//! A job in hand: what it is.

use std::ffi::c_char;
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use manyhands::{Backoff, Client, Error, Job, JobKind, Result, Worker};

use crate::client::mh_client;
use crate::text::Text;

/// A job under a lease, from mh_worker_next() or mh_queue_reserve(). One call of mh_job_complete(), _fail(), _error(),
/// _retry(), _snooze(), _release() or _finish() ends its run; a job that is freed without one runs again when its lease
/// has run out, and is not lost. A job of mh_job_build() is for tests, and stands in no queue.
///
/// Ownership: whoever received it frees it with mh_job_free(), also after its run has ended.
/// Threads:   any number at once.
pub struct mh_job {
    pub(crate) holder: Holder,
    /// When this process got it.
    pub(crate) since: Instant,
    pub(crate) jid: Text,
    pub(crate) token: Text,
    pub(crate) kind: Text,
    pub(crate) retries: i32,
    pub(crate) remaining: i32,
    queue: Text,
    data: Text,
    tags_json: Text,
    route_json: Text,
    throttles_json: Text,
    headers_json: Text,
    timeout_ms: i64,
    pub(crate) backoff: Option<Backoff>,
    backoff_json: Option<Text>,
    parent: Option<Text>,
    tracked: bool,
    priority: i32,
    pub(crate) lease_ms: u64,
    put_at_ms: u64,
    /// Why it is no longer held, once that is known.
    lost: OnceLock<Text>,
}

/// Who keeps the lease and delivers the outcome.
pub(crate) enum Holder {
    /// A worker renews it, and delivers in batches.
    Worker(Worker),
    /// Nobody renews it; the caller delivers. What is said of its runs is that of its kind, if there is any.
    Client(Client, Option<Arc<JobKind>>),
    /// There is none: a test built it, and looks at how its run ended.
    Built(OnceLock<Text>),
}

impl mh_job {
    /// A job that a worker was given.
    pub(crate) fn started(worker: &Worker, job: Job) -> Result<mh_job> {
        mh_job::new(Holder::Worker(worker.clone()), job)
    }

    /// A job that was reserved without a worker.
    pub(crate) fn reserved(client: &mh_client, job: Job) -> Result<mh_job> {
        let kind = client.kinds().get(&job.kind);
        mh_job::new(Holder::Client(client.client().clone(), kind), job)
    }

    /// A job of no server.
    pub(crate) fn built(job: Job) -> Result<mh_job> {
        mh_job::new(Holder::Built(OnceLock::new()), job)
    }

    fn new(holder: Holder, job: Job) -> Result<mh_job> {
        let narrow = |number: i64, name: &str| {
            i32::try_from(number).map_err(|_| Error::internal(format!("the job's {name} {number} is beyond 32 bits")))
        };
        // What most jobs have none of is not written anew for each.
        let list = |texts: Vec<String>, name| match texts.is_empty() {
            true => Ok(Text::NO_ITEMS),
            false => Text::new(serde_json::Value::from(texts).to_string(), name),
        };
        let headers = match job.headers.is_empty() {
            true => Text::NO_MEMBERS,
            false => Text::new(serde_json::Value::from_iter(job.headers).to_string(), "headers")?,
        };
        Ok(mh_job {
            holder,
            since: Instant::now(),
            jid: Text::new(job.jid, "jid")?,
            token: Text::new(job.token, "token")?,
            kind: Text::new(job.kind, "kind")?,
            retries: narrow(job.retries, "retries")?,
            remaining: narrow(job.remaining, "remaining")?,
            queue: Text::new(job.queue, "queue")?,
            data: Text::new(job.data, "data")?,
            tags_json: list(job.tags, "tags")?,
            route_json: list(job.route, "route")?,
            throttles_json: list(job.throttles, "throttles")?,
            headers_json: headers,
            timeout_ms: job.timeout_ms.unwrap_or(0),
            backoff_json: job.backoff.as_ref().map(|it| Text::new(it.to_json(), "backoff_ms")).transpose()?,
            backoff: job.backoff,
            parent: job.parent.map(|parent| Text::new(parent, "parent")).transpose()?,
            tracked: job.tracked,
            priority: narrow(job.priority, "priority")?,
            lease_ms: job.lease_ms,
            put_at_ms: job.put_at_ms,
            lost: OnceLock::new(),
        })
    }

    /// Remembers why the lease is lost; the first reason stays.
    pub(crate) fn note_lost(&self, reason: &str) -> &Text {
        self.lost.get_or_init(|| Text::shown(reason))
    }

    fn lost(&self) -> Option<&Text> {
        match (self.lost.get(), &self.holder) {
            (None, Holder::Worker(worker)) => {
                worker.lost(self.jid.as_str(), self.token.as_str()).map(|reason| self.note_lost(&reason))
            }
            (known, _) => known,
        }
    }

    /// Why its handler should end.
    fn interrupted(&self) -> Option<*const c_char> {
        if let Some(lost) = self.lost() {
            return Some(lost.as_ptr());
        }
        match &self.holder {
            Holder::Worker(worker) => match worker.interrupted(self.jid.as_str(), self.token.as_str())?.as_str() {
                "killed" => Some(c"killed".as_ptr()),
                "timeout" => Some(c"timeout".as_ptr()),
                lost => Some(self.note_lost(lost).as_ptr()),
            },
            Holder::Client(_, kind) => {
                let own = u64::try_from(self.timeout_ms).ok().filter(|ms| *ms > 0).map(Duration::from_millis);
                let timeout = own.or_else(|| kind.as_ref()?.default_timeout())?;
                (self.since.elapsed() >= timeout).then_some(c"timeout".as_ptr())
            }
            Holder::Built(_) => None,
        }
    }
}

/// The job's id. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_jid(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.jid.as_ptr())
}

/// The name of the handler that performs it. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_kind(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.kind.as_ptr())
}

/// The queue it was taken from. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_queue(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.queue.as_ptr())
}

/// Its data: one JSON value, byte for byte as it was put. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_data(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.data.as_ptr())
}

/// The length of mh_job_data() in bytes. 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_data_length(job: *const mh_job) -> usize {
    read!(job, 0, |job: &mh_job| job.data.length())
}

/// Its priority, -128 to 127, larger first. 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_priority(job: *const mh_job) -> i32 {
    read!(job, 0, |job: &mh_job| job.priority)
}

/// How often it may run again after its first run in this queue, 0 to 255. 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_retries(job: *const mh_job) -> i32 {
    read!(job, 0, |job: &mh_job| job.retries)
}

/// How many of its retries are left. 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_remaining(job: *const mh_job) -> i32 {
    read!(job, 0, |job: &mh_job| job.remaining)
}

/// The number that proves the lease, in digits: for a job, it grows with every reserve. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_token(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.token.as_ptr())
}

/// Its labels: a JSON array of texts. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_tags_json(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.tags_json.as_ptr())
}

/// The queues it still goes through after this one: a JSON array of texts. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_route_json(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.route_json.as_ptr())
}

/// The throttles it holds while it runs: a JSON array of texts. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_throttles_json(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.throttles_json.as_ptr())
}

/// The texts that go with it through all stages: a JSON object of texts. NULL for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_headers_json(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.headers_json.as_ptr())
}

/// How many milliseconds a run of it may take as its put says; 0 when that says nothing, and for NULL: then mh_client_define() or
/// the worker's options say it.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_timeout_ms(job: *const mh_job) -> i64 {
    read!(job, 0, |job: &mh_job| job.timeout_ms)
}

/// How long it waits after an error as its put says: JSON, as "backoff_ms" of mh_queue_put(). NULL when that says nothing, and for
/// NULL: then mh_client_define() says it.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_backoff_json(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.backoff_json.as_ref().map_or(ptr::null(), Text::as_ptr))
}

/// The jid of the recurring job that put it, or NULL when it was put by itself, and for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_parent(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.parent.as_ref().map_or(ptr::null(), Text::as_ptr))
}

/// Whether events tell what happens to it, as of its reserve. false for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_tracked(job: *const mh_job) -> bool {
    read!(job, false, |job: &mh_job| job.tracked)
}

/// How long the lease lasts from the reserve on, if it is not renewed. A worker renews it. 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_lease_ms(job: *const mh_job) -> u64 {
    read!(job, 0, |job: &mh_job| job.lease_ms)
}

/// When it was put, in milliseconds of UTC since 1970, by the clock of Redis. 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_put_at_ms(job: *const mh_job) -> u64 {
    read!(job, 0, |job: &mh_job| job.put_at_ms)
}

/// Why the job is no longer ours: "expired", "cancelled", "replaced", "finished" or "unknown". NULL while it is, as
/// far as is known, and for NULL.
///
/// A long handler looks at it now and then, and stops working when it is not NULL: another worker may have the job, and
/// whatever ends this run is refused. A worker's job knows it within 2 seconds, by the worker's own pulse; a job of
/// mh_queue_reserve() learns it from mh_job_heartbeat() only.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_lost(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.lost().map_or(ptr::null(), Text::as_ptr))
}

/// Why its handler should end. NULL while it may go on, and for NULL.
///
/// It is what mh_job_lost() says; or "killed" after mh_worker_kill_running(): the job is still ours then, and is given back
/// with mh_job_release(), which spends no retry; or "timeout", when it has run longer than its put, the
/// worker's options or mh_client_define() allow: the job is still ours, and ends with mh_job_error(), which spends one.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_interrupted(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| job.interrupted().unwrap_or(ptr::null()))
}

/// Free a job, whether or not its run has ended. NULL is fine.
///
/// Threads:   none may be using the handle.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_free(job: *mut mh_job) {
    free!(job);
}
