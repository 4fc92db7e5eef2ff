//! Who of this process stays in a private server, so that an ending process leaves in an orderly way.
//!
//! Hosts end without dropping their clients (globals of Python, live handles of Node); a hook of the C library's
//! `exit` leaves for them. The list only grows, by one small entry for each entering, and is read without locks:
//! a forked child finds its parent's entries and skips them by their pid.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Held;

static FIRST: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// Set when this process ends; nobody enters any more, or a thread that still runs would start the server anew.
static ENDING: AtomicBool = AtomicBool::new(false);

/// True when this process ends.
pub(super) fn process_is_ending() -> bool {
    ENDING.load(Ordering::Acquire)
}

struct Entry {
    pid: u32,
    held: Mutex<Option<Held>>,
    next: *const Entry,
}

// SAFETY: `next` never changes after the entry is published, and entries are never freed.
unsafe impl Sync for Entry {}

/// One entering that has not been left yet.
pub(super) struct Stay {
    entry: &'static Entry,
}

impl Stay {
    pub fn begin(held: Held) -> Stay {
        static HOOKED: AtomicBool = AtomicBool::new(false);
        if !HOOKED.swap(true, Ordering::AcqRel) {
            // SAFETY: the hook is a plain function that does not unwind.
            unsafe { libc::atexit(leave_all) };
        }
        let entry =
            Box::leak(Box::new(Entry { pid: crate::process::id(), held: Mutex::new(Some(held)), next: ptr::null() }));
        loop {
            let first = FIRST.load(Ordering::Acquire);
            entry.next = first;
            if FIRST.compare_exchange(first, entry, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Stay { entry };
            }
        }
    }

    /// True once this user has left.
    pub fn has_ended(&self) -> bool {
        self.entry.held.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Leaves, once; in a forked child nothing happens, as the parent stays.
    pub fn end(&self) {
        if self.entry.pid != crate::process::id() {
            return;
        }
        let held = self.entry.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(held) = held {
            held.leave();
        }
    }
}

extern "C" fn leave_all() {
    ENDING.store(true, Ordering::Release);
    let mut next: *const Entry = FIRST.load(Ordering::Acquire);
    // SAFETY: entries are published whole and never freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.next;
        if entry.pid != crate::process::id() {
            continue;
        }
        // A thread that is leaving right now holds the lock; it is not waited for, since it may have been stopped.
        let held = entry.held.try_lock().ok().and_then(|mut held| held.take());
        if let Some(held) = held {
            held.leave();
        }
    }
}
