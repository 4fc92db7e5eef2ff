//! Which process this is: what another one opened is not this one's to use.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// 0 while it is not known. A forked child begins so.
static CURRENT: AtomicU32 = AtomicU32::new(0);
static FORKS_ARE_NOTED: AtomicBool = AtomicBool::new(false);

/// The system's number of this process, which mostly costs no call of the system: on a busy worker's path two for each job took a
/// tenth of its time. The child of a `clone` by hand or of `_Fork`, where libc tells nobody, passes for its parent.
pub fn id() -> u32 {
    let known = CURRENT.load(Ordering::Acquire);
    if known == 0 { ask() } else { known }
}

/// Two threads may come here at once: what is noted twice is as good as once. Not for signal handlers.
#[cold]
fn ask() -> u32 {
    let id = std::process::id();
    if !FORKS_ARE_NOTED.load(Ordering::Acquire) {
        // SAFETY: `forget` only stores a number, which a child may do before anything else; and it stays where it is until its library
        // is closed, which takes it off libc's list.
        if unsafe { libc::pthread_atfork(None, None, Some(forget)) } != 0 {
            return id;
        }
        FORKS_ARE_NOTED.store(true, Ordering::Release);
    }
    CURRENT.store(id, Ordering::Release);
    id
}

extern "C" fn forget() {
    CURRENT.store(0, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_child_is_another_process() {
        assert_eq!([id(), id()], [std::process::id(); 2]);
        // SAFETY: the child only compares two numbers, and leaves by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let status = i32::from([id(), id()] != [std::process::id(); 2]);
            // SAFETY: ends the child.
            unsafe { libc::_exit(status) }
        }
        let mut status = 0;
        // SAFETY: `status` outlives the call, and the child is ours.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!((status, id()), (0, std::process::id()));
    }
}
