//! Codes and errors.

use std::ffi::{CStr, c_char, c_int};
use std::fmt;
use std::ptr;

use manyhands::{Code, Error};

use crate::text::Text;

/// How a call ended: MH_CODE_OK, or what went wrong. The numbers and names are the same in every language, come in
/// bands (1xx the caller, 2xx the job, 3xx the server, 9xx a fault of ours), and are never reused.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum mh_code {
    /// It worked.
    Ok = 0,
    /// An argument, option or setting is wrong; the message names it.
    InvalidArgument = 100,
    /// There is no operation of this name.
    UnknownOperation = 101,
    /// The URL's scheme is not one this build can connect to.
    UnsupportedUrl = 102,
    /// The jid belongs to another partition than the job it needs.
    WrongPartition = 103,
    /// A dependency does not exist and `missing` is `reject`.
    UnknownDependency = 104,
    /// The dependencies would form a circle.
    Cycle = 105,
    /// The search for a circle met too many jobs.
    TooDeep = 106,
    /// The client is closed, the worker is stopped, or the worker belongs to the process this one was forked from.
    Closed = 107,
    /// No job has this jid.
    JobNotFound = 200,
    /// The job is no longer held by this handle; mh_error_reason() says why. Nothing was changed.
    LockLost = 201,
    /// The job's state does not allow this.
    WrongState = 202,
    /// Other jobs wait for this one.
    HasDependents = 203,
    /// A job of this jid exists and `on_conflict` is `reject`.
    JobExists = 204,
    /// Redis cannot be reached, is loading, or is busy. Nothing was changed.
    Unavailable = 300,
    /// A reading call got no answer within `timeout_ms`.
    Timeout = 301,
    /// A changing call was sent but got no answer within `timeout_ms`: it may or may not have happened.
    OutcomeUnknown = 302,
    /// Redis is at its `maxmemory`. Nothing was changed.
    OutOfMemory = 303,
    /// Redis takes no writes now: a replica, a failed save, or too few replicas. Nothing was changed.
    ReadOnly = 304,
    /// Wrong or missing password, a right (ACL) is missing, or a TLS certificate does not fit, the server's or the client's.
    Denied = 305,
    /// The server, or the engine loaded in it, is older than this library needs.
    EngineOutdated = 306,
    /// The namespace was written by another major version of the engine.
    SchemaMismatch = 307,
    /// An `embedded:` URL needs a redis-server or valkey-server program, and there is none on the PATH.
    NoServerProgram = 308,
    /// A fault in Manyhands itself.
    Internal = 900,
}

/// Every code with its name, for C.
const NAMES: &[(mh_code, &CStr)] = &[
    (mh_code::Ok, c"OK"),
    (mh_code::InvalidArgument, c"INVALID_ARGUMENT"),
    (mh_code::UnknownOperation, c"UNKNOWN_OPERATION"),
    (mh_code::UnsupportedUrl, c"UNSUPPORTED_URL"),
    (mh_code::WrongPartition, c"WRONG_PARTITION"),
    (mh_code::UnknownDependency, c"UNKNOWN_DEPENDENCY"),
    (mh_code::Cycle, c"CYCLE"),
    (mh_code::TooDeep, c"TOO_DEEP"),
    (mh_code::Closed, c"CLOSED"),
    (mh_code::JobNotFound, c"JOB_NOT_FOUND"),
    (mh_code::LockLost, c"LOCK_LOST"),
    (mh_code::WrongState, c"WRONG_STATE"),
    (mh_code::HasDependents, c"HAS_DEPENDENTS"),
    (mh_code::JobExists, c"JOB_EXISTS"),
    (mh_code::Unavailable, c"UNAVAILABLE"),
    (mh_code::Timeout, c"TIMEOUT"),
    (mh_code::OutcomeUnknown, c"OUTCOME_UNKNOWN"),
    (mh_code::OutOfMemory, c"OUT_OF_MEMORY"),
    (mh_code::ReadOnly, c"READ_ONLY"),
    (mh_code::Denied, c"DENIED"),
    (mh_code::EngineOutdated, c"ENGINE_OUTDATED"),
    (mh_code::SchemaMismatch, c"SCHEMA_MISMATCH"),
    (mh_code::NoServerProgram, c"NO_SERVER_PROGRAM"),
    (mh_code::Internal, c"INTERNAL"),
];

