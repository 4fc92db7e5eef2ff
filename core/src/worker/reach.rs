//! Reaches other threads of this process by a signal of our own: for a copy of their stack, or so that they never go on.
//!
//! What runs in the signal handler takes no lock and needs no memory.

use std::collections::HashSet;
use std::ffi::{c_int, c_void};
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::thread::futex;

use super::backtrace;
use crate::native;

/// Whoever is reached never goes on, and so many do not.
static HOLD: AtomicBool = AtomicBool::new(false);
static HELD: AtomicU32 = AtomicU32::new(0);
/// The signal, once there is one.
static SIGNAL: Mutex<Option<c_int>> = Mutex::new(None);
/// A process, and those of its threads that need not be held.
static SPARED: Mutex<(u32, Vec<u32>)> = Mutex::new((0, Vec::new()));

/// Holds every thread of this process for ever, but this one and our own, which perform nothing. False when some is not held by
/// then, as one that blocks all signals is not. Whoever calls this ends the process soon, in any case: locks may be held, too.
pub fn hold_all(until: Instant) -> bool {
    let Some((_one_at_a_time, signal)) = signal() else { return false };
    HOLD.store(true, Ordering::Release);
    let own = native::this_thread();
    let mut reached = HashSet::new();
    while Instant::now() < until {
        // Counted before they are listed: when all that there are were held by then, nobody can have made another since.
        let held = HELD.load(Ordering::Acquire);
        let Ok(others) = others(own) else { return false };
        if others.len() == held as usize {
            return true;
        }
        for thread in others {
            if reached.insert(thread) {
                send(thread, signal);
            }
        }
        wait_for(&HELD, held, until.min(Instant::now() + Duration::from_millis(5)));
    }
    false
}

/// The threads that now block the last real-time signal, as those do that block all, need not be held.
pub fn spare_deaf() {
    let Ok(others) = others(native::this_thread()) else { return };
    let deaf = others.into_iter().filter(|thread| blocks(*thread, libc::SIGRTMAX()) == Some(true)).collect();
    *SPARED.lock().unwrap_or_else(PoisonError::into_inner) = (std::process::id(), deaf);
}

/// The threads of this process but this one, our own and those that are spared.
fn others(own: u32) -> io::Result<Vec<u32>> {
    let mut others = Vec::new();
    let spared = SPARED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_spared = |thread| spared.0 == std::process::id() && spared.1.contains(&thread);
    for entry in fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        let thread = entry.file_name().to_str().and_then(|name| name.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        if thread != own && !native::is_ours(thread) && !is_spared(thread) {
            others.push(thread);
        }
    }
    Ok(others)
}

/// The signal, while nobody else uses it.
pub fn signal() -> Option<(MutexGuard<'static, Option<c_int>>, c_int)> {
    let mut signal = SIGNAL.lock().unwrap_or_else(PoisonError::into_inner);
    if signal.is_none() {
        *signal = install();
    }
    let number = (*signal)?;
    Some((signal, number))
}

/// Whether the thread holds this signal back; None when there is no such thread any more.
pub fn blocks(thread: u32, signal: c_int) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
    let blocked = u64::from_str_radix(blocked.trim(), 16).ok()?;
    Some(blocked >> (signal - 1) & 1 == 1)
}

/// False when there is no such thread any more.
pub fn send(thread: u32, signal: c_int) -> bool {
    // SAFETY: a call without memory; the signal has our handler for as long as the process lives.
    unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) == 0 }
}

/// Waits until the word is something else, at most until then.
pub fn wait_for(word: &AtomicU32, is: u32, until: Instant) {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || word.load(Ordering::Acquire) != is {
            return;
        }
        let Ok(left) = futex::Timespec::try_from(left) else { return };
        let _ = futex::wait(word, futex::Flags::PRIVATE, is, Some(&left));
    }
}

/// Takes the last real-time signal that nobody uses.
fn install() -> Option<c_int> {
    (libc::SIGRTMIN()..=libc::SIGRTMAX()).rev().find(|signal| {
        // SAFETY: sigaction is plain data; both are valid, and the handler does only what a handler may.
        unsafe {
            let mut before: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(*signal, std::ptr::null(), &raw mut before) != 0 || before.sa_sigaction != libc::SIG_DFL
            {
                return false;
            }
            let mut ours: libc::sigaction = std::mem::zeroed();
            ours.sa_sigaction = answer as *const () as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigfillset(&raw mut ours.sa_mask);
            libc::sigaction(*signal, &raw const ours, std::ptr::null_mut()) == 0
        }
    })
}

extern "C" fn answer(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    if HOLD.load(Ordering::Acquire) {
        HELD.fetch_add(1, Ordering::AcqRel);
        let _ = futex::wake(&HELD, futex::Flags::PRIVATE, 1);
        loop {
            // SAFETY: may be called here, where all signals are held back.
            unsafe { libc::pause() };
        }
    }
    backtrace::give(context);
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    /// Of a process of this thread alone, which ends by this.
    fn holds_what_is_the_programs() {
        let programs = thread::Builder::new().name("mh-x".to_owned()).spawn(|| {
            loop {
                thread::park()
            }
        });
        let ((ask, asked), (answer, answered)) = (channel(), channel());
        let ours = native::begin("any", move || asked.iter().for_each(|()| answer.send(()).unwrap()));
        assert!(programs.is_ok() && ours.is_ok());
        assert!(hold_all(Instant::now() + Duration::from_secs(20)));
        assert_eq!(HELD.load(Ordering::Acquire), 1);
        ask.send(()).unwrap();
        answered.recv().unwrap();
    }

    #[test]
    fn a_programs_thread_is_held_whatever_its_name_and_ours_go_on() {
        // No other test has it at the fork.
        let locked = signal();
        // SAFETY: the child runs what is here, and leaves by _exit.
        let child = unsafe { libc::fork() };
        drop(locked);
        if child == 0 {
            let status = i32::from(catch_unwind(holds_what_is_the_programs).is_err());
            // SAFETY: ends the child, held threads and all.
            unsafe { libc::_exit(status) }
        }
        let mut status = 0;
        // SAFETY: `status` outlives the call, and the child is ours.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
    }
}
