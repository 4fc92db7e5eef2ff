//! The way of signals into a master: bytes on a socket, which a signal handler may write.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use rustix::net::{RecvFlags, SendFlags};

use super::word::Signal;

/// Of the bytes among the signals, those that are one: others only end a wait, as the system's numbers do, which are below.
const SENT: u8 = 0x80;
/// What is written for nothing but to end a wait.
const NUDGE: u8 = 0;

/// The hand by which signals come in, from any thread, or a signal handler of the host's.
#[derive(Clone, Debug)]
pub struct Signals {
    socket: Arc<UnixStream>,
    /// The master: a child that it has just forked still has its signal handlers, and this very socket.
    pid: u32,
}

impl Signals {
    /// The master got this one.
    pub fn send(&self, signal: Signal) {
        self.write(SENT | signal as u8);
    }

    /// Whoever waits should look at the host's affairs.
    pub fn nudge(&self) {
        self.write(NUDGE);
    }

    fn write(&self, byte: u8) {
        if std::process::id() == self.pid {
            let _ = rustix::net::send(&*self.socket, &[byte], SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Where they arrive.
#[derive(Debug)]
pub struct Inbox(UnixStream);

impl Inbox {
    /// One, and what puts signals into it.
    pub fn new() -> io::Result<(Inbox, Signals)> {
        let (ours, theirs) = UnixStream::pair()?;
        // No write ever waits.
        theirs.set_nonblocking(true)?;
        Ok((Inbox(ours), Signals { socket: Arc::new(theirs), pid: std::process::id() }))
    }

    /// The signals that have come, and whether there was a nudge.
    pub fn take(&self) -> (Vec<Signal>, bool) {
        let mut buffer = [0_u8; 64];
        let length = match rustix::net::recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
            Ok((length, _)) => length,
            Err(_) => 0,
        };
        let nudged = buffer[..length].iter().any(|byte| byte & SENT == 0);
        let known = |byte: &u8| {
            Signal::NAMES.into_iter().map(|(_, signal)| signal).find(|signal| SENT | *signal as u8 == *byte)
        };
        (buffer[..length].iter().filter_map(known).collect(), nudged)
    }
}

impl AsFd for Inbox {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
