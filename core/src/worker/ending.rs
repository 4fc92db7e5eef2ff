//! The end of a process in which handlers go on: what they had begun is given back, when it is certain that nothing of them goes on.

use std::convert::Infallible;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::low_level;

use super::marks::Left;
use super::shared::Shared;
use super::supervisor::{Signal, settle};
use super::{Inner, Worker, reach};
use crate::native;

/// How long the end of a process may take to hold its handlers, and then, in all, to give back their jobs.
const HOLD: Duration = Duration::from_secs(1);
const GIVE_BACK: Duration = Duration::from_secs(2);
/// The status of a process that ends because of a handler that does not, after its timeout.
pub const STUCK: i32 = 70;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this status.
    Status(i32),
    /// As by this signal; the first process of a container, which outlives every signal of its own, with 128 and its number.
    Signal(Signal),
}

/// Workers whose handlers go on until the process exits.
static KEPT: Mutex<Vec<Arc<Shared>>> = Mutex::new(Vec::new());

/// The process that is about to end.
static ENDING: AtomicU32 = AtomicU32::new(0);

type OnExit = unsafe extern "C" fn(extern "C" fn(c_int, *mut c_void), *mut c_void) -> c_int;

/// The workers that have begun, with the process in which they did. Locked when a worker begins or a process ends, at no other time.
static BEGUN: Mutex<Vec<(u32, Weak<Shared>)>> = Mutex::new(Vec::new());

/// A worker begins.
pub fn join(shared: &Arc<Shared>) {
    let mut begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    begun.retain(|(_, worker)| worker.strong_count() > 0);
    begun.push((std::process::id(), Arc::downgrade(shared)));
}

impl Worker {
    /// Ends this process now. What the handlers of its workers have begun is given back first, free of charge, when every thread of
    /// the process but this one can be held for good; else it runs again when its lease ends. With status 70, that of a process
    /// with a handler that does not end after its timeout, a retry is spent. A master does the same when the process is dead.
    ///
    /// What was handed in and not delivered ([`Worker::stop`]) is lost, and no destructor runs.
    pub fn end_process(end: End) -> ! {
        let pid = std::process::id();
        while ENDING.swap(pid, Ordering::AcqRel) == pid {
            // Another thread does it, and is to hold this one.
            thread::park();
        }
        give_back(end);
        end.now()
    }

    /// From now on this process ends in the same way when it calls `exit` while handlers go on. Does nothing where the system
    /// does not tell the status then (`on_exit`).
    pub fn end_at_exit() {
        static OWNER: AtomicU32 = AtomicU32::new(0);

        extern "C" fn ends(status: c_int, _argument: *mut c_void) {
            if std::process::id() != OWNER.load(Ordering::Acquire) || holding().is_empty() {
                return;
            }
            // This one's thread-local values are gone.
            let end = move || Worker::end_process(End::Status(status));
            if let Ok(thread) = native::begin("mh-exit", end) {
                let _: thread::Result<Infallible> = thread.join();
            }
        }

        // The host lets go of them before the end.
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).extend(holding());
        let pid = std::process::id();
        if OWNER.swap(pid, Ordering::AcqRel) == pid {
            return;
        }
        // SAFETY: the name ends with a zero, and the function behind it has this type wherever there is one.
        unsafe {
            let on_exit = libc::dlsym(libc::RTLD_DEFAULT, c"on_exit".as_ptr());
            let on_exit: Option<OnExit> = std::mem::transmute(on_exit);
            on_exit.map(|on_exit| on_exit(ends, std::ptr::null_mut()));
        }
    }

    /// The threads that there are now and that block all signals belong to the host's runtime, not to a handler: for
    /// [`Worker::end_process`] they need not be held. For hosts whose runtime has such threads, when they load this library.
    pub fn spare_runtime_threads() {
        reach::spare_deaf();
    }
}

impl End {
    fn now(self) -> ! {
        let status = match self {
            End::Status(status) => status,
            End::Signal(signal) => {
                if std::process::id() != 1 {
                    // That it ends so is no fault: QUIT would leave an image of its memory.
                    // SAFETY: a call without memory.
                    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
                    let _ = low_level::emulate_default_handler(signal.number());
                }
                128 + signal.number()
            }
        };
        // SAFETY: ends the process, which the handlers that go on are not asked about.
        unsafe { libc::_exit(status) }
    }
}

/// Ends this process although handlers of these workers go on. What outcomes there are is delivered before.
pub fn leave(workers: &[Arc<Inner>], end: End) -> ! {
    for worker in workers {
        let (name, left) = (&worker.shared.name, worker.shared.shift().hand.started());
        worker.shared.lines.say(format!("manyhands: worker {name} ends while {left} of its handlers go on\n"));
        // What could not be delivered runs again when its lease ends.
        let _ = worker.threads.stop(&worker.shared, Duration::ZERO);
    }
    Worker::end_process(end)
}

/// A master does so when the process is dead; without one, what cannot be given back runs again when its lease ends.
fn give_back(end: End) {
    let left: Vec<(Arc<Shared>, Left)> =
        holding().into_iter().map(|worker| (Arc::clone(&worker), left(&worker, end))).collect();
    if left.is_empty() {
        return;
    }
    let in_time = move || {
        thread::sleep(GIVE_BACK);
        end.now()
    };
    // Whoever is held may hold a lock that we need: then this thread ends the process.
    let Ok(_) = native::begin("mh-end", in_time) else { return };
    if !reach::hold_all(Instant::now() + HOLD) {
        return;
    }
    for (worker, left) in left {
        let _ = settle(&mut worker.client.lane().with_timeout(HOLD), &left);
    }
}

/// The workers of this process whose handlers go on, and who have no master.
fn holding() -> Vec<Arc<Shared>> {
    let pid = std::process::id();
    let begun = BEGUN.lock().unwrap_or_else(PoisonError::into_inner);
    let here = begun.iter().filter(|(owner, _)| *owner == pid).filter_map(|(_, worker)| worker.upgrade());
    here.filter(|worker| worker.link.get().is_none() && worker.shift().hand.started() > 0).collect()
}

fn left(worker: &Shared, end: End) -> Left {
    let mut started = Vec::new();
    if end == End::Status(STUCK) {
        started.extend(worker.shift().hand.threads().map(|(jid, _)| jid.to_owned()));
    }
    Left { worker: worker.name.clone(), started }
}
