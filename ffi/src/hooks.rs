//! Hooks: functions of the program that are told what its workers do and what its client puts.

use std::ffi::{CString, c_char, c_void};
use std::ptr;
use std::time::Duration;

use manyhands::{Hooks, Outcome, Run};

use crate::client::mh_client;
use crate::error::{mh_code, mh_error};
use crate::worker::mh_worker;

/// One run of a job, as mh_worker_hooks are told of it. It and its texts last as long as the call.
#[repr(C)]
pub struct mh_run {
    /// The worker's name.
    pub worker: *const c_char,
    /// The job.
    pub jid: *const c_char,
    /// The token it runs under.
    pub token: *const c_char,
    /// The name of its handler.
    pub kind: *const c_char,
    /// The queue it was taken from.
    pub queue: *const c_char,
    /// 1 for its first run in this queue, and one more for each retry that was spent.
    pub attempt: u32,
    /// How it ended: "complete", "fail", "retry", "snooze", "error", "release" or "unknown_kind". NULL before.
    pub outcome: *const c_char,
    /// What went wrong, or NULL.
    pub message: *const c_char,
    /// How long it took. 0 before.
    pub run_ms: u64,
}

/// What to call when something happens in a worker. Each may be NULL. They are called on the thread where it happens, several
/// at once, and should return soon; none may free the worker, throw or jump out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mh_worker_hooks {
    /// Given to each of them.
    pub user_data: *mut c_void,
    /// The worker begins: in its first mh_worker_next(). Nobody has a job before it returns.
    pub on_start: Option<unsafe extern "C" fn(user_data: *mut c_void, worker: *const c_char)>,
    /// A job is about to be given out: in mh_worker_next().
    pub before_perform: Option<unsafe extern "C" fn(user_data: *mut c_void, run: *const mh_run)>,
    /// A run has ended: in mh_job_complete(), mh_job_fail() and their like, for a worker's job.
    pub after_perform: Option<unsafe extern "C" fn(user_data: *mut c_void, run: *const mh_run)>,
    /// The same, after after_perform, when the outcome is "fail" or "error".
    pub on_failure: Option<unsafe extern "C" fn(user_data: *mut c_void, run: *const mh_run)>,
    /// A job that is performed, or has just ended, is not ours any more: one after another, on a thread of the worker
    /// that does nothing else. The reason is as in mh_job_lost().
    pub on_lock_lost: Option<
        unsafe extern "C" fn(user_data: *mut c_void, jid: *const c_char, token: *const c_char, reason: *const c_char),
    >,
    /// The worker has ended: in mh_worker_stop() or mh_worker_free().
    pub on_stop: Option<unsafe extern "C" fn(user_data: *mut c_void, worker: *const c_char)>,
}

/// What to call around the puts of a client, mh_queue_put() and mh_queue_put_many(), on the thread that puts. Each may be
/// NULL; none may free the client, throw or jump out.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct mh_client_hooks {
    /// Given to each of them.
    pub user_data: *mut c_void,
    /// Jobs are about to be put: a JSON array as in mh_queue_put_many(), with what mh_client_define() adds, and perhaps refused
    /// yet.
    pub before_put: Option<unsafe extern "C" fn(user_data: *mut c_void, jobs_json: *const c_char)>,
    /// They were put: the reply as in mh_queue_put_many().
    pub after_put:
        Option<unsafe extern "C" fn(user_data: *mut c_void, jobs_json: *const c_char, reply_json: *const c_char)>,
}

// SAFETY: the header says that the functions are called on any thread, with `user_data` as it is.
unsafe impl Send for mh_worker_hooks {}
// SAFETY: as above.
unsafe impl Sync for mh_worker_hooks {}
// SAFETY: as above.
unsafe impl Send for mh_client_hooks {}
// SAFETY: as above.
unsafe impl Sync for mh_client_hooks {}

/// A text for C. Names have no NUL; where a message has one it ends there.
fn text(text: &str) -> CString {
    let upto = text.split('\0').next().unwrap_or_default();
    CString::new(upto).unwrap_or_default()
}

