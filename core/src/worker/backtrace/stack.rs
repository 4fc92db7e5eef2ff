//! A copy of the stack of another thread, made by that thread in a signal handler.
//!
//! That takes no lock, needs no memory and reads nothing that may not be there: the kernel copies the stack, as far as there is one.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::thread::futex;

use crate::native;
use crate::worker::reach::{blocks, send, signal, wait_for};

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

/// Called in the signal handler of a thread: gives its stack when it is wanted.
pub fn give(context: *mut c_void) {
    if WANTED.compare_exchange(native::this_thread(), BUSY, Ordering::AcqRel, Ordering::Acquire).is_err() {
        return;
    }
    // SAFETY: the system hands a handler with SA_SIGINFO its context.
    let registers = registers(unsafe { &*context.cast::<libc::ucontext_t>() });
    REGISTERS.iter().zip(registers).for_each(|(place, value)| place.store(value, Ordering::Relaxed));
    let copy = || {
        let start = registers[1] as *const c_void;
        // SAFETY: pwrite only reads the memory that there is, and writes where it ends no more.
        unsafe { libc::pwrite(FILE.load(Ordering::Relaxed), start, MOST, 0) }
    };
    let length = native::keeping_errno(copy);
    LENGTH.store(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
    DONE.store(1, Ordering::Release);
    let _ = futex::wake(&DONE, futex::Flags::PRIVATE, 1);
}

/// pc, sp, fp and lr.
#[cfg(target_arch = "x86_64")]
fn registers(context: &libc::ucontext_t) -> [u64; 4] {
    let register = |number: std::ffi::c_int| context.uc_mcontext.gregs[number as usize].cast_unsigned();
    [register(libc::REG_RIP), register(libc::REG_RSP), register(libc::REG_RBP), 0]
}

/// pc, sp, fp and lr.
#[cfg(target_arch = "aarch64")]
fn registers(context: &libc::ucontext_t) -> [u64; 4] {
    let machine = &context.uc_mcontext;
    [machine.pc, machine.sp, machine.regs[29], machine.regs[30]]
}
