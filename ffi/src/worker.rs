//! The worker: it fetches, keeps leases and delivers outcomes; the caller's threads perform.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use manyhands::{Code, Error, Next, Result, WorkSettings, Worker};
use serde_json::{Map, Value};

use crate::client::mh_client;
use crate::error::{mh_code, mh_error};
use crate::job::mh_job;
use crate::strategy::Chosen;
use crate::text::Text;

/// A worker: two native threads of its own fetch jobs, renew their leases and deliver their outcomes, while the
/// program's own threads take jobs with mh_worker_next() and perform them.
///
/// Ownership: whoever opened it frees it with mh_worker_free().
/// Threads:   any number at once; as many as the option "threads" says should wait in mh_worker_next().
/// Fork:      belongs to the process that opened it; a forked child gets MH_CODE_CLOSED, and opens its own.
pub struct mh_worker {
    worker: Worker,
    name: Text,
    /// Of a worker whose queues a function chooses.
    chosen: Option<Chosen>,
}

impl mh_worker {
    fn open(client: &mh_client, options: &str) -> Result<mh_worker> {
        let worker = Worker::open(client.client(), &with_language(options));
        let worker = worker.map_err(|error| error.renamed(&[("options ", "options_json ")]))?;
        client.kinds().all().iter().try_for_each(|kind| worker.define(kind))?;
        let name = Text::new(worker.name().to_owned(), "the worker's name")?;
        Ok(mh_worker { worker, name, chosen: Chosen::of(options) })
    }

    pub(crate) fn chosen(&self) -> Option<&Chosen> {
        self.chosen.as_ref()
    }

    fn next(&self, timeout: Duration) -> Result<Next> {
        match &self.chosen {
            Some(chosen) => chosen.next(&self.worker, timeout),
            None => self.worker.next(timeout),
        }
    }

    pub(crate) fn core(&self) -> &Worker {
        &self.worker
    }
}

/// Says in the worker's status that it is C, unless the options name a language. Options that are no JSON object are
/// left for the core to refuse.
fn with_language(options: &str) -> String {
    match serde_json::from_str::<Map<String, Value>>(options) {
        Ok(mut members) => {
            members.entry("language").or_insert_with(|| "c".into());
            Value::Object(members).to_string()
        }
        Err(_) => options.to_owned(),
    }
}

/// The time a stop may take: a negative one stands for the worker's option.
fn stop_timeout(worker: &Worker, timeout_ms: i64) -> Duration {
    u64::try_from(timeout_ms).map_or_else(|_| worker.shutdown_timeout(), Duration::from_millis)
}

fn no_more_jobs() -> Error {
    let message = "the worker takes no more jobs: it was told to be quiet or to stop";
    Error::new(Code::Closed, message)
}

/// Open a worker. The options are checked; the first mh_worker_next() starts its threads and connects.
///
/// options_json  A JSON object:
///               "queues"               the queues to take jobs from, 1 to 1000 names or patterns, in the order they are
///                                      asked. Must be there. "mail-*" stands for the queues there are that match ("*":
///                                      any text), by name; "!mail-bulk" takes away what it matches of the entries before
///                                      it, or, as the first, of all queues; "@slow" stands for a saved list (operation
///                                      "pattern_set"), "!@slow" for the opposite of each of its entries. Patterns are
///                                      followed while the worker runs; saved priorities come before the order here.
///               "strategy"             "ordered": a queue is asked when those before it give nothing; "round_robin":
///                                      all get equal shares; "shuffled_round_robin": the same, in an order drawn anew
///                                      for each call; "weighted": shares by "weights"; "callback": those that the
///                                      function of mh_worker_choose() says. Default "ordered".
///               "weights"              of "weighted": an object of 1 to 1000 by queue or pattern. A queue has that of its
///                                      own name, else of the longest pattern that matches it, else 1.
///               "threads"              how many threads will perform at once, 1 to 1000. Default 1.
///               "kinds"                the kinds that have handlers here, told to other workers. Default none. What holds for
///                                      the runs of a kind can be said by mh_client_define() before this.
///               "language"             told in the worker's status. Default "c".
///               "shutdown_timeout_ms"  how long mh_worker_stop() waits for started jobs, if it is not told. Default
///                                      25000.
///               "interval_ms"          how long an idle worker waits before it looks for what nobody told it, 10 to
///                                      86400000. Default 2000.
///               "timeout_ms"           how long a handler may run before mh_job_interrupted() says "timeout". Default: for
///                                      ever.
///               "timeouts"             the same for some kinds: an object {kind: milliseconds}. A put's own comes first.
///               "kill_timeout_ms"      how long it may take to end then; see mh_worker_is_stuck(). Default 2000.
///               "max_jobs"             how many jobs to start in all, before mh_worker_next() returns MH_CODE_CLOSED.
///                                      Default 0: no limit.
///               "log"                  "off", or "text" or "json": a line on standard error for each job that ends.
///                                      Default "off".
///               "verbose"              true: and for each that starts. Default false.
///               "statsd"               an object {"host", "port", "key"}: figures of the jobs that end go there by UDP,
///                                      named <key>.<kind>.count, <key>.<kind>.<outcome> and <key>.<kind>.time. Default
///                                      none; "port" 8125, "key" "manyhands".
///
/// Returns MH_CODE_OK and sets *out_worker to a new worker.
/// Returns MH_CODE_INVALID_ARGUMENT naming the option.
///
/// Ownership: the caller stops *out_worker with mh_worker_stop() and frees it with mh_worker_free(). It does not need
///            `client` to stay.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_open(
    client: *mut mh_client,
    options_json: *const c_char,
    out_worker: *mut *mut mh_worker,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let client = handle!(client)?;
        let options = text!(options_json)?;
        let out_worker = output!(out_worker)?;
        out_worker.give(mh_worker::open(client, options)?);
        Ok(())
    })
}

