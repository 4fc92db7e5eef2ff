//! Finds the server program and starts it so that it belongs to nobody.

use std::env;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Code, Error, Result};

const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];

/// The server program on the PATH.
///
/// # Errors
/// `NO_SERVER_PROGRAM`, saying what to install.
pub(super) fn find() -> Result<PathBuf> {
    find_in(env::var_os("PATH"))
}

fn find_in(path: Option<OsString>) -> Result<PathBuf> {
    let folders: Vec<PathBuf> = path.iter().flat_map(env::split_paths).collect();
    let candidates = PROGRAMS.iter().flat_map(|program| folders.iter().map(move |folder| folder.join(program)));
    candidates.into_iter().find(|candidate| is_executable(candidate)).ok_or_else(|| {
        Error::new(
            Code::NoServerProgram,
            "embedded: needs a redis-server (7.0 or newer) or valkey-server (7.2 or newer) program, and there is none on \
             the PATH. Install one (Debian and Ubuntu: apt install redis-server; Fedora: dnf install valkey; macOS: \
             brew install redis), or set MANYHANDS_URL to a server that runs already",
        )
    })
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Starts `program` in a session of its own, adopted by init, with no descriptor but /dev/null and `log`, no signal
/// held back, and files private to the user. Answers its process id.
pub(super) fn start(program: &Path, arguments: &[OsString], dir: &Path, log: &Path) -> io::Result<libc::pid_t> {
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(log)?;
    let (mut reader, writer) = pipe()?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let report = writer.as_raw_fd();
    // SAFETY: between fork and exec only async-signal-safe calls are made, and no memory is allocated.
    unsafe { command.pre_exec(move || detach(report)) };
    let mut child = command.spawn()?;
    drop(writer);
    // The child itself has exited at once. A host that waits for any child may have taken it: that is no fault.
    drop(child.wait());
    let mut pid = [0_u8; size_of::<libc::pid_t>()];
    reader.read_exact(&mut pid)?;
    Ok(libc::pid_t::from_ne_bytes(pid))
}

/// Runs in the child: leaves the session, forks again so that init adopts what becomes the server, and lets the
/// process in between exit. The host's `wait` never meets a child it does not know.
fn detach(report: RawFd) -> io::Result<()> {
    // SAFETY: all of these are async-signal-safe system calls on values of this stack frame.
    unsafe {
        libc::setsid();
        libc::umask(0o077);
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        let pid = libc::getpid().to_ne_bytes();
        if libc::write(report, pid.as_ptr().cast(), pid.len()) != pid.len() as isize {
            return Err(io::Error::last_os_error());
        }
    }
    close_on_exec_from(3);
    Ok(())
}

/// Marks every descriptor from `first` on to be closed by exec (not sooner: the last of them reports a failing exec).
fn close_on_exec_from(first: RawFd) {
    // SAFETY: system calls on numbers; those that are no descriptors are refused, which is fine.
    unsafe {
        #[cfg(target_os = "linux")]
        {
            const CLOSE_RANGE_CLOEXEC: libc::c_uint = 1 << 2;
            if libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, CLOSE_RANGE_CLOEXEC) == 0 {
                return;
            }
        }
        let most = libc::sysconf(libc::_SC_OPEN_MAX).clamp(256, 65_536) as RawFd;
        for descriptor in first..most {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

/// A pipe whose ends are closed by exec.
fn pipe() -> io::Result<(File, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: `ends` has room for the two descriptors, which belong to nobody else.
    unsafe {
        if libc::pipe(ends.as_mut_ptr()) != 0 {
            return Err(io::Error::last_os_error());
        }
        for end in ends {
            libc::fcntl(end, libc::F_SETFD, libc::FD_CLOEXEC);
        }
        Ok((File::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])))
    }
}

/// True when the process has ended, also when nobody has waited for it yet.
pub(super) fn has_ended(pid: libc::pid_t) -> bool {
    if cfg!(target_os = "linux") {
        return match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
            Err(_) => true,
        };
    }
    // SAFETY: signal 0 only asks.
    unsafe { libc::kill(pid, 0) != 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_to_install() {
        for path in [None, Some("".into()), Some("/nowhere:/etc".into())] {
            let error = find_in(path).unwrap_err();
            assert_eq!(error.code, Code::NoServerProgram);
            assert!(error.message.contains("apt install redis-server"));
        }
    }

    #[test]
    fn what_is_started_belongs_to_nobody() {
        let dir = env::temp_dir();
        let log = dir.join(format!("manyhands-program-{}.log", std::process::id()));
        let pid = start(Path::new("/bin/sleep"), &["60".into()], &dir, &log).unwrap();
        assert!(!has_ended(pid));
        // SAFETY: asks for the sessions of two living processes.
        assert_ne!(unsafe { libc::getsid(pid) }, unsafe { libc::getsid(0) });
        // SAFETY: asks whether it is a child of ours.
        assert_eq!(unsafe { libc::waitpid(pid, std::ptr::null_mut(), libc::WNOHANG) }, -1);
        // SAFETY: ends the process that was started above.
        unsafe { libc::kill(pid, libc::SIGKILL) };
        while !has_ended(pid) {
            std::thread::yield_now();
        }
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn a_program_that_cannot_run_is_an_error() {
        let dir = env::temp_dir();
        let log = dir.join(format!("manyhands-no-program-{}.log", std::process::id()));
        assert!(start(Path::new("/nowhere/redis-server"), &[], &dir, &log).is_err());
        std::fs::remove_file(log).unwrap();
    }
}
