//! The one place that lets go of Ruby's lock (the GVL), and so the one place with `unsafe`.
//!
//! `rb_thread_call_without_gvl2` never raises, unlike its sibling without the 2, which jumps over Rust's frames.
//! Interrupts (Thread#kill, Thread#raise, Timeout, signals) are looked at between slices of a wait, with the lock.
//!
//! It is given no unblock function, and `rb_nogvl` only one that may run in a signal handler, or where another thread of the
//! program lives. With any other Ruby 3.1 starts a helper thread for every call that the only thread of a program makes, and
//! kills it afterwards; where interrupts are held back (`Thread.handle_interrupt(Object => :never)`) the helper inherits that,
//! is never killed, and the call never returns.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use magnus::error::RubyUnavailableError;
use magnus::value::BoxValue;
use magnus::{Error, Ruby, Value};

use crate::errors;

/// Longest time until a waiting thread looks at its interrupts.
pub const SLICE: Duration = Duration::from_millis(100);

struct Call<W, T> {
    work: Option<W>,
    /// What `work` gave, or the panic it ended with; None until it has run.
    outcome: Option<Result<T, Box<dyn Any + Send>>>,
}

impl<W, T> Call<W, T> {
    fn answer(self) -> Option<T> {
        match self.outcome? {
            Ok(value) => Some(value),
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// Runs `work` without Ruby's lock. None: an interrupt was pending already and `work` did not run.
pub fn release<W: FnOnce() -> T, T>(work: W) -> Option<T> {
    let mut call = Call { work: Some(work), outcome: None };
    // SAFETY: the pointer is to a value of exactly the type that `run` casts it back to; it outlives the call, which
    // returns only after `run` has ended. Without an unblock function the last argument is not used.
    unsafe {
        rb_sys::rb_thread_call_without_gvl2(Some(run::<W, T>), ptr::from_mut(&mut call).cast(), None, ptr::null_mut());
    }
    call.answer()
}

/// The same for a wait that an interrupt is to end: then `unblock` is called, by another thread of Ruby's or in a signal
/// handler, where it may take no lock. On a thread that is not the main one no signal handler calls it.
pub fn release_until<W: FnOnce() -> T, T, U: Fn() + Sync>(work: W, unblock: &U) -> Option<T> {
    let mut call = Call { work: Some(work), outcome: None };
    let flags = rb_sys::RB_NOGVL_INTR_FAIL | rb_sys::RB_NOGVL_UBF_ASYNC_SAFE;
    let data = ptr::from_ref(unblock).cast_mut().cast();
    // SAFETY: as in `release`; and `unblock`, which `end_wait::<U>` casts back, is called no more when this has returned.
    unsafe {
        rb_sys::rb_nogvl(Some(run::<W, T>), ptr::from_mut(&mut call).cast(), Some(end_wait::<U>), data, flags as i32);
    }
    call.answer()
}

unsafe extern "C" fn end_wait<U: Fn() + Sync>(unblock: *mut c_void) {
    // SAFETY: `release_until` passes a `U` that outlives the wait and is only read.
    let unblock = unsafe { &*unblock.cast::<U>() };
    // A panic must not leave a C function.
    let _ = catch_unwind(AssertUnwindSafe(unblock));
}

/// Whether this is the thread that a Ruby program begins with, which looks at signals.
pub fn is_main_thread() -> bool {
    // SAFETY: called with the lock, on a thread of Ruby's.
    unsafe { rb_sys::rb_thread_current() == rb_sys::rb_thread_main() }
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

/// Runs `work` without Ruby's lock. `work` ends by itself, or asks [`interrupted`] while it waits.
pub fn call<T>(ruby: &Ruby, mut work: impl FnMut() -> manyhands::Result<T>) -> Result<T, Error> {
    answered(ruby, || release(&mut work))
}

/// The same for work that `unblock` ends, see [`release_until`].
pub fn call_until<T>(
    ruby: &Ruby,
    mut work: impl FnMut() -> manyhands::Result<T>,
    unblock: &(impl Fn() + Sync),
) -> Result<T, Error> {
    answered(ruby, || release_until(&mut work, unblock))
}

fn answered<T>(ruby: &Ruby, mut released: impl FnMut() -> Option<manyhands::Result<T>>) -> Result<T, Error> {
    loop {
        if let Some(result) = released() {
            return match RAISED.take() {
                Some(raised) => Err(raised.error),
                None => result.map_err(|error| errors::exception(ruby, error)),
            };
        }
        ruby.thread_check_ints()?;
    }
}

/// Runs `work`, which may wait long and asks nobody, on a thread of its own. After an interrupt it goes on alone and its
/// answer is dropped.
pub fn aside<T: Send + 'static>(
    ruby: &Ruby,
    work: impl FnOnce() -> manyhands::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let (sender, receiver) = sync_channel(1);
    // Where no thread can be had that is an error: a panic would end the program.
    let worker = thread::Builder::new().spawn(move || drop(sender.send(work()))).map_err(|error| {
        errors::exception(ruby, manyhands::Error::internal(format!("no thread can be had to wait on: {error}")))
    })?;
    loop {
        match release(|| receiver.recv_timeout(SLICE)) {
            Some(Ok(answer)) => return answer.map_err(|error| errors::exception(ruby, error)),
            Some(Err(RecvTimeoutError::Disconnected)) => match worker.join() {
                Err(panic) => resume_unwind(panic),
                Ok(()) => unreachable!("the thread ends without an answer only by a panic"),
            },
            Some(Err(RecvTimeoutError::Timeout)) | None => ruby.thread_check_ints()?,
        }
    }
}

/// What an interrupt raised in the middle of a call.
struct Raised {
    error: Error,
    /// The collector does not see what lies here.
    _kept: Option<BoxValue<Value>>,
}

thread_local! {
    static RAISED: RefCell<Option<Raised>> = const { RefCell::new(None) };
}

/// Looks at this thread's interrupts; true when one raised something, which [`call`] then passes on.
///
/// The core asks this between two tries to reach Redis, on whichever thread makes the call: on Ruby's, without the lock,
/// and on its own, which have no interrupts.
pub fn interrupted() -> bool {
    if !matches!(Ruby::get(), Err(RubyUnavailableError::GvlUnlocked)) {
        return false;
    }
    // SAFETY: this is a thread of Ruby's that does not hold the lock; `look` never raises and needs no data.
    unsafe { rb_sys::rb_thread_call_with_gvl(Some(look), ptr::null_mut()) };
    RAISED.with_borrow(Option::is_some)
}

unsafe extern "C" fn look(_: *mut c_void) -> *mut c_void {
    if let Ok(ruby) = Ruby::get()
        && let Err(error) = ruby.thread_check_ints()
    {
        let kept = error.value().map(BoxValue::new);
        RAISED.set(Some(Raised { error, _kept: kept }));
    }
    ptr::null_mut()
}
