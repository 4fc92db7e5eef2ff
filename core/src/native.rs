//! The core's own threads: none performs a job, none takes a signal, and each is known as ours while it lives.

use std::io;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use crate::client::SignalsHeld;

/// Most that are known. One beyond passes for the program's own; that costs no more than a process that ends without giving back
/// what its handlers had begun.
const MOST: usize = 1_024;

/// Process and thread, or 0. Without a lock: a fork may come at any time, and what its child finds here is of another process.
static KNOWN: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];

/// Begins one.
pub fn begin<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    // It inherits this mask for life: signals are the host's business.
    let _held = SignalsHeld::new();
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let _known = Known::begin();
        run()
    })
}

/// Whether this thread of this process is one of ours.
pub fn is_ours(thread: u32) -> bool {
    let wanted = of_this_process(thread);
    KNOWN.iter().any(|place| place.load(Ordering::Acquire) == wanted)
}

/// The system's number of this thread.
pub fn this_thread() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()
}

/// Calls the system in a signal handler: whoever was interrupted finds errno as it was.
pub fn keeping_errno<T>(call: impl FnOnce() -> T) -> T {
    #[cfg(target_os = "android")]
    use libc::__errno as errno;
    #[cfg(not(target_os = "android"))]
    use libc::__errno_location as errno;
    // SAFETY: errno is this thread's own, and there for as long as the thread is.
    unsafe {
        let before = *errno();
        let answer = call();
        *errno() = before;
        answer
    }
}

fn of_this_process(thread: u32) -> u64 {
    u64::from(process::id()) << 32 | u64::from(thread)
}

/// This thread is ours until this is dropped.
struct Known(Option<&'static AtomicU64>);

impl Known {
    fn begin() -> Known {
        let own = of_this_process(this_thread());
        let is_free = |known: u64| known >> 32 != own >> 32;
        let take = |known: u64| is_free(known).then_some(own);
        Known(KNOWN.iter().find(|place| place.fetch_update(Ordering::AcqRel, Ordering::Relaxed, take).is_ok()))
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        if let Some(place) = self.0 {
            place.store(0, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_thread_of_ours_is_known_while_it_lives_whatever_the_names() {
        let (told, heard) = channel();
        let run = move || told.send(this_thread()).map(|()| is_ours(this_thread()));
        let ours = begin("any", run.clone()).unwrap();
        let thread = heard.recv().unwrap();
        assert!(ours.join().unwrap().unwrap(), "before it does anything");
        assert!(!is_ours(thread), "nor is another that gets its number");
        let programs = thread::Builder::new().name("mh-x".to_owned()).spawn(run).unwrap();
        assert!(!programs.join().unwrap().unwrap());
    }
}
