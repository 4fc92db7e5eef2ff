//! The two native threads of a worker: started at its first `next`, so after any fork, and ended by `stop`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use super::shared::Shared;
use super::{ending, runner, supervised, waiter};
use crate::client::SignalsHeld;
use crate::error::{Code, Error, Result};
use crate::native;

/// Least time a stop gives outcomes to reach the engine.
const FLUSH: Duration = Duration::from_secs(2);
/// How long a stop waits for a native thread that Redis keeps waiting, before it leaves it behind.
const LEAVE: Duration = Duration::from_millis(500);

/// What a native thread does.
type Run = Box<dyn FnOnce(Arc<Shared>) + Send>;

enum Stage {
    New,
    Running { runner: JoinHandle<()>, waiter: JoinHandle<()> },
    Stopped,
}

/// The threads of one worker.
pub struct Threads {
    /// True from the first start on.
    started: AtomicBool,
    stage: Mutex<Stage>,
    /// Who starts them, and tells the hooks so while it holds the lock: the others wait for that.
    starter: OnceLock<ThreadId>,
    telling: Mutex<()>,
}

impl Threads {
    pub fn new() -> Threads {
        let (started, stage) = (AtomicBool::new(false), Mutex::new(Stage::New));
        Threads { started, stage, starter: OnceLock::new(), telling: Mutex::new(()) }
    }

    /// Starts them, unless they have been.
    ///
    /// # Errors
    /// `INTERNAL` when the system gives no thread.
    pub fn start(&self, shared: &Arc<Shared>) -> Result<()> {
        self.start_by(shared, spawn)
    }

    fn start_by(
        &self,
        shared: &Arc<Shared>,
        spawn: impl Fn(&str, &Arc<Shared>, Run) -> Result<JoinHandle<()>>,
    ) -> Result<()> {
        if self.started.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut stage = self.stage();
        if let Stage::New = *stage {
            // They inherit this mask for life: signals are the host's business.
            let held = SignalsHeld::new();
            supervised::join(shared);
            ending::join(shared);
            let (begin, begun) = sync_channel(1);
            let wait: Run = Box::new(move |shared| {
                // Without a runner there is nothing to wait for.
                if begun.recv().is_ok() {
                    waiter::run(shared);
                }
            });
            let waiter = spawn("mh-waiter", shared, wait)?;
            let runner = match spawn("mh-runner", shared, Box::new(runner::run)) {
                Ok(runner) => runner,
                Err(error) => {
                    drop(begin);
                    // It ends at once, having done nothing.
                    let _ = waiter.join();
                    return Err(error);
                }
            };
            shared.shift().waiter_came();
            // The waiter is there to hear it.
            let _ = begin.send(());
            *stage = Stage::Running { runner, waiter };
            let _ = self.starter.set(thread::current().id());
            let _telling = self.telling.lock().unwrap_or_else(PoisonError::into_inner);
            drop((stage, held));
            shared.hooks.tell(|hooks| hooks.on_start(&shared.name));
            self.started.store(true, Ordering::Release);
        } else if self.starter.get() != Some(&thread::current().id()) {
            // A hook that asks for a job itself would wait for its own end.
            drop(stage);
            drop(self.telling.lock());
        }
        Ok(())
    }

