//! The last resort of a host whose interpreter runs nothing any more, because a handler never gives it back: signals and timeouts
//! then end the process all the same, from a native thread.

use std::ffi::{c_int, c_void};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::ending::{self, End, STUCK};
use super::hearing::{self, Ear, Respite};
use super::options::WorkerOptions;
use super::shared::Shared;
use super::shift::Shift;
use super::supervisor::Signal;
use super::{Inner, Worker};
use crate::error::{Error, Result};
use crate::native;

/// What a host has beyond the time of its handlers to end the worker itself.
const MARGIN: Duration = Duration::from_secs(1);

/// What is told besides the numbers of signals: look whether there is still a host to watch, and, a handler is stuck and the host does
/// nothing about it.
const LOOK: u8 = 0;
const DEAF: u8 = u8::MAX;

/// That of the process whose host is watched.
static EAR: Ear = Ear::new();
static WATCH: Mutex<Watch> = Mutex::new(Watch { heard: None, listener: None });
static CAUGHT: [Caught; 3] = [Caught::new(Signal::Term), Caught::new(Signal::Int), Caught::new(Signal::Quit)];

/// Locked when a host begins or ends to be watched, at no other time.
struct Watch {
    /// What the process hears, with its pid.
    heard: Option<(u32, Arc<UnixStream>)>,
    /// While there is a worker, those there are and the thread that listens.
    listener: Option<(Arc<Crew>, JoinHandle<()>)>,
}

/// The workers whose host is watched, and whether signals are for them.
#[derive(Default)]
struct Crew(Mutex<Vec<(Arc<Inner>, bool)>>);

/// What a worker knows of its host.
#[derive(Default)]
pub struct Host {
    watched: AtomicBool,
    /// It has learned that a handler is stuck.
    pub knows: AtomicBool,
}

impl Worker {
    /// For a host that performs in an interpreter: until [`Worker::unwatch_host`] a native thread ends the process when the host
    /// cannot, because a handler never gives the interpreter back. Called once the host itself obeys signals, on its main thread.
    ///
    /// With `signals` that is when handlers run although nobody has called [`Worker::stop`] a second after the time that TERM and
    /// INT ([`Worker::kill_timeout`]) or QUIT ([`Worker::shutdown_timeout`]) leave them: then the outcomes that there are are
    /// delivered, and the process ends as by that signal. At a second TERM or INT it ends at once, whatever the host does. Either as
    /// by [`Worker::end_process`]. The host's own handlers of these signals are called as before.
    ///
    /// In any case, where there is no master, it ends with status 70 when a handler is stuck and the host has not asked
    /// [`Worker::is_stuck`] a second later, or not stopped the worker a second after its shutdown timeout.
    ///
    /// # Errors
    /// `CLOSED` in a forked child; `INTERNAL` when the system gives no thread or socket.
    pub fn watch_host(&self, signals: bool) -> Result<()> {
        self.inner("worker_watch_host")?;
        let Some(inner) = &self.inner else { return Ok(()) };
        let failed = |error: std::io::Error| {
            Error::internal(format!("signals cannot be caught: {error}")).during("worker_watch_host")
        };
        let mut watch = watch();
        let heard = watch.heard().map_err(failed)?;
        let crew = match &watch.listener {
            Some((crew, _)) => Arc::clone(crew),
            None => {
                let crew = Arc::new(Crew::default());
                let listening = Arc::clone(&crew);
                let listener = native::begin("mh-last-resort", move || listening.listen(&heard)).map_err(failed)?;
                Arc::clone(&watch.listener.insert((crew, listener)).0)
            }
        };
        crew.lock().push((Arc::clone(inner), signals));
        inner.shared.host.watched.store(true, Ordering::Relaxed);
        if signals {
            CAUGHT.iter().for_each(Caught::catch);
        }
        Ok(())
    }

