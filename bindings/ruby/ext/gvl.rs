//! The one place that lets go of Ruby's lock (the GVL), and so the one place with `unsafe`.
//!
//! `rb_thread_call_without_gvl2` never raises, unlike its sibling without the 2, which jumps over Rust's frames.
//! Interrupts (Thread#kill, Thread#raise, Timeout, signals) are looked at by the caller, between calls.
//!
//! It is given no unblock function. With one, Ruby 3.1 starts a helper thread for every call that the only thread of a
//! program makes, and kills it afterwards; where interrupts are held back (`Thread.handle_interrupt(Object => :never)`)
//! the helper inherits that, is never killed, and the call never returns. Waits are made in short slices instead.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use magnus::{Error, Ruby};

use crate::errors;

struct Call<W, T> {
    work: Option<W>,
    /// What `work` gave, or the panic it ended with; None until it has run.
    outcome: Option<Result<T, Box<dyn Any + Send>>>,
}

/// Runs `work` without Ruby's lock. None: an interrupt was pending already and `work` did not run.
pub fn release<W: FnOnce() -> T, T>(work: W) -> Option<T> {
    let mut call = Call { work: Some(work), outcome: None };
    // SAFETY: the pointer is to a value of exactly the type that `run` casts it back to; it outlives the call, which
    // returns only after `run` has ended. Without an unblock function the last argument is not used.
    unsafe {
        rb_sys::rb_thread_call_without_gvl2(
            Some(run::<W, T>),
            ptr::from_mut(&mut call).cast(),
            None,
            ptr::null_mut(),
        );
    }
    match call.outcome? {
        Ok(value) => Some(value),
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs `work`, which ends by itself, without Ruby's lock.
pub fn call<T>(ruby: &Ruby, mut work: impl FnMut() -> manyhands::Result<T>) -> Result<T, Error> {
    loop {
        if let Some(result) = release(&mut work) {
            return result.map_err(|error| errors::exception(ruby, error));
        }
        ruby.thread_check_ints()?;
    }
}

unsafe extern "C" fn run<W: FnOnce() -> T, T>(call: *mut c_void) -> *mut c_void {
    // SAFETY: `release` passes a `Call<W, T>` that nobody else uses until this returns.
    let call = unsafe { &mut *call.cast::<Call<W, T>>() };
    if let Some(work) = call.work.take() {
        // A panic must not leave a C function: `release` lets it go on.
        call.outcome = Some(catch_unwind(AssertUnwindSafe(work)));
    }
    ptr::null_mut()
}
