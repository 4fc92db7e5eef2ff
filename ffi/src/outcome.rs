//! How the run of a job ends, and how its lease is kept until then.

use std::ffi::c_char;
use std::sync::OnceLock;

use manyhands::ops::{Ended, Ending, JobComplete, JobFail, JobHeartbeat, JobRelease, JobRetry, JobSnooze, Lease};
use manyhands::{Answer, Client, Code, Error, JobKind, Outcome, Request, Result};

use crate::error::{mh_code, mh_error};
use crate::job::{Holder, mh_job};
use crate::text::Text;

impl mh_job {
    /// Ends the run: through the worker, which answers at once, or by a call of our own.
    fn end(&self, outcome: Outcome) -> Result<()> {
        match &self.holder {
            Holder::Worker(worker) => worker.finish(self.jid.as_str(), self.token.as_str(), outcome),
            Holder::Client(client, kind) => self.deliver(client, kind.as_deref(), outcome).map(drop),
            Holder::Built(ended) => self.note_end(ended, &outcome),
        }
    }

    fn note_end(&self, ended: &OnceLock<Text>, outcome: &Outcome) -> Result<()> {
        outcome.check()?;
        let again = |_| Error::new(Code::WrongState, "the run of this job has ended before").about(self.jid.as_str());
        ended.set(Text::new(outcome.to_json(), "the outcome")?).map_err(again)
    }

    /// Ends the run and answers the state the job is in then.
    fn end_and_wait(&self, outcome: Outcome) -> Result<String> {
        let jid = self.jid.as_str();
        match &self.holder {
            Holder::Worker(worker) => self.noting(worker.finish_wait(jid, self.token.as_str(), outcome)),
            Holder::Client(client, kind) => self.deliver(client, kind.as_deref(), outcome),
            Holder::Built(ended) => self.note_end(ended, &outcome).map(|()| "built".to_owned()),
        }
    }

    fn deliver(&self, client: &Client, kind: Option<&JobKind>, outcome: Outcome) -> Result<String> {
        let spent = u32::try_from(self.retries - self.remaining).unwrap_or(0);
        let unsaid = JobKind::new(self.kind.as_str());
        let outcome = kind.unwrap_or(&unsaid).ruled(spent, self.backoff.as_ref(), outcome);
        match outcome.into_ending(self.kind.as_str(), spent) {
            Ending::Complete(how) => self.send(client, JobComplete { jobs: vec![self.ended(how)] }),
            Ending::Fail(how) => self.send(client, JobFail { jobs: vec![self.ended(how)] }),
            Ending::Retry(how) => self.send(client, JobRetry { jobs: vec![self.ended(how)] }),
            Ending::Snooze(how) => self.send(client, JobSnooze { jobs: vec![self.ended(how)] }),
            Ending::Release => self.send(client, JobRelease { jobs: vec![self.lease()] }),
            Ending::UnknownKind => Err(Error::invalid("outcome unknown_kind is for the jobs of a worker")),
        }
    }

    fn send<R: Request<Reply = Vec<Answer>>>(&self, client: &Client, request: R) -> Result<String> {
        let answer = only(client, request)?.accepted(self.jid.as_str());
        self.noting(answer.map_err(|error| error.during(R::OPERATION)))
    }

    fn ended<How>(&self, how: How) -> Ended<How> {
        let run_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let Lease { jid, token } = self.lease();
        Ended { jid, token, run_ms, how }
    }

    fn lease(&self) -> Lease {
        Lease { jid: self.jid.as_str().to_owned(), token: self.token.as_str().to_owned() }
    }

    fn heartbeat(&self) -> Result<u64> {
        self.noting(match &self.holder {
            Holder::Worker(worker) => worker.heartbeat(self.jid.as_str(), self.token.as_str()),
            Holder::Client(client, _) => {
                only(client, JobHeartbeat { jobs: vec![self.lease()] }).and_then(|answer| answer)
            }
            Holder::Built(_) => Ok(self.lease_ms),
        })
    }

    /// Remembers that the lease is lost, if that is the answer.
    fn noting<T>(&self, answer: Result<T>) -> Result<T> {
        if let Err(Error { code: Code::LockLost, reason: Some(reason), .. }) = &answer {
            self.note_lost(reason);
        }
        answer
    }
}

