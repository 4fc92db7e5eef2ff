//! What a worker has to tell the program that asks: refused outcomes, interrupts, orders and signals, and how it fares.

use std::ffi::c_char;
use std::ptr;

use manyhands::{Order, Signal};
use serde_json::{Value, json};

use crate::error::{mh_code, mh_error};
use crate::worker::mh_worker;

/// Take the outcomes that were refused since the last call: the job was no longer ours when its run was ended, or its
/// result was too large. What such a handler did does not count, and the job runs again or has been run by another
/// worker.
///
/// Call it now and then, and after mh_worker_stop(); the last 1000 are kept.
///
/// Returns MH_CODE_OK and sets *out_refused_json to NULL when there are none, else to a JSON array of objects:
///               "jid"        the job.
///               "token"      that of mh_job_token().
///               "operation"  how the run was ended, for example "job_complete".
///               "reason"     "expired", "cancelled", "replaced", "finished" or "unknown", as in mh_job_lost(); or an
///                            error's text.
///
/// Ownership: the caller frees *out_refused_json with mh_string_free().
/// Threads:   any; each refusal is told once.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_take_refused(
    worker: *mut mh_worker,
    out_refused_json: *mut *mut c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let worker = handle!(worker)?.core();
        let out_refused_json = output!(out_refused_json)?;
        let refused: Vec<Value> = worker
            .take_refused()
            .into_iter()
            .map(|one| json!({"jid": one.jid, "token": one.token, "operation": one.operation, "reason": one.reason}))
            .collect();
        if refused.is_empty() {
            out_refused_json.set(ptr::null_mut());
            return Ok(());
        }
        out_refused_json.give_text(Value::Array(refused).to_string(), "the list of refusals")
    })
}

/// Take the next piece of news for a running handler: it should end, as the job is no longer ours, or as somebody wants
/// that. Each is told once, oldest first. For programs whose handlers cannot look at mh_job_interrupted() themselves: a
/// thread calls this every 100 ms or so until there is none.
///
/// out_jid, out_token   the job, as of mh_job_jid() and mh_job_token(). NULL: not wanted.
/// out_reason           why, as in mh_job_interrupted().
///
/// Returns MH_CODE_OK and sets *out_reason to NULL, and the others not, when there is no more news.
///
/// Ownership: the caller frees *out_jid, *out_token and *out_reason with mh_string_free().
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_take_interrupt(
    worker: *mut mh_worker,
    out_jid: *mut *mut c_char,
    out_token: *mut *mut c_char,
    out_reason: *mut *mut c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let worker = handle!(worker)?.core();
        let out_reason = output!(out_reason)?;
        let Some(interrupt) = worker.take_interrupt() else {
            out_reason.set(ptr::null_mut());
            return Ok(());
        };
        // No jid or token that came from mh_worker_next() contains a NUL.
        optional_output!(out_jid).give_text(interrupt.jid, "the jid")?;
        optional_output!(out_token).give_text(interrupt.token, "the token")?;
        out_reason.give_text(interrupt.reason, "the reason")
    })
}

/// What an operator asked of the worker last, by the operation "worker_order": "quiet", "pause", "resume" or "stop"; a stop
/// is not taken back. NULL when nothing was asked, and for NULL. The worker does by itself what it can; on "stop" the program
/// should call mh_worker_stop() and end.
///
/// Ownership: the text is the library's own.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_ordered(worker: *const mh_worker) -> *const c_char {
    read!(worker, ptr::null(), |worker: &mh_worker| match worker.core().ordered() {
        None => ptr::null(),
        Some(Order::Quiet) => c"quiet".as_ptr(),
        Some(Order::Pause) => c"pause".as_ptr(),
        Some(Order::Resume) => c"resume".as_ptr(),
        Some(Order::Stop) => c"stop".as_ptr(),
    })
}

/// Take the oldest signal of the master (`manyhands work`) that was not taken: "QUIT", "TERM" or "TTIN"; each is told once. NULL
/// when there is none, and for NULL. By then the worker has done what it can: after "QUIT" and "TERM" no more jobs come, and
/// after "TERM" mh_job_interrupted() says "killed". Upon "TTIN" the program should tell its log what its threads do. After
/// mh_worker_obey_signals() the process's own "QUIT" and "TERM" come here as well, and "TTIN" does not: the worker tells the log.
///
/// Ownership: the text is the library's own.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_take_signal(worker: *mut mh_worker) -> *const c_char {
    read!(worker, ptr::null(), |worker: &mh_worker| match worker.core().take_signal() {
        Some(Signal::Quit) => c"QUIT".as_ptr(),
        Some(Signal::Term) => c"TERM".as_ptr(),
        Some(Signal::Ttin) => c"TTIN".as_ptr(),
        // The core keeps the others to itself.
        None | Some(Signal::Int | Signal::Usr1 | Signal::Usr2 | Signal::Cont | Signal::Hup) => ptr::null(),
    })
}

/// Whether a handler did not end within the option "kill_timeout_ms" after its time was over. It will not: the process
/// should call mh_worker_quiet(), let the others finish, and exit with status 70. false for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_is_stuck(worker: *const mh_worker) -> bool {
    read!(worker, false, |worker: &mh_worker| worker.core().is_stuck())
}

/// Whether of the option "max_jobs" fewer are left than there are threads: soon some of them stand idle. A master hears of
/// it by itself, and earlier where jobs are short. false for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_is_spent(worker: *const mh_worker) -> bool {
    read!(worker, false, |worker: &mh_worker| worker.core().is_spent())
}
