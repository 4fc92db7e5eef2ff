//! Signals of this very process: their handlers write numbers, which a native thread reads.

use std::io::{ErrorKind, Read, Result};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::Worker;
use super::ending::End;
use super::supervisor::Signal;
use crate::native;

/// Where signal handlers write. A forked child has it too, but is another process.
pub struct Ear {
    owner: AtomicU32,
    pipe: AtomicI32,
}

impl Ear {
    pub const fn new() -> Ear {
        Ear { owner: AtomicU32::new(0), pipe: AtomicI32::new(-1) }
    }

    /// What is told to this process from now on comes out here.
    pub fn open(&self) -> Result<UnixStream> {
        let (heard, pipe) = UnixStream::pair()?;
        pipe.set_nonblocking(true)?;
        // Never closed: a handler may be about to write.
        self.pipe.store(pipe.into_raw_fd(), Ordering::Release);
        self.owner.store(std::process::id(), Ordering::Release);
        Ok(heard)
    }

    /// May be called in a signal handler. False in another process than that which opened it.
    pub fn tell(&self, byte: u8) -> bool {
        if std::process::id() != self.owner.load(Ordering::Acquire) {
            return false;
        }
        let pipe = self.pipe.load(Ordering::Acquire);
        // What has no room is one of thousands not yet read.
        // SAFETY: send may be called here, with a byte that lives.
        native::keeping_errno(|| unsafe { libc::send(pipe, (&raw const byte).cast(), 1, libc::MSG_NOSIGNAL) });
        true
    }
}

/// The next byte, within so long (None: for ever); None when none came.
pub fn listen(mut heard: &UnixStream, within: Option<Duration>) -> Result<Option<u8>> {
    // No time at all would be none given.
    heard.set_read_timeout(within.map(|span| span.max(Duration::from_millis(1))))?;
    let mut byte = [0];
    match heard.read(&mut byte) {
        Ok(1) => Ok(Some(byte[0])),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error),
        Ok(_) => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// How long a process may last that signals tell to end.
#[derive(Default)]
pub struct Respite {
    asked: bool,
    ends: Option<(Instant, Signal)>,
}

impl Respite {
    /// QUIT leaves `shutdown`; TERM and INT leave `kill`, and a second one nothing: the process ends here.
    pub fn hear(&mut self, signal: Signal, kill: Duration, shutdown: Duration) {
        let given = match signal {
            Signal::Term | Signal::Int if self.asked => Worker::end_process(End::Signal(signal)),
            Signal::Term | Signal::Int => kill,
            Signal::Quit => shutdown,
            _ => return,
        };
        self.asked |= signal != Signal::Quit;
        if let Some(by) = Instant::now().checked_add(given)
            && self.ends.is_none_or(|(sooner, _)| by < sooner)
        {
            self.ends = Some((by, signal));
        }
    }

    /// What is left; None while nothing is to end.
    pub fn left(&self) -> Option<Duration> {
        self.ends.map(|(by, _)| by.saturating_duration_since(Instant::now()))
    }

    /// The signal whose time is over, once.
    pub fn over(&mut self) -> Option<Signal> {
        self.ends.take_if(|(by, _)| *by <= Instant::now()).map(|(_, signal)| signal)
    }
}
