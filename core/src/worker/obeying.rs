//! Signals that this very process gets: a worker obeys them as it does those of a master, when its program wants it to.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use signal_hook::consts::SIGHUP;
use signal_hook::low_level;

use super::ending::{self, End, STUCK};
use super::hearing::{self, Ear, Respite};
use super::options::WorkerOptions;
use super::shared::Shared;
use super::supervisor::Signal;
use super::{Inner, Worker, traces};
use crate::error::{Error, Result};
use crate::{native, title};

/// How often the title of the process is brought up to date.
const TITLE_EVERY: Duration = Duration::from_millis(500);

/// That of the process that obeys.
static EAR: Ear = Ear::new();

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
    /// A handler that goes on for [`Worker::kill_timeout`] after its timeout ([`Worker::is_stuck`]) makes its process quiet, and ends it
    /// so, with status 70, once the others have ended, or after [`Worker::shutdown_timeout`]; where there is a master, that does.
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
    let heard = EAR.open().map_err(failed)?;
    let crew = Arc::new(Crew::default());
    let obeyed = Arc::clone(&crew);
    native::begin("mh-signals", move || obeyed.listen(&heard)).map_err(failed)?;
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
        if !EAR.tell(byte) && was_default {
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
    fn listen(&self, heard: &UnixStream) {
        let mut respite = Respite::default();
        loop {
            self.show_title();
            let within = respite.left().map_or(TITLE_EVERY, |left| left.min(TITLE_EVERY));
            let Ok(byte) = hearing::listen(heard, Some(within)) else { return };
            if let Some(signal) = byte.and_then(|byte| Signal::numbered(byte.into())) {
                respite.hear(signal, self.kill_timeout(), self.shutdown_timeout());
                if !self.obey(signal) {
                    respite = Respite::default();
                    let _ = low_level::emulate_default_handler(signal.number());
                }
            }
            if let Some(signal) = respite.over() {
                self.leave(signal);
            }
            self.end_stuck();
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

    /// A handler did not end after its timeout: no more jobs, and the process ends when the others have, or have had their time. Where
    /// there is a master, that is its business.
    fn end_stuck(&self) {
        let (workers, now) = (self.workers(), Instant::now());
        let is_stuck = |at| workers.iter().any(|worker| worker.shared.shift().hand.is_stuck(at));
        if !is_stuck(now) || workers.iter().any(|worker| worker.shared.link.get().is_some()) {
            return;
        }
        for shared in workers.iter().map(|worker| &worker.shared) {
            shared.shift().fall_quiet();
            for bell in [&shared.hosts, &shared.runner] {
                bell.ring_all();
            }
        }
        let others_ended = workers.iter().all(|worker| worker.shared.shift().hand.only_stuck_run(now));
        if others_ended || now.checked_sub(self.shutdown_timeout()).is_some_and(is_stuck) {
            ending::leave(&workers, End::Status(STUCK));
        }
    }

    fn workers(&self) -> Vec<Arc<Inner>> {
        self.lock().iter().filter_map(|(_, worker)| worker.upgrade()).collect()
    }

    /// The time is over: ends the process when handlers still run.
    fn leave(&self, signal: Signal) {
        let workers = self.workers();
        if workers.iter().any(|worker| worker.shared.shift().hand.started() > 0) {
            ending::leave(&workers, End::Status(128 + signal.number()));
        }
    }
}
