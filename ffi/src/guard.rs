//! The boundary: every cast of a C pointer, every NULL check, and the net that catches panics.
//!
//! The functions are unsafe because they trust what the header asks of its reader: a pointer is NULL or what its type
//! says, a handle is not freed while it is used, a text ends with NUL. The macros are how the other files call them;
//! each names the argument it checks after the variable it is given. As the header lets any thread use any handle, a
//! handle must be `Send` and `Sync`.

use std::ffi::{CStr, CString, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use manyhands::{Error, Result};

use crate::error::{mh_code, mh_error};

/// Runs the body of a function that can fail: its error, or its panic, becomes a code and an `mh_error`. Where the function
/// is an operation of the engine, or a call of the worker, an error says so.
macro_rules! fallible {
    ($out_error:ident, $operation:expr, $body:block) => {{
        let body = || -> manyhands::Result<()> { $body };
        let body = || body().map_err(|error| error.during($operation));
        // SAFETY: the argument came from C, where it is NULL or a place for a pointer.
        unsafe { $crate::guard::fallible($out_error, body) }
    }};
    ($out_error:ident, $body:block) => {{
        let body = || -> manyhands::Result<()> { $body };
        // SAFETY: the argument came from C, where it is NULL or a place for a pointer.
        unsafe { $crate::guard::fallible($out_error, body) }
    }};
}

/// Runs the body of a function that cannot fail, on a handle that may be NULL: that, and a panic, give `$otherwise`.
macro_rules! read {
    ($handle:ident, $otherwise:expr, $body:expr) => {{
        let body = $body;
        // SAFETY: the argument came from C, where it is NULL or a live handle.
        unsafe { $crate::guard::read($handle, $otherwise, body) }
    }};
}

/// Frees a handle; NULL is fine.
macro_rules! free {
    ($handle:ident) => {
        // SAFETY: the argument came from C, where it is NULL or a live handle that nobody uses any more.
        unsafe { $crate::guard::free($handle) }
    };
}

/// A handle that must not be NULL.
macro_rules! handle {
    ($handle:ident) => {
        // SAFETY: the argument came from C, where it is NULL or a live handle.
        unsafe { $crate::guard::handle($handle, stringify!($handle)) }
    };
}

/// A text that must not be NULL.
macro_rules! text {
    ($text:ident) => {
        // SAFETY: the argument came from C, where it is NULL or a text ended by NUL.
        unsafe { $crate::guard::text($text, stringify!($text)) }
    };
}

/// A text, or None for NULL.
macro_rules! optional_text {
    ($text:ident) => {
        // SAFETY: as for `text!`.
        unsafe { $crate::guard::optional_text($text, stringify!($text)) }
    };
}

/// A text of the library's own; empty for NULL.
macro_rules! text_or_empty {
    ($text:ident) => {
        optional_text!($text).map(|text| text.unwrap_or_default().to_owned())
    };
}

/// A place for a result; must not be NULL.
macro_rules! output {
    ($output:ident) => {
        // SAFETY: the argument came from C, where it is NULL or a place for a result.
        unsafe { $crate::guard::Output::required($output, stringify!($output)) }
    };
}

/// A place for a result nobody may want.
macro_rules! optional_output {
    ($output:ident) => {
        // SAFETY: as for `output!`.
        unsafe { $crate::guard::Output::optional($output) }
    };
}

/// `body`, or what it panicked with: nothing may unwind into C.
fn caught<T>(body: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(body)).map_err(|panic| {
        let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Error::internal(format!("a fault in the library: {}", said.unwrap_or("it gave no message")))
    })
}

pub(crate) unsafe fn fallible(out_error: *mut *mut mh_error, body: impl FnOnce() -> Result<()>) -> mh_code {
    let error = match caught(body) {
        Ok(Ok(())) => return mh_code::Ok,
        Ok(Err(error)) | Err(error) => error,
    };
    let code = mh_code::from(error.code);
    if !out_error.is_null() {
        // SAFETY: not NULL, so the caller promised a place for a pointer.
        unsafe { out_error.write(Box::into_raw(Box::new(mh_error::new(error)))) };
    }
    code
}

pub(crate) unsafe fn read<H: Sync, T>(handle: *const H, otherwise: T, body: impl FnOnce(&H) -> T) -> T {
    // SAFETY: the caller promised NULL or a live handle.
    let Some(handle) = (unsafe { handle.as_ref() }) else { return otherwise };
    caught(|| body(handle)).unwrap_or(otherwise)
}

pub(crate) unsafe fn free<H: Send>(handle: *mut H) {
    if !handle.is_null() {
        // SAFETY: every handle was made by `give`, and the caller promised that this is its last use.
        let handle = unsafe { Box::from_raw(handle) };
        // There is nobody to tell; what could not be dropped is leaked.
        let _ = caught(|| drop(handle));
    }
}