    /// Ends them: started jobs have `timeout` to finish, outcomes are flushed, unstarted jobs go back.
    /// A thread that Redis keeps waiting is left behind; it ends when Redis lets it.
    ///
    /// # Errors
    /// `UNAVAILABLE` when outcomes could not be delivered.
    pub fn stop(&self, shared: &Shared, timeout: Duration) -> Result<()> {
        let until = Instant::now().checked_add(timeout);
        shared.shift().fall_quiet();
        for bell in [&shared.hosts, &shared.runner] {
            bell.ring_all();
        }
        let stage = std::mem::replace(&mut *self.stage(), Stage::Stopped);
        let Stage::Running { runner, waiter } = stage else { return Ok(()) };
        shared.wait_for_end(until, |shift| shift.hand.started() == 0 || shift.is_over());
        let leave_by = (Instant::now() + FLUSH).max(until.unwrap_or_else(Instant::now));
        shared.shift().leave(leave_by);
        for bell in [&shared.runner, &shared.waiter] {
            bell.ring_all();
        }
        shared.wait_for_end(Some(leave_by + LEAVE), |shift| shift.is_over() && !shift.is_waiter_here());
        let (runner_left, waiter_left) = {
            let shift = shared.shift();
            (shift.is_over(), !shift.is_waiter_here())
        };
        for (thread, left) in [(runner, runner_left), (waiter, waiter_left)] {
            if left {
                // A panic has been reported by the panic hook already.
                let _ = thread.join();
            }
        }
        // The last refusals, too, before the end.
        shared.hooks.flush(Instant::now() + FLUSH);
        shared.hooks.tell(|hooks| hooks.on_stop(&shared.name));
        shared.hooks.let_go();
        shared.lines.flush(Instant::now() + LEAVE);
        delivered(shared)
    }

    /// True once somebody ends them.
    pub fn are_stopped(&self) -> bool {
        matches!(*self.stage(), Stage::Stopped)
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(name: &str, shared: &Arc<Shared>, run: Run) -> Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    native::begin(name, move || run(shared))
        .map_err(|error| Error::internal(format!("the system gave the worker no thread: {error}")))
}

fn delivered(shared: &Shared) -> Result<()> {
    let shift = shared.shift();
    let (left, running) = (shift.outcomes.unanswered(), shift.hand.started());
    if let Some(marks) = shift.hand.marks.as_ref().filter(|_| left + running == 0) {
        marks.let_go();
    }
    drop(shift);
    if left == 0 {
        return Ok(());
    }
    Err(Error::new(
        Code::Unavailable,
        format!("{left} outcomes did not reach Redis before the stop; their jobs run again when their leases end"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Client;
    use crate::middleware::Hooks;
    use crate::ops::Lease;
    use crate::worker::options::WorkerOptions;

    #[test]
    fn without_the_second_thread_the_first_ends_and_another_start_works() {
        let client = Client::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
        let shared = Arc::new(Shared::new(client, WorkerOptions::from_json(r#"{"queues":["q"]}"#).unwrap()));
        let threads = Threads::new();
        let refused = threads.start_by(&shared, |name, shared, run| match name {
            "mh-runner" => Err(Error::internal("no thread")),
            _ => spawn(name, shared, run),
        });
        assert_eq!(refused.unwrap_err().message, "no thread");
        assert_eq!(Arc::strong_count(&shared), 1, "no thread has it");
        assert!(!shared.shift().is_waiter_here() && matches!(*threads.stage(), Stage::New));
        threads.start(&shared).unwrap();
        threads.stop(&shared, Duration::ZERO).unwrap();
        assert_eq!(Arc::strong_count(&shared), 1);
    }

    #[derive(Clone, Default)]
    struct Lost(Arc<Mutex<Vec<String>>>);

    impl Hooks for Lost {
        fn on_lock_lost(&self, _worker: &str, jid: &str, _token: &str, _reason: &str) {
            self.0.lock().unwrap().push(jid.to_owned());
        }
    }

    #[test]
    fn a_thread_that_is_left_behind_tells_nobody() {
        let client = Client::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
        let shared = Arc::new(Shared::new(client, WorkerOptions::from_json(r#"{"queues":["q"]}"#).unwrap()));
        let lost = Lost::default();
        shared.hooks.add(Arc::new(lost.clone()));
        let lose = |jid: &str| {
            let mut shift = shared.shift();
            shift.hand.lost.push((Lease { jid: jid.to_owned(), token: "7".to_owned() }, "expired".to_owned()));
            shared.announce(shift, 0);
        };
        lose("before");
        shared.hooks.flush(Instant::now() + FLUSH);
        let threads = Threads::new();
        threads.start(&shared).unwrap();
        threads.stop(&shared, Duration::ZERO).unwrap();
        lose("after");
        assert_eq!(*lost.0.lock().unwrap(), ["before"]);
    }
}
