//! Forked children of a test.

/// Runs `child` in a forked process; true when it returned without panicking.
pub fn forked(child: impl FnOnce() + std::panic::UnwindSafe) -> libc::pid_t {
    // SAFETY: the child runs only `child` and leaves by _exit, so nothing of the test harness runs there.
    match unsafe { libc::fork() } {
        -1 => panic!("fork failed"),
        0 => {
            let code = i32::from(std::panic::catch_unwind(child).is_err());
            // SAFETY: ends the child without running the parent's exit hooks.
            unsafe { libc::_exit(code) }
        }
        pid => pid,
    }
}

/// True when the child ended well.
pub fn succeeded(pid: libc::pid_t) -> bool {
    let mut status = 0;
    // SAFETY: `status` outlives the call, and the child is ours.
    unsafe {
        libc::waitpid(pid, &raw mut status, 0) == pid && libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}
