//! Locks on files that the kernel gives back when their holder dies.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Waits for the lock; nobody else holds it then. Dropping the file gives it back.
pub(super) fn exclusive(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    flock(&file, libc::LOCK_EX)?;
    Ok(file)
}

/// Waits for the lock, which many may hold at once.
pub(super) fn shared(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    flock(&file, libc::LOCK_SH)?;
    Ok(file)
}

/// The lock if nobody holds it now.
pub(super) fn try_exclusive(path: &Path) -> io::Result<Option<File>> {
    let file = open(path)?;
    match flock(&file, libc::LOCK_EX | libc::LOCK_NB) {
        Ok(()) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn flock(file: &File, operation: libc::c_int) -> io::Result<()> {
    loop {
        // SAFETY: the descriptor is open for as long as `file` lives.
        if unsafe { libc::flock(file.as_raw_fd(), operation) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
