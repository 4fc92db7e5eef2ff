//! One worker process, as its master holds it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::io::{Errno, FdFlags};
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::{Pid, PidfdFlags, Signal as SystemSignal, WaitOptions, WaitStatus};

use super::event::Ended;
use super::word::{Signal, Word};
use super::{LINK_VARIABLE, MARKS_VARIABLE};
use crate::worker::marks::{Left, Table};

/// What a process finds in its environment.
pub fn variables(link: RawFd, marks: RawFd) -> [(&'static str, String); 2] {
    [(LINK_VARIABLE, link.to_string()), (MARKS_VARIABLE, marks.to_string())]
}

/// A process: the ends of what it shares with its master.
pub struct Process {
    pid: Option<Pid>,
    /// Readable when the process is dead.
    death: Option<OwnedFd>,
    socket: UnixStream,
    /// The process's end, until it has it.
    theirs: Option<UnixStream>,
    /// It has closed its end: it will say nothing more.
    closed: bool,
    /// The beginning of a line.
    line: Vec<u8>,
    marks: Table,
}

impl Process {
    /// One that is about to be made.
    pub fn new(told: &[Signal]) -> io::Result<Process> {
        let (socket, theirs) = UnixStream::pair()?;
        let marks = Table::new()?;
        let process =
            Process { pid: None, death: None, socket, theirs: Some(theirs), closed: false, line: Vec::new(), marks };
        told.iter().for_each(|signal| process.tell(*signal));
        Ok(process)
    }

    /// What it is to inherit: its end of the socket, and its marks. They are open until it has started.
    pub fn legacy(&self) -> (RawFd, RawFd) {
        (self.theirs.as_ref().map_or(-1, AsRawFd::as_raw_fd), self.marks.as_fd().as_raw_fd())
    }

    /// Starts a program that inherits it, in a process group of its own: a key pressed at a terminal reaches the master alone.
    pub fn spawn(&self, command: &mut Command) -> io::Result<u32> {
        let theirs = self.theirs.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let (link, marks) = self.legacy();
        command.envs(variables(link, marks)).process_group(0);
        // Where another thread starts a program in this very moment that one inherits them too; it finds the marks taken.
        let inherited =
            |flags| rustix::io::fcntl_setfd(theirs, flags).and_then(|()| rustix::io::fcntl_setfd(&self.marks, flags));
        inherited(FdFlags::empty())?;
        let child = command.spawn();
        inherited(FdFlags::CLOEXEC)?;
        Ok(child?.id())
    }

    /// It is there, and has what it inherits.
    pub fn started(&mut self, pid: u32) -> io::Result<()> {
        self.pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        self.theirs = None;
        let pid = self.pid.ok_or(io::ErrorKind::InvalidInput)?;
        self.death = Some(rustix::process::pidfd_open(pid, PidfdFlags::empty())?);
        Ok(())
    }

    pub fn pid(&self) -> Option<u32> {
        self.pid.map(|pid| pid.as_raw_nonzero().get().cast_unsigned())
    }

    /// Takes its end away from this process for good, without closing it: this process is the one that inherits.
    pub fn become_it(mut self) {
        if let Some(theirs) = self.theirs.take() {
            let _ = theirs.into_raw_fd();
        }
        self.marks.leave_open();
    }

    /// What is readable when there is news of it.
    pub fn news(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let socket = (!self.closed).then(|| self.socket.as_fd());
        socket.into_iter().chain(self.death.as_ref().map(AsFd::as_fd))
    }

    /// Writes a line. What has no room any more is lost: who does not read for so long is not listening.
    pub fn tell(&self, signal: Signal) {
        let line = format!("{}\n", signal.name());
        let _ = rustix::net::send(&self.socket, line.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    }

    /// Sends a signal to the process, and to whatever else is in its group when it leads one.
    pub fn signal(&self, signal: SystemSignal) {
        let Some(pid) = self.pid else { return };
        let _ = match rustix::process::getpgid(Some(pid)) {
            Ok(group) if group == pid => rustix::process::kill_process_group(pid, signal),
            _ => rustix::process::kill_process(pid, signal),
        };
    }

    /// What it has said since.
    pub fn hear(&mut self) -> Vec<Word> {
        let mut buffer = [0_u8; 256];
        while let Ok((length, _)) = rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
            if length == 0 {
                self.closed = true;
                break;
            }
            self.line.extend_from_slice(&buffer[..length]);
        }
        let Some(end) = self.line.iter().rposition(|byte| *byte == b'\n') else { return Vec::new() };
        let lines: Vec<u8> = self.line.drain(..=end).collect();
        String::from_utf8_lossy(&lines).lines().filter_map(Word::named).collect()
    }

    /// How it ended, once it has. Nobody else may wait for it.
    pub fn ended(&self) -> Option<Ended> {
        let status = match rustix::process::waitpid(Some(self.pid?), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => status,
            // Somebody did wait for it: how it ended is not known.
            Err(Errno::CHILD) => return Some(Ended::Status(1)),
            _ => return None,
        };
        ended(status)
    }

    /// Its resident memory in bytes; None when it has just died. Of a process that only started the worker: the worker's.
    pub fn memory(&self) -> Option<u64> {
        let pid = self.marks.writer().or(self.pid())?;
        let pages: u64 = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?.split(' ').nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    /// What its workers left behind. A worker that outlived the process that started it is killed first: its jobs go to others.
    pub fn left(&self) -> Vec<Left> {
        let writer =
            self.marks.writer().and_then(|pid| Pid::from_raw(pid.cast_signed())).filter(|pid| Some(*pid) != self.pid);
        if let Some(writer) = writer.filter(|pid| rustix::process::getpgid(Some(*pid)).ok() == self.pid) {
            let _ = rustix::process::kill_process(writer, SystemSignal::KILL);
        }
        self.marks.left()
    }
}

/// Waits for processes that were left to this one because it is the first of a container, and are not its own.
pub fn wait_for_orphans(own: &BTreeMap<u64, Process>) {
    let Ok(entries) = fs::read_dir("/proc") else { return };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    for pid in numbers.filter_map(Pid::from_raw).filter(|pid| own.values().all(|process| process.pid != Some(*pid))) {
        // Of one that is nobody's child of ours, or runs, nothing happens.
        let _ = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

fn ended(status: WaitStatus) -> Option<Ended> {
    status.exit_status().map(Ended::Status).or_else(|| status.terminating_signal().map(Ended::Signal))
}
