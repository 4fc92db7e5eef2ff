//! The two native threads of a worker: started at its first `next`, so after any fork, and ended by `stop`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::shared::Shared;
use super::{runner, waiter};
use crate::client::SignalsHeld;
use crate::error::{Code, Error, Result};

/// Least time a stop gives outcomes to reach the engine.
const FLUSH: Duration = Duration::from_secs(2);
/// How long a stop waits for a native thread that Redis keeps waiting, before it leaves it behind.
const LEAVE: Duration = Duration::from_millis(500);

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
}

impl Threads {
    pub fn new() -> Threads {
        Threads { started: AtomicBool::new(false), stage: Mutex::new(Stage::New) }
    }

    /// Starts them, unless they have been.
    ///
    /// # Errors
    /// `INTERNAL` when the system gives no thread.
    pub fn start(&self, shared: &Arc<Shared>) -> Result<()> {
        if self.started.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut stage = self.stage();
        if let Stage::New = *stage {
            // They inherit this mask for life: signals are the host's business.
            let _held = SignalsHeld::new();
            let waiter = spawn("mh-waiter", shared, waiter::run)?;
            shared.shift().waiter_came();
            *stage = Stage::Running { runner: spawn("mh-runner", shared, runner::run)?, waiter };
            self.started.store(true, Ordering::Release);
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
        delivered(shared)
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spawn(name: &str, shared: &Arc<Shared>, run: fn(Arc<Shared>)) -> Result<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || run(shared))
        .map_err(|error| Error::internal(format!("the system gave the worker no thread: {error}")))
}

fn delivered(shared: &Shared) -> Result<()> {
    let left = shared.shift().outcomes.unanswered();
    if left == 0 {
        return Ok(());
    }
    Err(Error::new(
        Code::Unavailable,
        format!("{left} outcomes did not reach Redis before the stop; their jobs run again when their leases end"),
    ))
}
