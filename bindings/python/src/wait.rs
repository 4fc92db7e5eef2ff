//! Waiting without the interpreter lock, and with Ctrl-C.
//!
//! Python runs signal handlers on its main thread only, and only when that thread looks: so the main thread waits in
//! slices and every other thread in one piece.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::process;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::calls;

/// Longest wait of the main thread between two looks at its signals.
const SLICE: Duration = Duration::from_millis(100);
/// Longest single wait of any other thread.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Calls `wait(span)` without the interpreter lock, again and again, until it has something or `timeout` is over.
///
/// `timeout`: None waits without end. Signals are looked at only after an empty wait: nothing that came is dropped.
pub fn until<T: Send>(
    py: Python<'_>,
    timeout: Option<Duration>,
    mut wait: impl FnMut(Duration) -> Option<T> + Send,
) -> PyResult<Option<T>> {
    let deadline = timeout.and_then(|span| Instant::now().checked_add(span));
    let slice = if is_main_thread(py)? { SLICE } else { LONGEST };
    loop {
        let left = deadline.map_or(slice, |deadline| deadline.saturating_duration_since(Instant::now()).min(slice));
        if let Some(found) = py.detach(|| wait(left)) {
            return Ok(Some(found));
        }
        look_at_signals(py)?;
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Ok(None);
        }
    }
}

thread_local! {
    /// What a signal handler raised on this thread while a call of the core asked [`interrupted`].
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Lets Python's signal handlers run, on the main thread; true when one raised something, as Ctrl-C does.
///
/// The core asks this between two tries to reach Redis.
pub fn interrupted() -> bool {
    let raised = Python::try_attach(|py| look_at_signals(py).err()).flatten();
    raised.is_some_and(|raised| {
        RAISED.set(Some(raised));
        true
    })
}

/// Runs `call` without the interpreter lock; what a signal handler raised meanwhile takes the place of its answer.
pub fn interruptibly<T: Send>(py: Python<'_>, call: impl FnOnce() -> T + Send) -> PyResult<T> {
    let answer = py.detach(call);
    RAISED.take().map_or(Ok(answer), Err)
}

/// Runs `call`, which may wait long and asks nobody in between, without the interpreter lock.
///
/// The main thread lets a thread of its own run it and waits for that in slices. After Ctrl-C the call goes on alone
/// and its answer is dropped.
pub fn aside<T: Send + 'static>(py: Python<'_>, call: impl FnOnce() -> T + Send + 'static) -> PyResult<T> {
    if !is_main_thread(py)? {
        return Ok(py.detach(call));
    }
    let (sender, receiver) = sync_channel::<()>(0);
    // The channel says that the thread is at its end, and the thread itself how it ended.
    let caller = manyhands::begin_own_thread("mh-call", move || {
        let _ends = sender;
        call()
    })?;
    until(py, None, move |span| match receiver.recv_timeout(span) {
        Err(RecvTimeoutError::Timeout) => None,
        Ok(()) | Err(RecvTimeoutError::Disconnected) => Some(()),
    })?;
    py.detach(|| caller.join()).map_or_else(|panic| resume_unwind(panic), Ok)
}

/// What may wait when it ends, as the last user of an `embedded:` server waits for that server's end: this ends without
/// the interpreter lock.
pub struct EndsAside<T: Send>(ManuallyDrop<T>);

impl<T: Send> EndsAside<T> {
    pub fn new(it: T) -> EndsAside<T> {
        EndsAside(ManuallyDrop::new(it))
    }
}

impl<T: Send> Deref for EndsAside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send> Drop for EndsAside<T> {
    fn drop(&mut self) {
        // SAFETY: this is its end: nobody takes it or looks at it again.
        let last = unsafe { ManuallyDrop::take(&mut self.0) };
        // Without an interpreter, as at its end, the closure takes it along.
        Python::try_attach(|py| py.detach(|| drop(last)));
    }
}

thread_local! {
    /// Whether this thread is the main one of the process with that pid: in a forked child another thread may be.
    static IS_MAIN: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
}

/// Lets Python's signal handlers run, on the main thread. On any other this could only collect garbage.
fn look_at_signals(py: Python<'_>) -> PyResult<()> {
    if is_main_thread(py)? { py.check_signals() } else { Ok(()) }
}

/// True on the one thread that Python runs signal handlers on.
fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let pid = process::id();
    if let Some((known, is_main)) = IS_MAIN.get()
        && known == pid
    {
        return Ok(is_main);
    }
    let thread = |which| calls::call_empty(&calls::function(py, c"threading", which)?);
    let is_main = thread("current_thread")?.is(&thread("main_thread")?);
    IS_MAIN.set(Some((pid, is_main)));
    Ok(is_main)
}
