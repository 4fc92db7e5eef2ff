//! Which thread takes a job.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::native;

thread_local! {
    /// Who asked the system last on this thread, and what it answered.
    static KNOWN: Cell<(u64, u32)> = const { Cell::new((0, 0)) };
}

/// Tells the thread that calls, mostly without a call of the system. What one made in a forked child tells is the child's.
pub struct Callers(u64);

impl Default for Callers {
    fn default() -> Callers {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Callers(LAST.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Callers {
    /// The system's number of this thread.
    pub fn current(&self) -> u32 {
        let (asked, thread) = KNOWN.get();
        if asked == self.0 {
            return thread;
        }
        let thread = native::this_thread();
        KNOWN.set((self.0, thread));
        thread
    }
}
