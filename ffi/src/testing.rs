//! For the tests of programs that use Manyhands.

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::{PoisonError, RwLock};

use manyhands::testing::{RecordedPuts, recorded_puts};
use manyhands::{AroundPut, Client, Code, Error, Job, Outcome, Put, Result, Worker};
use serde_json::{Map, Value};

use crate::client::mh_client;
use crate::error::{mh_code, mh_error};
use crate::job::{Holder, mh_job};
use crate::text::Text;
use crate::worker::mh_worker;

/// Where the puts of a client go in a test.
#[derive(Default)]
pub(crate) struct Diversion(RwLock<Diverted>);

#[derive(Clone, Default)]
struct Diverted {
    /// None: to the server, as ever.
    to: Option<Client>,
    /// What came here when they were recorded last.
    recorded: Option<RecordedPuts>,
}

impl Diversion {
    /// What puts are done by instead of the client itself.
    pub fn client(&self) -> Option<Client> {
        self.now().to
    }

    fn record(&self, client: &Client) {
        let (recording, puts) = recorded_puts(client);
        self.set(Diverted { to: Some(recording), recorded: Some(puts) });
    }

    fn perform(&self, client: &Client, worker: Worker, performer: Performer) {
        let inline = client.with(move |puts: Vec<Put>, next: AroundPut<'_>| {
            let placed = next.call(puts)?;
            performer.drain(&worker)?;
            Ok(placed)
        });
        self.set(Diverted { to: Some(inline), ..self.now() });
    }

    fn end(&self) {
        self.set(Diverted { to: None, ..self.now() });
    }

    /// Those that agree with what is expected.
    fn recorded(&self, expected: &Expected) -> Result<Vec<String>> {
        let message = "no puts are recorded: mh_client_record_puts() begins that";
        let puts = self.now().recorded.ok_or_else(|| Error::new(Code::WrongState, message))?.all();
        Ok(puts.iter().filter_map(|put| expected.agreed(put)).collect())
    }

    fn now(&self) -> Diverted {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, diverted: Diverted) {
        let before = std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), diverted);
        // It may be the last to have a worker, whose end takes its time.
        drop(before);
    }
}

/// What is expected of a put; by default nothing.
#[derive(Default)]
struct Expected<'a> {
    kind: Option<&'a str>,
    members: Map<String, Value>,
}

impl<'a> Expected<'a> {
    fn read(kind: Option<&'a str>, json: &str) -> Result<Expected<'a>> {
        let json = if json.is_empty() { "{}" } else { json };
        let mut members: Map<String, Value> = serde_json::from_str(json)
            .map_err(|error| Error::invalid(format!("expected_json is not a JSON object: {error}")))?;
        members.retain(|name, value| name == "data" || !value.is_null());
        let mut options = members.clone();
        options.remove("data");
        if let Some(queue) = options.remove("queue").filter(|queue| !queue.is_string()) {
            return Err(Error::invalid(format!("expected_json.queue {queue} is not text")));
        }
        // What no put has would be agreed with by none, and missed by nobody.
        let names: Vec<String> = options.keys().cloned().collect();
        let like = Put::new("any")
            .with_options(&Value::Object(options).to_string())
            .map_err(|error| error.renamed(&[("options.", "expected_json.")]))?;
        // As the put says it, with every member of a backoff.
        let mut like: Map<String, Value> = serde_json::from_str(&like.to_json()).unwrap_or_default();
        members.extend(names.into_iter().filter_map(|name| like.remove_entry(&name)));
        Ok(Expected { kind, members })
    }

    /// A put that agrees, as JSON.
    fn agreed(&self, put: &Put) -> Option<String> {
        if self.kind.is_some_and(|kind| kind != put.kind) {
            return None;
        }
        let put = put.to_json();
        let found: Map<String, Value> = serde_json::from_str(&put).unwrap_or_default();
        self.members.iter().all(|(name, value)| found.get(name) == Some(value)).then_some(put)
    }

    /// In the words of an assertion.
    fn described(self) -> String {
        let kind = self.kind.map(|kind| format!(" of kind {kind}")).unwrap_or_default();
        if self.members.is_empty() {
            format!("job{kind}")
        } else {
            format!("job{kind} with {}", Value::Object(self.members))
        }
    }
}

/// A function of the program that performs jobs, and what it is given.
#[derive(Clone, Copy)]
struct Performer {
    perform: unsafe extern "C" fn(job: *mut mh_job, user_data: *mut c_void),
    user_data: *mut c_void,
}

// SAFETY: the header says that the function is called on the thread that puts, with `user_data` as it is.
unsafe impl Send for Performer {}
// SAFETY: as above.
unsafe impl Sync for Performer {}

impl Performer {
    fn drain(self, worker: &Worker) -> Result<usize> {
        worker.drain_jobs(|job| {
            let (jid, token) = (job.jid.clone(), job.token.clone());
            let mut job = mh_job::started(worker, job)?;
            // SAFETY: the program gave a function of this shape; the job lives until it returns.
            unsafe { (self.perform)(&raw mut job, self.user_data) };
            let unended = Outcome::thrown("unended", "the handler returned without ending the run");
            match worker.finish(&jid, &token, unended) {
                Err(error) if error.code != Code::WrongState => Err(error),
                _ => Ok(()),
            }
        })
    }
}

/// Make a job without a server, to test a handler with. Nobody holds it: what ends its run is only noted, for
/// mh_job_outcome_json(); mh_job_finish() says "built" as its state, and mh_job_heartbeat() 0 milliseconds.
///
/// kind          The name of the handler that performs it.
/// data_json     Its data, one JSON value. NULL: JSON null.
/// options_json  A JSON object, or NULL for none: "jid" and "queue" (default "built"), "priority", "retries", "tags", "route",
///               "throttles", "headers", "timeout_ms" and "backoff_ms" as in mh_queue_put(), "remaining" (retries that are
///               left; default: all), "parent", "tracked".
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
        let count = Performer { perform, user_data }.drain(worker)?;
        out_count.set(count);
        Ok(())
    })
}

