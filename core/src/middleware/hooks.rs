//! The named hooks of a worker: told what happens, in whatever language its handlers are written.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::aside::Aside;
use super::lines::Lines;
use crate::ops::{Job, Lease};
use crate::worker::Outcome;

/// One run of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// The worker's name.
    pub worker: &'a str,
    /// The job.
    pub jid: &'a str,
    /// The token it runs under.
    pub token: &'a str,
    /// The name of its handler.
    pub kind: &'a str,
    /// The queue it was taken from.
    pub queue: &'a str,
    /// 1 for its first run in this queue, and one more for each retry that was spent.
    pub attempt: u32,
}

/// Most lost jobs that wait to be told.
const MOST_LOST: usize = 10_000;

/// What wants to be told. Everything but a lost job is told on the thread where it happens: return soon. A panic costs nothing but
/// its report.
pub trait Hooks: Send + Sync {
    /// The worker begins: on the thread of the first [`Worker::next`](crate::Worker::next). Nobody has a job before it returns.
    fn on_start(&self, _worker: &str) {}

    /// A job is about to be given to a handler, on the thread that asked for one.
    fn before_perform(&self, _run: &Run<'_>) {}

    /// A handler has ended after so long, and its outcome is about to be sent, on the thread that handed it in.
    fn after_perform(&self, _run: &Run<'_>, _outcome: &Outcome, _took: Duration) {}

    /// The same, after [`Hooks::after_perform`], when it failed: [`Outcome::Error`] or [`Outcome::Fail`].
    fn on_failure(&self, _run: &Run<'_>, _outcome: &Outcome, _took: Duration) {}

    /// A job is not this worker's any more, though its handler runs or has just ended; whatever it did is refused. One after
    /// another on a native thread that does nothing else: however long this takes, no lease is lost for it.
    /// The reasons are those of [`Worker::lost`](crate::Worker::lost).
    fn on_lock_lost(&self, _worker: &str, _jid: &str, _token: &str, _reason: &str) {}

    /// The worker has ended: on the thread of [`Worker::stop`](crate::Worker::stop).
    fn on_stop(&self, _worker: &str) {}
}

/// A job in hand, for [`Run`].
pub(crate) struct About {
    pub kind: String,
    pub queue: String,
    pub attempt: u32,
    pub took: Duration,
}

type All = Arc<RwLock<Vec<Arc<dyn Hooks>>>>;

/// The hooks of one worker. Without any they cost next to nothing.
pub(crate) struct Hooked {
    any: AtomicBool,
    /// The built-in ones, which never wait.
    observers: Vec<Box<dyn Hooks>>,
    hooks: All,
    /// Lost jobs that the hooks are to be told of.
    losses: Aside<Loss>,
}

struct Loss {
    lease: Lease,
    reason: String,
}

impl Hooked {
    /// `worker`: its name. `observers`: such as never wait.
    pub fn new(worker: String, observers: Vec<Box<dyn Hooks>>, lines: Lines) -> Hooked {
        let (any, hooks) = (AtomicBool::new(!observers.is_empty()), All::default());
        let all = Arc::clone(&hooks);
        let tell_losses = move |losses: Vec<Loss>, missed: u64| {
            for Loss { lease, reason } in losses {
                tell_each(&all, |hooks| hooks.on_lock_lost(&worker, &lease.jid, &lease.token, &reason));
            }
            if missed > 0 {
                lines.say(format!("manyhands: worker {worker} lost {missed} jobs more than its hooks could be told\n"));
            }
        };
        Hooked { any, observers, hooks, losses: Aside::new("mh-hooks", MOST_LOST, tell_losses) }
    }

    pub fn add(&self, hooks: Arc<dyn Hooks>) {
        self.hooks.write().unwrap_or_else(PoisonError::into_inner).push(hooks);
        self.any.store(true, Ordering::Release);
    }

    /// Nobody is told anything from now on. What hooks use may be gone, while a native thread that was left behind lives on.
    pub fn let_go(&self) {
        self.any.store(false, Ordering::Release);
        self.hooks.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn are_any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// Tells all, in the order in which they were added.
    pub fn tell(&self, what: impl Fn(&dyn Hooks)) {
        if self.are_any() {
            self.tell_observers(&what);
            tell_each(&self.hooks, what);
        }
    }

    fn tell_observers(&self, what: impl Fn(&dyn Hooks)) {
        self.observers.iter().for_each(|observer| what(&**observer));
    }

    /// Has all told of a lost job.
    pub fn lost(&self, worker: &str, lease: Lease, reason: String) {
        if self.are_any() {
            self.tell_observers(|hooks| hooks.on_lock_lost(worker, &lease.jid, &lease.token, &reason));
            if !self.hooks.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
                self.losses.push(Loss { lease, reason }, 1);
            }
        }
    }

    /// Waits until all lost jobs are told, at most until then.
    pub fn flush(&self, until: Instant) {
        self.losses.flush(until);
    }

    pub fn before_perform(&self, worker: &str, job: &Job) {
        let Job { jid, token, kind, queue, .. } = job;
        let run = Run { worker, jid, token, kind, queue, attempt: attempt(job) };
        self.tell(|hooks| hooks.before_perform(&run));
    }

    pub fn after_perform(&self, worker: &str, lease: &Lease, about: &About, outcome: &Outcome) {
        let About { kind, queue, attempt, took } = about;
        let run = Run { worker, jid: &lease.jid, token: &lease.token, kind, queue, attempt: *attempt };
        self.tell(|hooks| hooks.after_perform(&run, outcome, *took));
        if outcome.is_failure() {
            self.tell(|hooks| hooks.on_failure(&run, outcome, *took));
        }
    }
}

fn tell_each(all: &All, what: impl Fn(&dyn Hooks)) {
    let hooks = all.read().unwrap_or_else(PoisonError::into_inner).clone();
    for hooks in &hooks {
        // The panic hook has reported it.
        let _ = catch_unwind(AssertUnwindSafe(|| what(&**hooks)));
    }
}

/// Which run of the job this is, from 1.
pub(crate) fn attempt(job: &Job) -> u32 {
    u32::try_from(job.retries.saturating_sub(job.remaining)).unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Hooks for Heard {
        fn on_lock_lost(&self, _worker: &str, jid: &str, _token: &str, _reason: &str) {
            self.0.lock().unwrap().push(jid.to_owned());
        }
    }

    struct Panics;

    impl Hooks for Panics {
        fn on_lock_lost(&self, _worker: &str, _jid: &str, _token: &str, _reason: &str) {
            panic!("reported, and no more");
        }
    }

    #[test]
    fn a_panic_costs_neither_the_other_hooks_nor_later_losses() {
        let (hooked, heard) = (Hooked::new("w".to_owned(), Vec::new(), Lines::to(std::io::sink())), Arc::default());
        hooked.add(Arc::new(Panics));
        hooked.add(Arc::new(Heard(Arc::clone(&heard))));
        for jid in ["a", "b"] {
            hooked.lost("w", Lease { jid: jid.to_owned(), token: "7".to_owned() }, "expired".to_owned());
            hooked.flush(Instant::now() + Duration::from_secs(20));
        }
        assert_eq!(*heard.lock().unwrap(), ["a", "b"]);
    }
}
