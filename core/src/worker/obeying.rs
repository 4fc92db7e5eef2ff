//! Signals that this very process gets: a worker obeys them as it does those of a master, when its program wants it to.

use std::io::{ErrorKind, Read};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use signal_hook::consts::SIGHUP;
use signal_hook::low_level;

use super::ending::End;
use super::options::WorkerOptions;
use super::shared::Shared;
use super::supervisor::Signal;
use super::{Inner, Worker, traces};
use crate::error::{Error, Result};
use crate::{native, title};

/// How often the title of the process is brought up to date.
const TITLE_EVERY: Duration = Duration::from_millis(500);

/// The process that obeys, and where its signal handlers write numbers. A forked child has these, but is another.
static OWNER: AtomicU32 = AtomicU32::new(0);
static PIPE: AtomicI32 = AtomicI32::new(-1);

/// Locked when a worker begins to obey, at no other time.
static OBEYING: Mutex<Obeying> = Mutex::new(Obeying { registered: false, crew: None });

struct Obeying {
    /// The handlers are there; a forked child has them too.
    registered: bool,
    /// The process's, with its pid.
    crew: Option<(u32, Arc<Crew>)>,
}

/// The workers of a process that obey.
#[derive(Default)]
struct Crew(Mutex<Vec<(Weak<Shared>, Weak<Inner>)>>);

impl Worker {
    /// From now on this process's signals are for this worker: QUIT takes no new jobs, TERM and INT also interrupt the running
    /// handlers (`killed`), USR1 interrupts them and goes on, USR2 pauses, CONT resumes, TTIN says on standard error what runs, with a
    /// backtrace of each thread that took a job: for that these threads are reached by the last real-time signal that is free.
    /// The title of the process (`ps`, `/proc/<pid>/cmdline`) shows its queues and what it runs; its arguments stay as they are.
    ///
    /// After QUIT, TERM and INT [`Worker::next`] answers [`Next::Stopped`](super::Next::Stopped), so that [`Worker::run`] returns when
    /// the handlers have. When some have not within [`Worker::shutdown_timeout`] (QUIT) or [`Worker::kill_timeout`] (TERM, INT), the
    /// outcomes that there are are delivered and the process exits with 128 and the signal's number; a second TERM or INT ends it at once. Either gives
    /// back what the handlers had begun, when every thread of the process can be held for good before (or there is a master to do it).
    ///
    /// The program's own handlers of these signals, installed before, are called as well. When all workers that obey are gone, and
    /// in a forked child, the signals do what they did before.
    ///
    /// # Errors
    /// `CLOSED` in a forked child; `INTERNAL` when the system gives no thread or socket.
    pub fn obey_signals(&self) -> Result<()> {
        let shared = &self.inner("worker_obey_signals")?.shared;
        let inner = self.inner.as_ref().map(Arc::downgrade).unwrap_or_default();
        let crew = crew().map_err(|error| error.during("worker_obey_signals"))?;
        shared.told.shown_here(|| Box::new(traces::tracer(shared.name.clone(), shared.lines.clone())));
        crew.lock().push((Arc::downgrade(shared), inner));
        crew.show_title();
        Ok(())
    }
}

/// This process's, whose signals are caught from the first call on.
fn crew() -> Result<Arc<Crew>> {
    let pid = std::process::id();
    let mut obeying = OBEYING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((owner, crew)) = &obeying.crew
        && *owner == pid
    {
        return Ok(Arc::clone(crew));
    }
    let failed = |error: std::io::Error| Error::internal(format!("signals cannot be caught: {error}"));
    let (heard, pipe) = UnixStream::pair().map_err(failed)?;
    pipe.set_nonblocking(true).map_err(failed)?;
    let crew = Arc::new(Crew::default());
    let obeyed = Arc::clone(&crew);
    native::begin("mh-signals", move || obeyed.listen(heard)).map_err(failed)?;
    // Never closed: a handler may be about to write.
    PIPE.store(pipe.into_raw_fd(), Ordering::Release);
    OWNER.store(pid, Ordering::Release);
    if !obeying.registered {
        // A process that is told HUP ends like any other.
        Signal::numbers().filter(|number| *number != SIGHUP).try_for_each(register).map_err(failed)?;
        obeying.registered = true;
    }
    obeying.crew = Some((pid, Arc::clone(&crew)));
    Ok(crew)
}