/// Record what this client puts from now on, by mh_queue_put() and mh_queue_put_many(), instead of sending it; for tests. It needs
/// no server. What was recorded before is forgotten.
///
/// Wrong arguments are refused as far as that needs no server, defaults are those of mh_client_define(), and mh_client_hooks are
/// told. Each job counts as new: MH_PLACED_PUT. What goes by mh_client_call() is no put: that is sent.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `client` is NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_record_puts(client: *mut mh_client, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, {
        let client = handle!(client)?;
        client.diversion().record(client.client());
        Ok(())
    })
}

/// Perform what this client puts from now on at once; for tests. mh_queue_put() and mh_queue_put_many() return when what may run in
/// the worker's queues is performed, also what the handlers put, as by mh_worker_drain(). A put does not fail when its job does,
/// but with the codes of mh_worker_drain(); its jobs are put then all the same.
///
/// perform    As of mh_worker_drain(). It may put by this client: that is performed before its put returns.
/// user_data  Given to it.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT naming the argument that is NULL.
///
/// Ownership: `worker` may be freed: puts then return MH_CODE_CLOSED until mh_client_send_puts(). What user_data points to must last
///            until that.
/// Threads:   any; from then on one at a time puts by this client, and `perform` is called on it.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_perform_inline(
    client: *mut mh_client,
    worker: *mut mh_worker,
    perform: Option<unsafe extern "C" fn(job: *mut mh_job, user_data: *mut c_void)>,
    user_data: *mut c_void,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let (client, worker) = (handle!(client)?, handle!(worker)?.core());
        let perform = perform.ok_or_else(|| Error::invalid("perform is NULL"))?;
        client.diversion().perform(client.client(), worker.clone(), Performer { perform, user_data });
        Ok(())
    })
}

/// Send what this client puts from now on to the server, and no more: the end of mh_client_record_puts() and
/// mh_client_perform_inline(). What was recorded can still be asked for.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `client` is NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_send_puts(client: *mut mh_client, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, {
        handle!(client)?.diversion().end();
        Ok(())
    })
}

/// What was put since mh_client_record_puts(), or a part of it.
///
/// kind           Only jobs of this kind. NULL: of any.
/// expected_json  Only jobs that agree with this JSON object in all that it has; NULL: any. "queue", "data" (the whole of it,
///                whatever the order of its members) and the options of mh_queue_put(), of which those that a put did not say have
///                their defaults.
///
/// Returns MH_CODE_OK and sets *out_puts_json to a JSON array of them in their order, each an object of "jid", "queue", "kind",
/// "data" and all options, and *out_count to how many there are.
/// Returns MH_CODE_INVALID_ARGUMENT naming what no put has; MH_CODE_WRONG_STATE when none were recorded yet.
///
/// Ownership: the caller frees *out_puts_json with mh_string_free(). Both may be NULL pointers when they are not wanted.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_recorded_puts(
    client: *mut mh_client,
    kind: *const c_char,
    expected_json: *const c_char,
    out_puts_json: *mut *mut c_char,
    out_count: *mut usize,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let diversion = handle!(client)?.diversion();
        let expected = Expected::read(optional_text!(kind)?, &text_or_empty!(expected_json)?)?;
        let (out_puts_json, out_count) = (optional_output!(out_puts_json), optional_output!(out_count));
        let puts = diversion.recorded(&expected)?;
        out_puts_json.give_text(format!("[{}]", puts.join(",")), "the list of puts")?;
        out_count.set(puts.len());
        Ok(())
    })
}

/// Assert that such a job was put since mh_client_record_puts().
///
/// kind, expected_json  As of mh_client_recorded_puts().
///
/// Returns MH_CODE_OK when there is one.
/// Returns MH_CODE_JOB_NOT_FOUND when there is none: mh_error_message() says what was asked for, and what was put. Else as
/// mh_client_recorded_puts().
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_assert_put(
    client: *mut mh_client,
    kind: *const c_char,
    expected_json: *const c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let diversion = handle!(client)?.diversion();
        let expected = Expected::read(optional_text!(kind)?, &text_or_empty!(expected_json)?)?;
        if !diversion.recorded(&expected)?.is_empty() {
            return Ok(());
        }
        let all = diversion.recorded(&Expected::default())?.join(", ");
        let put = if all.is_empty() { "nothing" } else { &all };
        Err(Error::new(Code::JobNotFound, format!("no {} was put, but {put}", expected.described())))
    })
}

/// Assert that no such job was put since mh_client_record_puts().
///
/// kind, expected_json  As of mh_client_recorded_puts().
///
/// Returns MH_CODE_OK when there is none.
/// Returns MH_CODE_JOB_EXISTS when there is one: mh_error_message() says which. Else as mh_client_recorded_puts().
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_assert_not_put(
    client: *mut mh_client,
    kind: *const c_char,
    expected_json: *const c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let diversion = handle!(client)?.diversion();
        let expected = Expected::read(optional_text!(kind)?, &text_or_empty!(expected_json)?)?;
        let found = diversion.recorded(&expected)?;
        if found.is_empty() {
            return Ok(());
        }
        let message = format!("a {} was put: {}", expected.described(), found.join(", "));
        Err(Error::new(Code::JobExists, message))
    })
}
