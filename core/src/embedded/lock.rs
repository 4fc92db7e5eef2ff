//! Locks on files (flock) that the kernel gives back when their holder dies.
//!
//! A lock belongs to the open file, of which a forked child has a copy. So it is given back by name when it is
//! dropped: closing alone would leave it held for as long as some child, which may know nothing of it, lives.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A lock that is held; dropping it gives it back.
pub(super) struct Lock {
    file: File,
}

/// Waits for the lock; nobody else holds it then.
pub(super) fn exclusive(path: &Path) -> io::Result<Lock> {
    let file = open(path)?;
    flock(&file, libc::LOCK_EX)?;
    Ok(Lock { file })
}

/// Waits for the lock, which many may hold at once.
pub(super) fn shared(path: &Path) -> io::Result<Lock> {
    let file = open(path)?;
    flock(&file, libc::LOCK_SH)?;
    Ok(Lock { file })
}

/// The lock if nobody holds it now.
pub(super) fn try_exclusive(path: &Path) -> io::Result<Option<Lock>> {
    let file = open(path)?;
    match flock(&file, libc::LOCK_EX | libc::LOCK_NB) {
        Ok(()) => Ok(Some(Lock { file })),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

impl Lock {
    /// The descriptor of the open file.
    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(flock(&self.file, libc::LOCK_UN));
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