type OnRun = Option<unsafe extern "C" fn(*mut c_void, *const mh_run)>;

impl mh_worker_hooks {
    fn tell(&self, hook: OnRun, run: &Run<'_>, ended: Option<(&Outcome, Duration)>) {
        let Some(hook) = hook else { return };
        let [worker, jid, token, kind, queue] = [run.worker, run.jid, run.token, run.kind, run.queue].map(text);
        let outcome = ended.map(|(outcome, _)| text(outcome.name()));
        let message = ended.and_then(|(outcome, _)| outcome.message()).filter(|it| !it.is_empty()).map(text);
        let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let run = mh_run {
            worker: worker.as_ptr(),
            jid: jid.as_ptr(),
            token: token.as_ptr(),
            kind: kind.as_ptr(),
            queue: queue.as_ptr(),
            attempt: run.attempt,
            outcome: pointer(&outcome),
            message: pointer(&message),
            run_ms: ended.map_or(0, |(_, took)| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        };
        // SAFETY: the program gave a function of this shape; what it is given lives until it returns.
        unsafe { hook(self.user_data, &raw const run) };
    }

    fn tell_of_worker(&self, hook: Option<unsafe extern "C" fn(*mut c_void, *const c_char)>, worker: &str) {
        let Some(hook) = hook else { return };
        let worker = text(worker);
        // SAFETY: as above.
        unsafe { hook(self.user_data, worker.as_ptr()) };
    }
}

impl Hooks for mh_worker_hooks {
    fn on_start(&self, worker: &str) {
        self.tell_of_worker(self.on_start, worker);
    }

    fn before_perform(&self, run: &Run<'_>) {
        self.tell(self.before_perform, run, None);
    }

    fn after_perform(&self, run: &Run<'_>, outcome: &Outcome, took: Duration) {
        self.tell(self.after_perform, run, Some((outcome, took)));
    }

    fn on_failure(&self, run: &Run<'_>, outcome: &Outcome, took: Duration) {
        self.tell(self.on_failure, run, Some((outcome, took)));
    }

    fn on_lock_lost(&self, _worker: &str, jid: &str, token: &str, reason: &str) {
        let Some(hook) = self.on_lock_lost else { return };
        let [jid, token, reason] = [jid, token, reason].map(text);
        // SAFETY: as above.
        unsafe { hook(self.user_data, jid.as_ptr(), token.as_ptr(), reason.as_ptr()) };
    }

    fn on_stop(&self, worker: &str) {
        self.tell_of_worker(self.on_stop, worker);
    }
}

impl mh_client_hooks {
    pub(crate) fn before_put(&self, jobs: &str) {
        let Some(hook) = self.before_put else { return };
        let jobs = text(jobs);
        // SAFETY: as above.
        unsafe { hook(self.user_data, jobs.as_ptr()) };
    }

    pub(crate) fn after_put(&self, jobs: &str, reply: &str) {
        let Some(hook) = self.after_put else { return };
        let [jobs, reply] = [jobs, reply].map(text);
        // SAFETY: as above.
        unsafe { hook(self.user_data, jobs.as_ptr(), reply.as_ptr()) };
    }
}

/// Have functions of the program called when something happens in a worker, in addition to those it has. Best before the
/// first mh_worker_next().
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT naming the argument that is NULL.
///
/// Ownership: `hooks` is copied. What hooks->user_data points to must last until the worker and its jobs are freed.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_hook(
    worker: *mut mh_worker,
    hooks: *const mh_worker_hooks,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let worker = handle!(worker)?.core().clone();
        let _ = worker.hooked(*handle!(hooks)?);
        Ok(())
    })
}

/// Have functions of the program called around the puts of a client, in addition to those it has.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT naming the argument that is NULL.
///
/// Ownership: `hooks` is copied. What hooks->user_data points to must last until the client is freed.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_hook(
    client: *mut mh_client,
    hooks: *const mh_client_hooks,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let client = handle!(client)?;
        client.hook(*handle!(hooks)?);
        Ok(())
    })
}