/// The answer about the one job of a request.
fn only<A, R: Request<Reply = Vec<A>>>(client: &Client, request: R) -> Result<A> {
    let answer = client.send(request)?.pop();
    answer.ok_or_else(|| Error::internal("the engine answered about no job").during(R::OPERATION))
}

/// The run succeeded: the job goes on to its next queue, or is completed when there is none.
///
/// result_json   What the handler returns, one JSON value, kept byte for byte. NULL: no result.
/// options_json  A JSON object, or NULL for none:
///               "data"          new data for the next queue, any JSON value. Default: the data stays.
///               "queue"         the next queue. Default: the next of the job's route.
///               "delay_ms"      milliseconds until the job may run there. Default 0. Without a next queue the job is
///                               completed at once: there is nothing to wait for, and what was done is not refused.
///               "dependencies"  a list of at most 256 jids that the job waits for there.
///
/// For a worker's job this returns at once: the engine is told within a millisecond, or as soon as Redis can be
/// reached, and what it refuses comes out of mh_worker_take_refused(). For a job of mh_queue_reserve() it waits for
/// the answer.
///
/// Returns MH_CODE_OK.
/// Returns MH_CODE_INVALID_ARGUMENT naming the argument or option: the job is still in hand, and can be ended
/// otherwise.
/// Returns MH_CODE_WRONG_STATE when the run of this worker's job has ended before; MH_CODE_CLOSED after
/// mh_worker_stop() or in a forked child.
/// For a job of mh_queue_reserve() also MH_CODE_LOCK_LOST, and the codes of mh_client_call().
///
/// Ownership: the handle remains, and is freed with mh_job_free().
/// Threads:   any; only the first to end a run succeeds.
/// Blocking:  no, for a worker's job; else as mh_client_call().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_complete(
    job: *mut mh_job,
    result_json: *const c_char,
    options_json: *const c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, JobComplete::OPERATION, {
        let job = handle!(job)?;
        let (result, options) = (optional_text!(result_json)?, optional_text!(options_json)?);
        let outcome = Outcome::completed(result, options.unwrap_or_default());
        let ended = outcome.and_then(|outcome| job.end(outcome));
        ended.map_err(|error| error.renamed(&[("result ", "result_json "), ("options ", "options_json ")]))
    })
}

/// The job is given up, whatever retries are left, and kept in a failure group.
///
/// group    Failures that share a cause share a group.
/// message  What happened, for people; cut at 16 KiB. NULL: none.
/// trace    Where it happened; cut at 16 KiB. NULL: none.
///
/// Returns, ownership, threads and blocking: as mh_job_complete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_fail(
    job: *mut mh_job,
    group: *const c_char,
    message: *const c_char,
    trace: *const c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, JobFail::OPERATION, {
        let job = handle!(job)?;
        let group = text!(group)?.to_owned();
        job.end(Outcome::Fail { group, message: text_or_empty!(message)?, trace: text_or_empty!(trace)? })
    })
}

/// The handler met an error: the job runs again after a wait that doubles with each retry (1 s to 1 h, ±10 %),
/// spending a retry, and is failed in the group "<kind>:<class>" when none is left. What an exception does in other
/// languages. mh_client_define() may have said otherwise of its kind.
///
/// class_name  The kind of error, for example "ENOENT"; of an error of this library mh_error_name(), as in other
///             languages.
/// message     What happened, for people; cut at 16 KiB. NULL: none.
/// trace       Where it happened; cut at 16 KiB. NULL: none.
///
/// Returns, ownership, threads and blocking: as mh_job_complete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_error(
    job: *mut mh_job,
    class_name: *const c_char,
    message: *const c_char,
    trace: *const c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, JobRetry::OPERATION, {
        let job = handle!(job)?;
        let class = text!(class_name)?.to_owned();
        job.end(Outcome::Error { class, message: text_or_empty!(message)?, trace: text_or_empty!(trace)? })
    })
}