/// Open a worker as mh_worker_open() does, in a program that its user runs by `manyhands work` or alone: what the user set
/// from outside wins over `options_json`, which needs no "queues" then. Those are the environment variables QUEUES,
/// RESERVATION, THREAD_COUNT, JOBS_PER_FORK, INTERVAL, SHUTDOWN_TIMEOUT, KILL_TIMEOUT, VERBOSE, VVERBOSE and STATSD_HOST,
/// STATSD_PORT, STATSD_KEY; `manyhands work --help` explains them. As many threads as mh_worker_threads() says should perform.
///
/// All that a master wants of the process is done by mh_worker_next(): it returns MH_CODE_CLOSED when the process is to end.
///
/// options_json  As in mh_worker_open(), or NULL for none.
///
/// Returns MH_CODE_OK and sets *out_worker to a new worker.
/// Returns MH_CODE_INVALID_ARGUMENT naming the option, or the environment variable.
///
/// Ownership: the caller stops *out_worker with mh_worker_stop() and frees it with mh_worker_free().
/// Threads:   any, while none changes the environment.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_open_under_settings(
    client: *mut mh_client,
    options_json: *const c_char,
    out_worker: *mut *mut mh_worker,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let client = handle!(client)?;
        let options = optional_text!(options_json)?;
        let out_worker = output!(out_worker)?;
        let options = WorkSettings::from_environment()?.worker_options(options.unwrap_or("{}"));
        let options = options.map_err(|error| error.renamed(&[("options ", "options_json ")]))?;
        out_worker.give(mh_worker::open(client, &options)?);
        Ok(())
    })
}

/// Wait for the next job, at most `timeout_ms` milliseconds (0: do not wait; UINT64_MAX: for ever).
///
/// Returns MH_CODE_OK and sets *out_job to a job to perform, or to NULL when none came in time. While Redis cannot be
/// reached none comes; a line on standard error says so once.
/// Returns MH_CODE_CLOSED when no more jobs will come: after mh_worker_quiet() or mh_worker_stop(), which end the
/// wait at once, and in a forked child.
/// Returns MH_CODE_WRONG_STATE or MH_CODE_INVALID_ARGUMENT under the strategy "callback": see mh_worker_choose().
/// Returns what keeps the worker from its work and cannot pass by itself: MH_CODE_DENIED, MH_CODE_ENGINE_OUTDATED,
/// MH_CODE_SCHEMA_MISMATCH, MH_CODE_NO_SERVER_PROGRAM.
///
/// Ownership: the caller frees *out_job with mh_job_free(), after one of the mh_job functions has ended its run.
/// Threads:   any number at once; each job goes to one of them.
/// Blocking:  yes, on no socket. Signals are delivered to their handlers, but do not end the wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_next(
    worker: *mut mh_worker,
    timeout_ms: u64,
    out_job: *mut *mut mh_job,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, "worker_next", {
        let worker = handle!(worker)?;
        let out_job = output!(out_job)?;
        match worker.next(Duration::from_millis(timeout_ms))? {
            Next::Job(job) => out_job.give(mh_job::started(&worker.worker, job)?),
            Next::Empty => out_job.set(ptr::null_mut()),
            Next::Stopped => return Err(no_more_jobs()),
        }
        Ok(())
    })
}

/// Ask every running handler to end: mh_job_interrupted() says "killed" from now on, and mh_worker_take_interrupt() tells
/// it once for each job. A handler that has given up calls mh_job_release(), which spends no retry. The worker goes on.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `worker` is NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_kill_running(worker: *mut mh_worker, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, {
        handle!(worker)?.worker.kill_running();
        Ok(())
    })
}

/// Take no jobs until mh_worker_resume(): unstarted ones go back to their places, mh_worker_next() waits on, and started
/// ones are performed and ended as ever.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `worker` is NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_pause(worker: *mut mh_worker, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, {
        handle!(worker)?.worker.pause();
        Ok(())
    })
}