fn named(number: c_int) -> Option<(mh_code, &'static CStr)> {
    NAMES.iter().copied().find(|(code, _)| *code as c_int == number)
}

impl From<Code> for mh_code {
    fn from(code: Code) -> mh_code {
        named(c_int::from(code.number())).map_or(mh_code::Internal, |(code, _)| code)
    }
}

/// Why a call failed: what, during what, about which job, and whether to repeat it.
///
/// Ownership: whoever passed the mh_error ** frees it with mh_error_free().
pub struct mh_error {
    error: Error,
    message: Text,
    operation: Option<Text>,
    jid: Option<Text>,
    reason: Option<Text>,
}

impl mh_error {
    pub(crate) fn new(error: Error) -> mh_error {
        let shown = |text: &Option<String>| text.as_deref().map(Text::shown);
        mh_error {
            message: Text::shown(&error.message),
            operation: shown(&error.operation),
            jid: shown(&error.jid),
            reason: shown(&error.reason),
            error,
        }
    }
}

impl fmt::Display for mh_error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

fn pointer(text: &Option<Text>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), Text::as_ptr)
}

/// The name of a code, for example "LOCK_LOST" for 201; "OK" for 0, and "UNKNOWN" for a number that is no code.
///
/// Ownership: the text is constant; it is never freed.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub extern "C" fn mh_code_name(code: c_int) -> *const c_char {
    named(code).map_or(c"UNKNOWN", |(_, name)| name).as_ptr()
}

/// The error's code; MH_CODE_OK for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_error_code(error: *const mh_error) -> mh_code {
    read!(error, mh_code::Ok, |error: &mh_error| mh_code::from(error.error.code))
}

/// The name of the error's code, for example "LOCK_LOST"; "OK" for NULL.
///
/// Ownership: the text is constant; it is never freed.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_error_name(error: *const mh_error) -> *const c_char {
    // SAFETY: passed on.
    mh_code_name(unsafe { mh_error_code(error) } as c_int)
}

/// What went wrong, for people, without the code's name; an argument at fault is named. NULL for NULL.
///
/// Ownership: the text belongs to `error`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_error_message(error: *const mh_error) -> *const c_char {
    read!(error, ptr::null(), |error: &mh_error| error.message.as_ptr())
}

/// The operation that failed, for example "queue_put", or the worker's own call, for example "worker_next"; NULL when
/// there was none: a URL that cannot be read, an option of a client.
///
/// Ownership: the text belongs to `error`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_error_operation(error: *const mh_error) -> *const c_char {
    read!(error, ptr::null(), |error: &mh_error| pointer(&error.operation))
}

/// The jid of the job it was about; NULL when it was about none.
///
/// Ownership: the text belongs to `error`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_error_jid(error: *const mh_error) -> *const c_char {
    read!(error, ptr::null(), |error: &mh_error| pointer(&error.jid))
}

/// Why a job is no longer held, with MH_CODE_LOCK_LOST: "expired", "cancelled", "replaced", "finished" or "unknown".
/// NULL with every other code.
///
/// Ownership: the text belongs to `error`.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_error_reason(error: *const mh_error) -> *const c_char {
    read!(error, ptr::null(), |error: &mh_error| pointer(&error.reason))
}

/// True when the same call, repeated later and unchanged, may succeed and cannot do harm. False for NULL.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_error_retryable(error: *const mh_error) -> bool {
    read!(error, false, |error: &mh_error| error.error.retryable())
}

/// Free an error, and the texts that belong to it. NULL is fine.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_error_free(error: *mut mh_error) {
    free!(error);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_cores() {
        let ours: Vec<(u16, &str)> =
            NAMES[1..].iter().map(|(code, name)| (*code as u16, name.to_str().unwrap())).collect();
        let cores: Vec<(u16, &str)> = Code::ALL.iter().map(|code| (code.number(), code.name())).collect();
        assert_eq!(ours, cores);
    }
}
