//! For the tests of programs that use Manyhands.

use std::ffi::{c_char, c_void};
use std::ptr;

use manyhands::{Code, Error, Job, Outcome};

use crate::error::{mh_code, mh_error};
use crate::job::{Holder, mh_job};
use crate::text::Text;
use crate::worker::mh_worker;

/// Make a job without a server, to test a handler with. Nobody holds it: what ends its run is only noted, for
/// mh_job_outcome_json(); mh_job_finish() says "built" as its state, and mh_job_heartbeat() 0 milliseconds.
///
/// kind          The name of the handler that performs it.
/// data_json     Its data, one JSON value. NULL: JSON null.
/// options_json  A JSON object, or NULL for none: "jid" and "queue" (default "built"), "priority", "retries", "tags", "route",
///               "throttles" and "headers" as in mh_queue_put(), "remaining" (retries that are left; default: all), "parent",
///               "tracked".
///
/// Returns MH_CODE_OK and sets *out_job to a new job.
/// Returns MH_CODE_INVALID_ARGUMENT naming the argument or option.
///
/// Ownership: the caller frees *out_job with mh_job_free().
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_build(
    kind: *const c_char,
    data_json: *const c_char,
    options_json: *const c_char,
    out_job: *mut *mut mh_job,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let (kind, data, options) = (text!(kind)?, optional_text!(data_json)?, text_or_empty!(options_json)?);
        let out_job = output!(out_job)?;
        let job = Job::build_with(kind, data.unwrap_or("null"), &options);
        let job = job.map_err(|error| error.renamed(&[("data ", "data_json "), ("options ", "options_json ")]))?;
        out_job.give(mh_job::built(job)?);
        Ok(())
    })
}

/// How the run of a job of mh_job_build() ended: the JSON that mh_job_finish() takes, without members that say nothing, such as
/// {"complete":{"result":7}}. NULL before, for other jobs, and for NULL.
///
/// Ownership: the text belongs to `job`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_outcome_json(job: *const mh_job) -> *const c_char {
    read!(job, ptr::null(), |job: &mh_job| match &job.holder {
        Holder::Built(ended) => ended.get().map_or(ptr::null(), Text::as_ptr),
        _ => ptr::null(),
    })
}

/// Perform the jobs that may run now, and those that they put, on this thread until there are none; for tests.
///
/// Queues are asked one after another in their order, patterns too. Outcomes are stored, and hooks are told, as with
/// mh_worker_next(). Jobs that are not due, throttled or in a paused queue stay where they are. The worker takes no jobs by
/// itself from then on, as after mh_worker_pause().
///
/// perform    Performs a job: ends its run by mh_job_complete() or its like before it returns, or the job is retried for an
///            error of class "unended". It does not free the job, and must not throw or jump out.
/// user_data  Given to it.
///
/// Returns MH_CODE_OK and sets *out_count to how many were performed; it may be a NULL pointer.
/// Returns MH_CODE_CLOSED after mh_worker_stop() or in a forked child; MH_CODE_OUTCOME_UNKNOWN when Redis did not answer for
/// 60 seconds; and the codes of mh_client_call(). What is left is left.
///
/// Threads:   one, while no other takes jobs of this worker.
/// Blocking:  yes: performs, and waits for Redis.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_drain(
    worker: *mut mh_worker,
    perform: Option<unsafe extern "C" fn(job: *mut mh_job, user_data: *mut c_void)>,
    user_data: *mut c_void,
    out_count: *mut usize,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, "worker_drain", {
        let worker = handle!(worker)?.core();
        let perform = perform.ok_or_else(|| Error::invalid("perform is NULL"))?;
        let out_count = optional_output!(out_count);
        let count = worker.drain_jobs(|job| {
            let (jid, token) = (job.jid.clone(), job.token.clone());
            let mut job = mh_job::started(worker, job)?;
            // SAFETY: the program gave a function of this shape; the job lives until it returns.
            unsafe { perform(&raw mut job, user_data) };
            let unended = Outcome::thrown("unended", "the handler returned without ending the run");
            match worker.finish(&jid, &token, unended) {
                Err(error) if error.code != Code::WrongState => Err(error),
                _ => Ok(()),
            }
        })?;
        out_count.set(count);
        Ok(())
    })
}