/// The job runs again after `delay_ms` (0: at once), spending a retry; when none is left it is failed.
///
/// group    The group it is failed in then. NULL: "failed-retries-<queue>".
/// message  What happened, for people; kept as the job's failure, cut at 16 KiB. NULL: none.
/// trace    Where it happened; cut at 16 KiB. NULL: none.
///
/// mh_job_error() does the same with a wait that grows.
///
/// Returns, ownership, threads and blocking: as mh_job_complete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_retry(
    job: *mut mh_job,
    delay_ms: i64,
    group: *const c_char,
    message: *const c_char,
    trace: *const c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, JobRetry::OPERATION, {
        let job = handle!(job)?;
        let delay_ms = span("delay_ms", delay_ms)?;
        let (group, message) = (text_or_empty!(group)?, text_or_empty!(message)?);
        job.end(Outcome::Retry { delay_ms, group, message, trace: text_or_empty!(trace)? })
    })
}

/// The job runs again after `delay_ms`, spending nothing.
///
/// Returns, ownership, threads and blocking: as mh_job_complete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_snooze(job: *mut mh_job, delay_ms: i64, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, JobSnooze::OPERATION, {
        let job = handle!(job)?;
        job.end(Outcome::Snooze { delay_ms: span("delay_ms", delay_ms)? })
    })
}

/// The job was not started, or an operator stops it: it waits again at its old place, spending nothing.
///
/// Returns, ownership, threads and blocking: as mh_job_complete().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_release(job: *mut mh_job, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, JobRelease::OPERATION, { handle!(job)?.end(Outcome::Release) })
}

/// End the run in any way, and wait for the engine's own answer.
///
/// outcome_json  A JSON object with one member:
///               {"complete": {"result", "data", "queue", "delay_ms", "dependencies"}},
///               {"fail": {"group", "message", "trace"}}, {"error": {"class", "message", "trace"}},
///               {"retry": {"delay_ms", "group", "message", "trace"}},
///               {"snooze": {"delay_ms"}}, {"release": {}}, or, of a worker, {"unknown_kind": {}}: it has no handler for
///               the job's kind, and it runs again later while another live worker has one, else it is failed in the
///               group "unknown-kind:<kind>". The members are the arguments and options of the functions above.
///
/// Returns MH_CODE_OK and sets *out_state to what the job is now: "completed", "waiting", "scheduled", "blocked" or
/// "failed".
/// Returns MH_CODE_LOCK_LOST when it was no longer ours: nothing was changed, and mh_error_reason() says why.
/// Returns MH_CODE_OUTCOME_UNKNOWN when no answer came within 60 seconds; and the codes of mh_job_complete().
///
/// Ownership: the caller frees *out_state with mh_string_free(). It may be a NULL pointer when the state is not wanted.
/// Threads:   any; only the first to end a run succeeds.
/// Blocking:  as mh_client_call().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_finish(
    job: *mut mh_job,
    outcome_json: *const c_char,
    out_state: *mut *mut c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let job = handle!(job)?;
        let outcome = Outcome::from_json(text!(outcome_json)?)?;
        let out_state = optional_output!(out_state);
        out_state.give_text(job.end_and_wait(outcome)?, "the state")
    })
}

/// Renew the job's lease now. A worker renews those of its jobs by itself.
///
/// Returns MH_CODE_OK and sets *out_lease_ms to the milliseconds the lease now lasts; it may be a NULL pointer.
/// Returns MH_CODE_LOCK_LOST when the job is no longer ours; MH_CODE_CLOSED in a forked child, for a worker's job;
/// and the codes of mh_client_call().
///
/// Threads:   any.
/// Blocking:  as mh_client_call().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_job_heartbeat(
    job: *mut mh_job,
    out_lease_ms: *mut u64,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, JobHeartbeat::OPERATION, {
        let job = handle!(job)?;
        let out_lease_ms = optional_output!(out_lease_ms);
        out_lease_ms.set(job.heartbeat()?);
        Ok(())
    })
}

/// A span of C's signed type, so that a negative one is told from a huge one.
fn span(name: &str, ms: i64) -> Result<u64> {
    u64::try_from(ms).map_err(|_| Error::invalid(format!("{name} {ms} is negative")))
}
