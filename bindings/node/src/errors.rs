//! The core's errors on their way to JavaScript: an Error whose message is their JSON. `lib/errors.ts` reads it.

use manyhands::Code;
use napi_derive::napi;

/// The core's error as a JavaScript one.
pub fn thrown(error: manyhands::Error) -> napi::Error {
    napi::Error::from_reason(error.to_json())
}

/// A panic's payload as a JavaScript error.
pub fn panicked(payload: &(dyn std::any::Any + Send)) -> napi::Error {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    thrown(manyhands::Error::internal(format!("panicked: {text}")))
}

/// One code of the core's list.
#[napi(object, object_from_js = false)]
pub struct CodeRow {
    /// Its number.
    pub code: u16,
    /// Its name, for example LOCK_LOST.
    pub name: &'static str,
    /// The name of its class, for example LockLost.
    pub class: &'static str,
    /// True when the same call may succeed later.
    pub retryable: bool,
}

/// Every code, in the order of its number.
#[napi(catch_unwind)]
pub fn codes() -> Vec<CodeRow> {
    Code::ALL
        .iter()
        .map(|code| CodeRow {
            code: code.number(),
            name: code.name(),
            class: code.class(),
            retryable: code.retryable(),
        })
        .collect()
}