/// Take jobs again after mh_worker_pause().
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `worker` is NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_resume(worker: *mut mh_worker, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, {
        handle!(worker)?.worker.resume();
        Ok(())
    })
}

/// Give this process's signals to the worker: QUIT takes no new jobs, TERM and INT also interrupt the running handlers
/// (mh_job_interrupted() says "killed"), USR1 interrupts them and goes on, USR2 pauses, CONT resumes, TTIN says on standard error
/// what runs, with a backtrace of each thread that took a job. Without this call only a master's signals are obeyed.
///
/// The title of the process (ps, /proc/<pid>/cmdline) shows its queues and what it runs; argv stays as it is.
///
/// After QUIT, TERM and INT mh_worker_next() returns MH_CODE_CLOSED. When handlers still run after the option
/// "shutdown_timeout_ms" (QUIT) or "kill_timeout_ms" (TERM, INT), the outcomes that there are are delivered and the process exits with 128
/// and the signal's number; a second TERM or INT ends it at once. Either gives back what the handlers had begun, when every thread of
/// the process can be held for good before (or there is a master to do it).
///
/// Where there is no master, a handler that does not end after its timeout, see mh_worker_is_stuck(), ends the process so as well: with
/// status 70, once the others have ended or the option "shutdown_timeout_ms" is over. Until then the worker takes no more jobs.
///
/// The program's own handlers of these signals, installed before, are called as well. When all workers that obey are freed,
/// and in a forked child, the signals do what they did before.
///
/// Returns MH_CODE_OK.
/// Returns MH_CODE_CLOSED in a forked child, MH_CODE_INTERNAL when the system gives no thread or socket.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_obey_signals(worker: *mut mh_worker, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, "worker_obey_signals", { handle!(worker)?.worker.obey_signals() })
}

/// Take no more jobs: unstarted ones go back to their places, mh_worker_next() returns MH_CODE_CLOSED, and started
/// ones are performed and ended as ever. mh_worker_stop() must follow.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `worker` is NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_quiet(worker: *mut mh_worker, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, {
        handle!(worker)?.worker.quiet();
        Ok(())
    })
}

/// End the worker: take no more jobs, give the unstarted ones back, wait up to `timeout_ms` (negative: the option
/// "shutdown_timeout_ms") until the started ones are ended, deliver the outcomes, and end the native threads.
///
/// A job that is still performed after that is left to its lease; mh_worker_running() counts them. A second stop does
/// nothing.
///
/// Returns MH_CODE_OK.
/// Returns MH_CODE_UNAVAILABLE when outcomes did not reach Redis within 2 seconds, or within what was left of
/// timeout_ms when that was more: their jobs run again. MH_CODE_CLOSED in a forked child.
///
/// Ownership: the handle remains, and is freed with mh_worker_free().
/// Threads:   any that is not in the middle of a job of this worker: it would wait for itself.
/// Blocking:  yes; see above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_stop(
    worker: *mut mh_worker,
    timeout_ms: i64,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, "worker_stop", {
        let worker = &handle!(worker)?.worker;
        worker.stop(stop_timeout(worker, timeout_ms))
    })
}

/// How many threads should perform: the option "threads". 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_threads(worker: *const mh_worker) -> usize {
    read!(worker, 0, |worker: &mh_worker| worker.worker.threads())
}

/// The worker's name, host:pid:8 hex digits, new for every worker. NULL for NULL.
///
/// Ownership: the text belongs to `worker`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_name(worker: *const mh_worker) -> *const c_char {
    read!(worker, ptr::null(), |worker: &mh_worker| worker.name.as_ptr())
}

/// How many jobs of this worker are performed now: given out and not ended. 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_running(worker: *const mh_worker) -> usize {
    read!(worker, 0, |worker: &mh_worker| worker.worker.running())
}

/// Free a worker. NULL is fine. One that was not stopped is stopped as by mh_worker_stop() with 0, but nobody is told
/// of outcomes that could not be delivered.
///
/// Its jobs may still be freed after it; ending their runs returns MH_CODE_CLOSED then.
///
/// Threads:   none may be using the handle.
/// Blocking:  no when it was stopped; else as mh_worker_stop().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_free(worker: *mut mh_worker) {
    // The jobs in hand keep the worker's inner part, so dropping the handle would not stop it.
    read!(worker, (), |worker: &mh_worker| {
        let _: Result<()> = worker.worker.stop(Duration::ZERO);
    });
    free!(worker);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_c_unless_named() {
        assert_eq!(with_language(r#"{"queues":["a"]}"#), r#"{"language":"c","queues":["a"]}"#);
        assert_eq!(with_language(r#"{"language":"zig"}"#), r#"{"language":"zig"}"#);
        assert_eq!(with_language("nonsense"), "nonsense");
    }
}