pub(crate) unsafe fn handle<'a, H: Sync>(handle: *const H, name: &str) -> Result<&'a H> {
    // SAFETY: the caller promised NULL or a live handle.
    unsafe { handle.as_ref() }.ok_or_else(|| is_null(name))
}

pub(crate) unsafe fn text<'a>(text: *const c_char, name: &str) -> Result<&'a str> {
    // SAFETY: passed on.
    unsafe { optional_text(text, name) }?.ok_or_else(|| is_null(name))
}

pub(crate) unsafe fn optional_text<'a>(text: *const c_char, name: &str) -> Result<Option<&'a str>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, so the caller promised a text ended by NUL, which lasts for this call.
    let text = unsafe { CStr::from_ptr(text) };
    let valid = text.to_str();
    valid.map(Some).map_err(|error| Error::invalid(format!("{name} is not UTF-8 at byte {}", error.valid_up_to())))
}

fn is_null(name: &str) -> Error {
    Error::invalid(format!("{name} is NULL"))
}

/// A place of the caller's for one result, or for an array of them.
pub(crate) struct Output<T>(*mut T);

impl<T> Output<T> {
    pub unsafe fn required(place: *mut T, name: &str) -> Result<Output<T>> {
        if place.is_null() { Err(is_null(name)) } else { Ok(Output(place)) }
    }

    pub unsafe fn optional(place: *mut T) -> Output<T> {
        Output(place)
    }

    /// Writes the result, unless nobody wants it.
    pub fn set(self, value: T) {
        if !self.0.is_null() {
            // SAFETY: not NULL, so the caller promised a place for a T.
            unsafe { self.0.write(value) };
        }
    }
}

impl<H: Send> Output<*mut H> {
    /// Gives the caller a handle to free.
    pub fn give(self, handle: H) {
        self.set(Box::into_raw(Box::new(handle)));
    }

    /// Gives the caller handles to free, in an array that has place for `room` of them.
    pub fn give_all(self, handles: Vec<H>, room: usize) -> Result<()> {
        if handles.len() > room {
            return Err(Error::internal(format!("{} results came where {room} were asked for", handles.len())));
        }
        for (index, handle) in handles.into_iter().enumerate() {
            // SAFETY: `index` is below `room`, and the caller promised places for that many.
            unsafe { self.0.add(index).write(Box::into_raw(Box::new(handle))) };
        }
        Ok(())
    }
}

impl Output<*mut c_char> {
    /// Gives the caller a text to free with `mh_string_free`. `what` names it, should it contain a NUL.
    pub fn give_text(self, text: String, what: &str) -> Result<()> {
        if self.0.is_null() {
            return Ok(());
        }
        let text =
            CString::new(text).map_err(|_| Error::internal(format!("{what} contains a NUL, which C cannot read")))?;
        self.set(text.into_raw());
        Ok(())
    }
}

/// Free a text that was given to the caller.
///
/// Ownership: `text` comes from an out_ argument of type char **, and is not used after this. NULL is fine.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_string_free(text: *mut c_char) {
    if !text.is_null() {
        // SAFETY: every text given out came from CString::into_raw, and the caller promised that this is its last use.
        drop(unsafe { CString::from_raw(text) });
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    fn failing(body: impl FnOnce() -> Result<()>) -> (mh_code, String) {
        let mut error = ptr::null_mut();
        // SAFETY: `error` is a place for a pointer.
        let code = unsafe { fallible(&raw mut error, body) };
        // SAFETY: a failure has set it.
        let message = unsafe { Box::from_raw(error) }.to_string();
        (code, message)
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let (code, message) = failing(|| panic!("the {} went wrong", "unthinkable"));
        assert_eq!(code, mh_code::Internal);
        assert_eq!(message, "INTERNAL: a fault in the library: the unthinkable went wrong");
        // SAFETY: NULL is allowed.
        let code = unsafe { fallible(ptr::null_mut(), || panic!("unseen")) };
        assert_eq!(code, mh_code::Internal);
        let value = 5_u32;
        // SAFETY: the pointer is to `value`.
        assert_eq!(unsafe { read(&raw const value, 7, |_| panic!("unseen")) }, 7);
    }

    #[test]
    fn bad_pointers_are_named() {
        let kind: *const c_char = ptr::null();
        assert_eq!(text!(kind).unwrap_err().message, "kind is NULL");
        assert_eq!(optional_text!(kind).unwrap(), None);
        let kind = c"ab\xff".as_ptr();
        assert_eq!(text!(kind).unwrap_err().message, "kind is not UTF-8 at byte 2");
        let out_job: *mut *mut u8 = ptr::null_mut();
        assert_eq!(output!(out_job).err().unwrap().message, "out_job is NULL");
    }

    #[test]
    fn more_results_than_room_are_refused() {
        let mut places = [ptr::null_mut::<u8>(); 2];
        let out_jobs = places.as_mut_ptr();
        assert!(output!(out_jobs).unwrap().give_all(vec![1, 2, 3], 2).is_err());
        assert!(places.iter().all(|place| place.is_null()));
    }
}
