//! Events: what the engine tells of jobs.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use manyhands::{Code, Error, Events, EventsOptions};

use crate::client::mh_client;
use crate::error::{mh_code, mh_error};

/// A subscription to events, with a connection of its own.
///
/// Ownership: whoever opened it frees it with mh_events_free().
/// Threads:   any number at once; each event goes to one of them.
/// Fork:      belongs to the process that opened it; a forked child gets MH_CODE_CLOSED, and opens its own.
pub struct mh_events {
    events: Events,
}

/// Subscribe to events. When this returns, the server has confirmed it: whatever happens from now on is told.
///
/// options_json  A JSON object, or NULL for none:
///               "what"    names of events: "put", "waiting", "scheduled", "blocked", "throttled", "reserved", "stalled",
///                         "completed", "failed", "cancelled", "track", "untrack"; "*" stands for all. Default: all, or
///                         none when a worker is named.
///               "worker"  a worker's name: its channel too, which tells what becomes of the jobs it holds ("stalled",
///                         "lost" or "cancelled"), whether they are tracked or not.
///
/// Events tell of tracked jobs (the operation "job_track"), or of all jobs when the setting "events" is "all".
///
/// Returns MH_CODE_OK and sets *out_events to a new subscription.
/// Returns MH_CODE_INVALID_ARGUMENT naming the option; MH_CODE_CLOSED, MH_CODE_UNAVAILABLE; MH_CODE_DENIED, also for a
/// login that may not subscribe to {namespace}:event:*; and what else keeps mh_client_call() from the server.
///
/// Ownership: the caller frees *out_events with mh_events_free(). It does not need `client` to stay.
/// Threads:   any.
/// Blocking:  as mh_client_call().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_events_open(
    client: *mut mh_client,
    options_json: *const c_char,
    out_events: *mut *mut mh_events,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, "events_open", {
        let client = handle!(client)?.client();
        let options = optional_text!(options_json)?;
        let out_events = output!(out_events)?;
        let options = EventsOptions::parse(options.unwrap_or_default())
            .map_err(|error| error.renamed(&[("options ", "options_json ")]))?;
        let events = client.events(options)?;
        out_events.give(mh_events { events });
        Ok(())
    })
}

/// Wait for the next event, at most `timeout_ms` milliseconds (0: do not wait; UINT64_MAX: for ever).
///
/// Returns MH_CODE_OK and sets *out_event_json to a JSON object, or to NULL when none came in time:
///               "event"   what happened: one of the names of mh_events_open(), or "lost".
///               "jid"     to which job.
///               "queue"   the queue it is in now.
///               "kind"    the name of its handler.
///               "worker"  who holds it now, or null; on a worker's channel, that worker.
///               "at_ms"   when, in milliseconds of UTC since 1970.
/// Returns MH_CODE_CLOSED when nothing more will come: after mh_events_close() or mh_client_close(), which end the wait
/// within 100 ms, and in a forked child.
/// Returns what keeps it from the server and cannot pass by itself, for example MH_CODE_DENIED; the next call tries again.
///
/// When the connection breaks another is made here, for as long as the time lasts. With the setting "events" at "all", what
/// happened meanwhile is told then, in its order and once, before what happens later: Redis keeps the last 10,000 events or
/// so. What cannot be known is not told, see mh_events_gaps(). One try to reach the server lasts 5 s at most, whatever
/// `timeout_ms` says.
///
/// Ownership: the caller frees *out_event_json with mh_string_free().
/// Threads:   any number at once; each event goes to one of them.
/// Blocking:  yes. Signals are delivered to their handlers every 100 ms, but do not end the wait.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_events_next(
    events: *mut mh_events,
    timeout_ms: u64,
    out_event_json: *mut *mut c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, "events_next", {
        let events = &handle!(events)?.events;
        let out_event_json = output!(out_event_json)?;
        match events.next(Some(Duration::from_millis(timeout_ms)))? {
            Some(event) => return out_event_json.give_text(event.to_json(), "the event"),
            None if events.is_closed() => return Err(Error::new(Code::Closed, "the subscription is closed")),
            None => out_event_json.set(ptr::null_mut()),
        }
        Ok(())
    })
}

/// How often events may have been missed, counted when a lost connection is back: where the setting "events" is not "all"
/// or became so only meanwhile, where more happened meanwhile than Redis keeps, and where the login may not use XINFO and
/// XREVRANGE on {namespace}:events. For a worker's channel also where any job was cancelled meanwhile: what Redis keeps does
/// not say whose it was. 0 for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_events_gaps(events: *const mh_events) -> u64 {
    read!(events, 0, |events: &mh_events| events.events.gaps())
}

/// Close a subscription: from now on mh_events_next() returns MH_CODE_CLOSED, also in threads that wait in it. Closing
/// twice is fine.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT when `events` is NULL.
///
/// Ownership: the handle remains, and is freed with mh_events_free().
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_events_close(events: *mut mh_events, out_error: *mut *mut mh_error) -> mh_code {
    fallible!(out_error, {
        handle!(events)?.events.close();
        Ok(())
    })
}

/// Free a subscription, closing it. NULL is fine.
///
/// Threads:   none may be using the handle.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_events_free(events: *mut mh_events) {
    free!(events);
}