    /// The host ends by itself from now on. Called before it puts back what it found for these signals.
    pub fn unwatch_host(&self) {
        let Ok(inner) = self.inner("worker_unwatch_host") else { return };
        let mut watch = watch();
        let Some((crew, _)) = watch.listener.as_ref().filter(|_| watch.is_ours()) else { return };
        inner.shared.host.watched.store(false, Ordering::Relaxed);
        let mut workers = crew.lock();
        workers.retain(|(watched, _)| !std::ptr::eq(&**watched, inner));
        let (none, no_signals) = (workers.is_empty(), workers.iter().all(|(_, signals)| !signals));
        drop(workers);
        if no_signals {
            CAUGHT.iter().for_each(Caught::let_go);
        }
        if none && let Some((_, listener)) = watch.listener.take() {
            EAR.tell(LOOK);
            // Still locked: another would read what this one is told.
            let _ = listener.join();
        }
    }
}

/// The process's.
fn watch() -> MutexGuard<'static, Watch> {
    WATCH.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watch {
    /// False in a forked child that watches no host itself.
    fn is_ours(&self) -> bool {
        self.heard.as_ref().is_some_and(|(owner, _)| *owner == std::process::id())
    }

    fn heard(&mut self) -> std::io::Result<Arc<UnixStream>> {
        if let Some((_, heard)) = self.heard.as_ref().filter(|_| self.is_ours()) {
            return Ok(Arc::clone(heard));
        }
        // The parent's workers must not be dropped here.
        std::mem::forget(self.listener.take());
        let heard = Arc::new(EAR.open()?);
        self.heard = Some((std::process::id(), Arc::clone(&heard)));
        Ok(heard)
    }
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, Vec<(Arc<Inner>, bool)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until there are no more workers.
    fn listen(&self, heard: &UnixStream) {
        let mut respite = Respite::default();
        loop {
            let Ok(byte) = hearing::listen(heard, respite.left()) else { return };
            match byte {
                Some(LOOK) if self.lock().is_empty() => return,
                Some(DEAF) => self.leave_if(End::Status(STUCK), |worker, _| {
                    worker.shared.is_deaf(&worker.shared.shift(), Instant::now())
                }),
                Some(number) => {
                    if let Some(signal) = Signal::numbered(number.into()) {
                        let [kill, shutdown] = [
                            self.longest(|options| options.timeouts.kill),
                            self.longest(|options| options.shutdown_timeout),
                        ];
                        respite.hear(signal, kill + MARGIN, shutdown + MARGIN);
                    }
                }
                None => {}
            }
            if let Some(signal) = respite.over() {
                self.leave_if(End::Signal(signal), |worker, signals| {
                    signals && worker.shared.shift().hand.started() > 0
                });
            }
        }
    }

    /// Ends the process when this holds for a worker that nobody stops.
    fn leave_if(&self, end: End, is_left: impl Fn(&Inner, bool) -> bool) {
        let workers = self.lock().clone();
        if workers.iter().any(|(worker, signals)| !worker.threads.are_stopped() && is_left(worker, *signals)) {
            let workers: Vec<_> = workers.into_iter().map(|(worker, _)| worker).collect();
            ending::leave(&workers, end);
        }
    }

    fn longest(&self, span: impl Fn(&WorkerOptions) -> Duration) -> Duration {
        self.lock().iter().map(|(worker, _)| span(&worker.shared.options)).max().unwrap_or_default()
    }
}

impl Shared {
    /// Has the process ended when a handler is stuck and the host, which would, hears nothing of it.
    pub fn report_deaf(&self, shift: &Shift, now: Instant) {
        if self.host.watched.load(Ordering::Relaxed) && self.is_deaf(shift, now) {
            EAR.tell(DEAF);
        }
    }

    fn is_deaf(&self, shift: &Shift, now: Instant) -> bool {
        let given =
            if self.host.knows.load(Ordering::Relaxed) { self.options.shutdown_timeout } else { Duration::ZERO };
        let since = now.checked_sub(given + MARGIN);
        self.link.get().is_none() && since.is_some_and(|since| shift.hand.is_stuck(since))
    }
}

/// A signal whose number is told before the host's handler is called.
struct Caught {
    signal: Signal,
    /// The host's handler; 0: there was none.
    handler: AtomicUsize,
    /// It takes more than the number.
    is_informed: AtomicBool,
}

