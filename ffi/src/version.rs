//! Which library this is.

use std::ffi::c_char;

/// The library's version, for example "0.1.0"; that of the header is MH_VERSION.
///
/// Ownership: the text is constant; it is never freed.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub extern "C" fn mh_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
