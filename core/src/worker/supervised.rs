//! A worker process's link to its master: a socket on which both write words, one a line, and the marks.
//!
//! A native thread reads, so that an order is obeyed, and the master's death noticed, whatever the host is doing.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use std::{env, fs, thread};

use rustix::io::{Errno, FdFlags};
use rustix::net::{RecvFlags, SendFlags};
use rustix::process::Signal as SystemSignal;

use super::marks::Marks;
use super::shared::Shared;
use super::supervisor::{LINK_VARIABLE, MARKS_NAME, MARKS_VARIABLE, Signal, Word};
use crate::native;

/// What a process has beyond its shutdown timeout when its master is dead, before it ends itself.
const MARGIN: Duration = Duration::from_secs(5);
/// Longest line.
const LINE: usize = 256;

/// The link of a process; all its workers share it.
pub struct Link {
    socket: OwnedFd,
    marks: Marks,
    said: [AtomicBool; 3],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    workers: Vec<Weak<Shared>>,
    /// Those signals that concern workers which come later as well.
    paused: bool,
    ends: Option<Signal>,
    /// The beginning of a line.
    line: Vec<u8>,
    is_read: bool,
}

/// This process's, with its pid: a forked child has none, or one of its own. Locked when a worker begins, at no other time.
static LINK: Mutex<Option<(u32, Option<Arc<Link>>)>> = Mutex::new(None);

/// Links a worker that is about to begin to the master, if there is one. What the master has said already holds from its
/// first call on. Called with signals held back.
pub fn join(shared: &Arc<Shared>) {
    let Some(link) = link() else { return };
    let mut shift = shared.shift();
    shift.hand.marks = link.marks.region(&shared.name, shared.options.threads);
    drop(shift);
    link.receive(RecvFlags::DONTWAIT);
    let mut state = link.state();
    state.workers.push(Arc::downgrade(shared));
    for signal in state.paused.then_some(Signal::Usr2).into_iter().chain(state.ends) {
        shared.obey(signal);
    }
    let begin = !std::mem::replace(&mut state.is_read, true);
    drop(state);
    // Set once: a worker begins once.
    let _ = shared.link.set(Arc::clone(&link));
    if begin {
        // Without this thread the process learns of nothing, and the master ends it by signals.
        let _ = native::begin("mh-link", move || link.read());
    }
}

fn link() -> Option<Arc<Link>> {
    let pid = std::process::id();
    let mut known = LINK.lock().unwrap_or_else(PoisonError::into_inner);
    match &*known {
        Some((owner, link)) if *owner == pid => link.clone(),
        _ => {
            let link = inherit();
            *known = Some((pid, link.clone()));
            link
        }
    }
}

/// The link that a master has handed down to this very process. Whoever it starts or forks has the variables too, but finds
/// the marks taken, or no marks under that number.
fn inherit() -> Option<Arc<Link>> {
    let number = |variable| env::var(variable).ok()?.parse::<RawFd>().ok();
    let (socket, marks) = (number(LINK_VARIABLE)?, number(MARKS_VARIABLE)?);
    let is = |descriptor: RawFd, what: &str| {
        let target = fs::read_link(format!("/proc/self/fd/{descriptor}"));
        target.is_ok_and(|target| target.to_string_lossy().starts_with(what))
    };
    if !is(marks, &format!("/memfd:{MARKS_NAME}")) || !is(socket, "socket:") {
        return None;
    }
    // Opened anew, because the descriptor may be another's: of a process that forked this one.
    let opened = fs::File::options().read(true).write(true).open(format!("/proc/self/fd/{marks}")).ok()?;
    let table = Marks::inherited(opened.into()).ok().filter(Marks::claim)?;
    // SAFETY: both are open. The marks were nobody's until this process claimed them, so the master handed these descriptors
    // to this process, or to one that did not use them, and nobody else here knows them.
    let [socket, marks] = [socket, marks].map(|number| unsafe { OwnedFd::from_raw_fd(number) });
    drop(marks);
    rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC).ok()?;
    let said = Default::default();
    Some(Arc::new(Link { socket, marks: table, said, state: Mutex::default() }))
}

impl Link {
    /// Tells the master, once.
    pub fn say(&self, word: Word) {
        if !self.said[word as usize].swap(true, Ordering::Relaxed) {
            let line = format!("{}\n", word.name());
            // It has room for this; a master that is gone is noticed where we read.
            let _ = rustix::net::send(&self.socket, line.as_bytes(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        }
    }

    /// Obeys until the master is dead, and then ends this process: as at QUIT, and by force when that does not.
    fn read(&self) {
        while self.receive(RecvFlags::empty()) {}
        let mut state = self.state();
        state.obey(Signal::Quit);
        let given = state.workers.iter().filter_map(Weak::upgrade).map(|worker| worker.options.shutdown_timeout).max();
        drop(state);
        thread::sleep(given.unwrap_or_default() + MARGIN);
        let _ = rustix::process::kill_process(rustix::process::getpid(), SystemSignal::KILL);
    }

    /// Obeys the lines that have come; false when no more will.
    fn receive(&self, flags: RecvFlags) -> bool {
        let mut buffer = [0_u8; LINE];
        match rustix::net::recv(&self.socket, &mut buffer[..], flags) {
            Ok((0, _)) => false,
            Ok((length, _)) => {
                self.state().hear(&buffer[..length]);
                true
            }
            Err(error) => matches!(error, Errno::INTR | Errno::AGAIN),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn hear(&mut self, bytes: &[u8]) {
        self.line.extend_from_slice(bytes);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            // A newer master may say more than this process understands.
            if let Some(signal) = std::str::from_utf8(&line[..end]).ok().and_then(Signal::named) {
                self.obey(signal);
            }
        }
    }

    fn obey(&mut self, signal: Signal) {
        match signal {
            Signal::Usr2 | Signal::Cont => self.paused = signal == Signal::Usr2,
            Signal::Quit | Signal::Term | Signal::Int => self.ends = Some(signal),
            Signal::Usr1 | Signal::Ttin | Signal::Hup => {}
        }
        self.workers.retain(|worker| worker.upgrade().map(|worker| worker.obey(signal)).is_some());
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::super::Worker;
    use super::super::hand::tests::job;
    use super::super::marks::Table;
    use super::*;
    use crate::client::Client;

    #[test]
    fn whoever_learns_that_a_handler_is_stuck_may_end_the_process_at_once() {
        let client = Client::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
        let worker = Worker::open(&client, r#"{"queues":["q"],"timeout_ms":1,"kill_timeout_ms":0}"#).unwrap();
        let shared = &worker.inner("test").unwrap().shared;
        let (socket, master) = UnixStream::pair().unwrap();
        let marks = Marks::inherited(Table::new().unwrap().as_fd().try_clone_to_owned().unwrap()).unwrap();
        let link = Link { socket: socket.into(), marks, said: Default::default(), state: Mutex::default() };
        assert!(shared.link.set(Arc::new(link)).is_ok());
        let now = Instant::now();
        shared.shift().hand.receive(vec![job("a", "k")], now);
        shared.shift().hand.start(now).unwrap();
        while !worker.is_stuck() {
            thread::yield_now();
        }
        let mut heard = [0_u8; LINE];
        let (length, _) = rustix::net::recv(&master, &mut heard[..], RecvFlags::DONTWAIT).unwrap();
        assert_eq!(heard[..length], *b"stuck\n");
    }
}