impl Caught {
    const fn new(signal: Signal) -> Caught {
        Caught { signal, handler: AtomicUsize::new(0), is_informed: AtomicBool::new(false) }
    }

    /// Puts our handler before that of the host.
    fn catch(&self) {
        let Some(mut action) = action(self.signal) else { return };
        let (found, before) = (action.sa_sigaction, self.handler.load(Ordering::Acquire));
        // Whoever came after us may call ours: then it must not call theirs.
        let is_foreign = before != 0 && found != before;
        if found == ours() || found == libc::SIG_DFL || found == libc::SIG_IGN || is_foreign {
            return;
        }
        self.is_informed.store(action.sa_flags & libc::SA_SIGINFO != 0, Ordering::Release);
        self.handler.store(found, Ordering::Release);
        action.sa_sigaction = ours();
        action.sa_flags |= libc::SA_SIGINFO;
        set(self.signal, &action);
    }

    /// Puts back what was found, unless somebody else came meanwhile.
    fn let_go(&self) {
        let Some(mut action) = action(self.signal).filter(|action| action.sa_sigaction == ours()) else { return };
        if !self.is_informed.load(Ordering::Acquire) {
            action.sa_flags &= !libc::SA_SIGINFO;
        }
        action.sa_sigaction = self.handler.load(Ordering::Acquire);
        set(self.signal, &action);
    }
}

fn ours() -> usize {
    tell as *const () as usize
}

fn action(signal: Signal) -> Option<libc::sigaction> {
    // SAFETY: sigaction is plain data, and with no new action only the present one is written.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        (libc::sigaction(signal.number(), std::ptr::null(), &raw mut action) == 0).then_some(action)
    }
}

fn set(signal: Signal, action: &libc::sigaction) {
    // SAFETY: the action is one that was found, or has our handler, which calls only what may be called in a signal handler.
    unsafe { libc::sigaction(signal.number(), action, std::ptr::null_mut()) };
}

extern "C" fn tell(number: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(caught) = CAUGHT.iter().find(|caught| caught.signal.number() == number) else { return };
    EAR.tell(number as u8);
    let handler = caught.handler.load(Ordering::Acquire);
    if handler == 0 {
        return;
    }
    // SAFETY: the host installed this handler with or without SA_SIGINFO, and it has what the system gave for it.
    unsafe {
        if caught.is_informed.load(Ordering::Acquire) {
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = std::mem::transmute(handler);
            handler(number, info, context);
        } else {
            let handler: extern "C" fn(c_int) = std::mem::transmute(handler);
            handler(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;

    static CALLED: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn host(_number: c_int) {
        CALLED.fetch_add(1, Ordering::AcqRel);
    }

    extern "C" fn another(_number: c_int) {}

    fn has(handler: usize) -> bool {
        action(Signal::Int).is_some_and(|action| action.sa_sigaction == handler)
    }

    fn install(handler: extern "C" fn(c_int)) {
        let mut action = action(Signal::Int).unwrap();
        action.sa_sigaction = handler as *const () as usize;
        set(Signal::Int, &action);
    }

    #[test]
    fn the_hosts_handler_is_called_and_put_back_unless_another_came() {
        let client = Client::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
        let [first, second] = [0, 1].map(|_| Worker::open(&client, r#"{"queues":["q"]}"#).unwrap());
        let found = host as *const () as usize;
        install(host);
        first.watch_host(true).unwrap();
        second.watch_host(true).unwrap();
        first.unwatch_host();
        assert!(has(ours()));
        // SAFETY: the signal has a handler.
        unsafe { libc::raise(libc::SIGINT) };
        assert_eq!(CALLED.load(Ordering::Acquire), 1);
        second.unwatch_host();
        assert!(has(found) && watch().listener.is_none());
        first.watch_host(true).unwrap();
        install(another);
        first.unwatch_host();
        first.watch_host(true).unwrap();
        assert!(has(another as *const () as usize), "it may call ours");
        first.unwatch_host();
        install(host);
        first.watch_host(false).unwrap();
        assert!(has(found));
        first.unwatch_host();
    }
}
