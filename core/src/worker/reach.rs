//! Reaches other threads of this process by a signal of our own: for a copy of their stack, or so that they never go on.
//!
//! What runs in the signal handler takes no lock, needs no memory and reads nothing that may not be there: the kernel copies
//! the stack, as far as there is one.

use std::collections::HashSet;
use std::ffi::{c_int, c_void};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::thread::futex;

/// Most bytes of a stack: those of the innermost calls.
const MOST: usize = 256 * 1024;
/// Nobody.
const NONE: u32 = 0;
/// The thread that was wanted writes.
const BUSY: u32 = u32::MAX;

/// The thread whose stack is wanted, [`NONE`] or [`BUSY`].
static WANTED: AtomicU32 = AtomicU32::new(NONE);
/// 1 once it has written.
static DONE: AtomicU32 = AtomicU32::new(0);
/// Where it writes its stack.
static FILE: AtomicI32 = AtomicI32::new(-1);
static LENGTH: AtomicU64 = AtomicU64::new(0);
static REGISTERS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
/// Whoever is reached never goes on, and so many do not.
static HOLD: AtomicBool = AtomicBool::new(false);
static HELD: AtomicU32 = AtomicU32::new(0);
/// The signal, once there is one.
static SIGNAL: Mutex<Option<c_int>> = Mutex::new(None);
/// A process, and those of its threads that need not be held.
static SPARED: Mutex<(u32, Vec<u32>)> = Mutex::new((0, Vec::new()));

/// What a thread was in the middle of.
pub struct Stack {
    pub pc: u64,
    pub sp: u64,
    pub fp: u64,
    /// The link register.
    #[cfg_attr(target_arch = "x86_64", expect(dead_code, reason = "that machine has none"))]
    pub lr: u64,
    /// From `sp` on.
    pub bytes: Vec<u8>,
}

/// The stack of this thread, which is another than the caller's; None when it has ended, blocks all signals, or does not answer
/// until then.
pub fn stack(thread: u32, until: Instant) -> Option<Stack> {
    let (_one_at_a_time, signal) = signal()?;
    // A signal sent to it would wait there for ever, and for nothing.
    if blocks(thread, signal)? {
        return None;
    }
    let file: OwnedFd = rustix::fs::memfd_create("manyhands-stack", MemfdFlags::CLOEXEC).ok()?;
    FILE.store(file.as_raw_fd(), Ordering::Relaxed);
    DONE.store(0, Ordering::Relaxed);
    WANTED.store(thread, Ordering::Release);
    if send(thread, signal) {
        wait_for(&DONE, 0, until);
    }
    if WANTED.compare_exchange(thread, NONE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        return None;
    }
    // It writes, or has written.
    while DONE.load(Ordering::Acquire) == 0 {
        wait_for(&DONE, 0, Instant::now() + Duration::from_secs(1));
    }
    WANTED.store(NONE, Ordering::Release);
    let mut bytes = vec![0; LENGTH.load(Ordering::Relaxed) as usize];
    let length = rustix::io::pread(&file, &mut bytes[..], 0).ok()?;
    bytes.truncate(length);
    let [pc, sp, fp, lr] = [0, 1, 2, 3].map(|at| REGISTERS[at].load(Ordering::Relaxed));
    Some(Stack { pc, sp, fp, lr, bytes })
}

/// Holds every thread of this process for ever, but this one and our own, which perform nothing. False when some is not held by
/// then, as one that blocks all signals is not. Whoever calls this ends the process soon, in any case: locks may be held, too.
pub fn hold_all(until: Instant) -> bool {
    let Some((_one_at_a_time, signal)) = signal() else { return false };
    HOLD.store(true, Ordering::Release);
    let own = current();
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
    let Ok(others) = others(current()) else { return };
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
        // One that has just ended has no name.
        let is_ours = fs::read_to_string(entry.path().join("comm")).is_ok_and(|name| name.starts_with("mh-"));
        if thread != own && !is_ours && !is_spared(thread) {
            others.push(thread);
        }
    }
    Ok(others)
}

/// The signal, while nobody else uses it.
fn signal() -> Option<(MutexGuard<'static, Option<c_int>>, c_int)> {
    let mut signal = SIGNAL.lock().unwrap_or_else(PoisonError::into_inner);
    if signal.is_none() {
        *signal = install();
    }
    let number = (*signal)?;
    Some((signal, number))
}

/// Whether the thread holds this signal back; None when there is no such thread any more.
fn blocks(thread: u32, signal: c_int) -> Option<bool> {
    let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
    let blocked = status.lines().find_map(|line| line.strip_prefix("SigBlk:"))?;
    let blocked = u64::from_str_radix(blocked.trim(), 16).ok()?;
    Some(blocked >> (signal - 1) & 1 == 1)
}

/// False when there is no such thread any more.
fn send(thread: u32, signal: c_int) -> bool {
    // SAFETY: a call without memory; the signal has our handler for as long as the process lives.
    unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, signal) == 0 }
}

fn current() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()
}

/// Waits until the word is something else, at most until then.
fn wait_for(word: &AtomicU32, is: u32, until: Instant) {
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
    if WANTED.compare_exchange(current(), BUSY, Ordering::AcqRel, Ordering::Acquire).is_err() {
        return;
    }
    // SAFETY: the system hands a handler with SA_SIGINFO its context.
    let registers = registers(unsafe { &*context.cast::<libc::ucontext_t>() });
    REGISTERS.iter().zip(registers).for_each(|(place, value)| place.store(value, Ordering::Relaxed));
    // SAFETY: errno is this thread's own, and whoever was interrupted finds it as it was. pwrite only reads the memory that there
    // is, and writes where it ends no more.
    let length = unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let length = libc::pwrite(FILE.load(Ordering::Relaxed), registers[1] as *const c_void, MOST, 0);
        *errno = before;
        length
    };
    LENGTH.store(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
    DONE.store(1, Ordering::Release);
    let _ = futex::wake(&DONE, futex::Flags::PRIVATE, 1);
}

/// pc, sp, fp and lr.
#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> [u64; 4] {
    let register = |number: c_int| context.uc_mcontext.gregs[number as usize].cast_unsigned();
    [register(libc::REG_RIP), register(libc::REG_RSP), register(libc::REG_RBP), 0]
}

/// pc, sp, fp and lr.
#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> [u64; 4] {
    let machine = &context.uc_mcontext;
    [machine.pc, machine.sp, machine.regs[29], machine.regs[30]]
}
