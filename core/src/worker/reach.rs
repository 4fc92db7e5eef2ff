//! Reaches other threads of this process by a signal of our own, for a copy of their stack.
//!
//! What runs in the signal handler takes no lock, needs no memory and reads nothing that may not be there: the kernel copies
//! the stack, as far as there is one.

use std::ffi::{c_int, c_void};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
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
/// The signal, once there is one, and who may send it.
static SIGNAL: Mutex<Option<c_int>> = Mutex::new(None);

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

/// The stack of this thread, which is another than the caller's; None when it has ended or does not answer until then, as one
/// that blocks all signals.
pub fn stack(thread: u32, until: Instant) -> Option<Stack> {
    let mut signal = SIGNAL.lock().unwrap_or_else(PoisonError::into_inner);
    if signal.is_none() {
        *signal = install();
    }
    let signal = (*signal)?;
    let file: OwnedFd = rustix::fs::memfd_create("manyhands-stack", MemfdFlags::CLOEXEC).ok()?;
    FILE.store(file.as_raw_fd(), Ordering::Relaxed);
    DONE.store(0, Ordering::Relaxed);
    WANTED.store(thread, Ordering::Release);
    let process = std::process::id();
    // SAFETY: a call without memory; the signal has our handler for as long as the process lives.
    if unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) } == 0 {
        wait(until);
    }
    if WANTED.compare_exchange(thread, NONE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
        return None;
    }
    // It writes, or has written.
    while DONE.load(Ordering::Acquire) == 0 {
        wait(Instant::now() + Duration::from_secs(1));
    }
    WANTED.store(NONE, Ordering::Release);
    let mut bytes = vec![0; LENGTH.load(Ordering::Relaxed) as usize];
    let length = rustix::io::pread(&file, &mut bytes[..], 0).ok()?;
    bytes.truncate(length);
    let [pc, sp, fp, lr] = [0, 1, 2, 3].map(|at| REGISTERS[at].load(Ordering::Relaxed));
    Some(Stack { pc, sp, fp, lr, bytes })
}

/// Waits until the thread has written, at most until then.
fn wait(until: Instant) {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || DONE.load(Ordering::Acquire) != 0 {
            return;
        }
        let Ok(left) = futex::Timespec::try_from(left) else { return };
        let _ = futex::wait(&DONE, futex::Flags::PRIVATE, 0, Some(&left));
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
    let own = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    if WANTED.compare_exchange(own, BUSY, Ordering::AcqRel, Ordering::Acquire).is_err() {
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