fn register(number: i32) -> std::io::Result<()> {
    // SAFETY: sigaction is plain data, and with no new action only the present one is written.
    let was_default = unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        libc::sigaction(number, std::ptr::null(), &raw mut before) == 0 && before.sa_sigaction == libc::SIG_DFL
    };
    let byte = number as u8;
    let tell = move || {
        if std::process::id() == OWNER.load(Ordering::Acquire) {
            let pipe = PIPE.load(Ordering::Acquire);
            // SAFETY: write may be called here, with a byte that lives. What has no room is one of thousands not yet read.
            unsafe { libc::write(pipe, (&raw const byte).cast(), 1) };
        } else if was_default {
            let _ = low_level::emulate_default_handler(number);
        }
    };
    // SAFETY: the action calls only what may be called in a signal handler, takes no lock and needs no memory.
    unsafe { low_level::register(number, tell) }.map(drop)
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, Vec<(Weak<Shared>, Weak<Inner>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Obeys for as long as the process lives.
    fn listen(&self, mut heard: UnixStream) {
        let mut asked = false;
        let mut ends: Option<(Instant, i32)> = None;
        loop {
            self.show_title();
            let left =
                ends.map_or(TITLE_EVERY, |(by, _)| TITLE_EVERY.min(by.saturating_duration_since(Instant::now())));
            // No time at all would be none given.
            let _ = heard.set_read_timeout(Some(left.max(Duration::from_millis(1))));
            let mut byte = [0];
            match heard.read(&mut byte) {
                Ok(1) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => return,
            }
            let number = i32::from(byte[0]);
            if let Some(signal) = Signal::numbered(number) {
                let given = match signal {
                    Signal::Term | Signal::Int if asked => Worker::end_process(End::Signal(signal)),
                    Signal::Term | Signal::Int => Some(self.kill_timeout()),
                    Signal::Quit => Some(self.shutdown_timeout()),
                    _ => None,
                };
                asked |= matches!(signal, Signal::Term | Signal::Int);
                if !self.obey(signal) {
                    asked = false;
                    let _ = low_level::emulate_default_handler(number);
                } else if let Some(by) = given.and_then(|given| Instant::now().checked_add(given))
                    && ends.is_none_or(|(sooner, _)| by < sooner)
                {
                    ends = Some((by, number));
                }
            }
            if let Some((_, number)) = ends.take_if(|(by, _)| *by <= Instant::now()) {
                self.leave(number);
            }
        }
    }

    /// Shows what the workers do.
    fn show_title(&self) {
        let workers: Vec<Arc<Shared>> = self.lock().iter().filter_map(|(worker, _)| worker.upgrade()).collect();
        let (states, titles): (Vec<_>, Vec<_>) = workers.iter().map(|worker| worker.title()).unzip();
        match states.first() {
            Some(state) => {
                let state = state.map(|state| format!(" {state}")).unwrap_or_default();
                title::show(&format!("manyhands worker{state} {}", titles.join("; ")));
            }
            None => title::show_arguments(),
        }
    }

    /// False when there is nobody to obey.
    fn obey(&self, signal: Signal) -> bool {
        let mut workers = self.lock();
        workers.retain(|(worker, _)| worker.upgrade().map(|worker| worker.obey(signal)).is_some());
        !workers.is_empty()
    }

    fn shutdown_timeout(&self) -> Duration {
        self.longest(|options| options.shutdown_timeout)
    }

    fn kill_timeout(&self) -> Duration {
        self.longest(|options| options.timeouts.kill)
    }

    fn longest(&self, span: impl Fn(&WorkerOptions) -> Duration) -> Duration {
        self.lock().iter().filter_map(|(worker, _)| Some(span(&worker.upgrade()?.options))).max().unwrap_or_default()
    }

    /// The time is over: ends the process when handlers still run.
    fn leave(&self, number: i32) {
        let workers: Vec<Arc<Inner>> = self.lock().iter().filter_map(|(_, worker)| worker.upgrade()).collect();
        let running = |worker: &Arc<Inner>| worker.shared.shift().hand.started() > 0;
        if !workers.iter().any(running) {
            return;
        }
        for worker in &workers {
            let (name, left) = (&worker.shared.name, worker.shared.shift().hand.started());
            worker.shared.lines.say(format!("manyhands: worker {name} ends while {left} of its handlers go on\n"));
            // What could not be delivered runs again when its lease ends.
            let _ = worker.threads.stop(&worker.shared, Duration::ZERO);
        }
        Worker::end_process(End::Status(128 + number))
    }
}
