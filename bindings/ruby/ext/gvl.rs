//! The one place that lets go of Ruby's lock (the GVL), and so the one place with `unsafe`.
//!
//! `rb_thread_call_without_gvl2` never raises, unlike its sibling without the 2, which jumps over Rust's frames.
//! Interrupts (Thread#kill, Thread#raise, Timeout, signals) are looked at by the caller, between calls.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use magnus::{Error, Ruby};

use crate::errors;

/// What `work` gave, or the panic it ended with; None until it has run.
type Outcome<T> = Option<Result<T, Box<dyn Any + Send>>>;

struct Call<W, T> {
    work: Option<W>,
    outcome: Outcome<T>,
}

/// Runs `work` without Ruby's lock. `unblock` is called, perhaps never, perhaps on another thread while `work` runs,
/// when this thread is to look at its interrupts: it should make `work` return soon.
///
/// None: an interrupt was pending already and `work` did not run.
pub fn release<W, U, T>(work: W, unblock: U) -> Option<T>
where
    W: FnOnce() -> T,
    U: Fn() + Sync,
{
    let mut call = Call { work: Some(work), outcome: None };
    // SAFETY: both pointers are to values of exactly the types the two functions cast them back to, and both outlive
    // the call, which returns only after `run` has ended and `wake` can no longer be called.
    unsafe {
        rb_sys::rb_thread_call_without_gvl2(
            Some(run::<W, T>),
            ptr::from_mut(&mut call).cast(),
            Some(wake::<U>),
            ptr::from_ref(&unblock).cast_mut().cast(),
        );
    }
    match call.outcome? {
        Ok(value) => Some(value),
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs `work`, which ends by itself soon, without Ruby's lock; it is not interrupted.
pub fn call<T>(ruby: &Ruby, mut work: impl FnMut() -> manyhands::Result<T>) -> Result<T, Error> {
    loop {
        if let Some(result) = release(&mut work, || ()) {
            return result.map_err(|error| errors::exception(ruby, error));
        }
        ruby.thread_check_ints()?;
    }
}

unsafe extern "C" fn run<W: FnOnce() -> T, T>(call: *mut c_void) -> *mut c_void {
    // SAFETY: `release` passes a `Call<W, T>` that nobody else uses until this returns.
    let call = unsafe { &mut *call.cast::<Call<W, T>>() };
    if let Some(work) = call.work.take() {
        call.outcome = Some(catch_unwind(AssertUnwindSafe(work)));
    }
    ptr::null_mut()
}

unsafe extern "C" fn wake<U: Fn() + Sync>(unblock: *mut c_void) {
    // SAFETY: `release` passes a `U` that lives until no thread can call this any more.
    let unblock = unsafe { &*unblock.cast::<U>() };
    // A panic must not leave a C function; what failed to wake is woken by the end of its wait.
    let _ = catch_unwind(AssertUnwindSafe(unblock));
}
