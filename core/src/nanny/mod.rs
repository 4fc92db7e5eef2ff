//! The nanny: does what falls due when no worker is there to do it. Leases and graces end, scheduled and recurring jobs
//! become due, throttles expire, dependents are freed, old jobs, workers and kinds are forgotten.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;

use crate::client::Client;
use crate::error::{Code, Error, Result};

/// The longest pause between two steps; workers sweep as often.
const PAUSE: Duration = Duration::from_secs(1);

/// What one step of a [`Nanny`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Jobs that went from one place to another.
    pub moved: u64,
    /// Completed jobs that were forgotten.
    pub trimmed: u64,
    /// Milliseconds until something is due; None when nothing is.
    pub next_due_ms: Option<u64>,
}

impl Client {
    /// One bounded step of the sweep: at most `limit` jobs, 1 to 200.
    ///
    /// # Errors
    /// [`crate::Code::InvalidArgument`] for another limit, and what keeps Redis from answering.
    ///
    /// Source: core/src/engine/ops/sweep.lua
    pub fn sweep(&self, limit: u32) -> Result<Swept> {
        let reply = self.call("sweep", &format!("{{\"limit\":{limit}}}"))?;
        let reply: Json = serde_json::from_str(&reply).map_err(|error| Error::internal(format!("sweep: {error}")))?;
        let number = |name: &str| reply[name].as_u64();
        Ok(Swept {
            moved: number("moved").unwrap_or(0),
            trimmed: number("trimmed").unwrap_or(0),
            next_due_ms: number("next_due_ms"),
        })
    }
}

/// Sweeps until it is stopped. Needed only where it can happen that no worker runs: workers sweep with their pulse.
///
/// Several may run at once, and beside workers: each step is one atomic call.
///
/// ```no_run
/// let nanny = manyhands::Nanny::new(manyhands::Client::open(Some("redis://localhost"), "")?);
/// nanny.run(|swept| println!("{} jobs moved", swept.moved))?;
/// # Ok::<(), manyhands::Error>(())
/// ```
#[derive(Clone)]
pub struct Nanny {
    client: Client,
    stopped: Arc<(Mutex<bool>, Condvar)>,
}

impl Nanny {
    /// Jobs a step may move.
    const LIMIT: u32 = 200;

    /// A nanny of the client's namespace. Nothing happens before [`Nanny::run`].
    pub fn new(client: Client) -> Nanny {
        Nanny { client, stopped: Arc::default() }
    }

    /// Sweeps until [`Nanny::stop`]: at once while there is something to do, else when something is due, at least once a
    /// second. `tell` hears of each step that did something. An outage of Redis does not end it.
    ///
    /// # Errors
    /// What cannot pass by itself: a refused password, another schema, ….
    pub fn run(&self, mut tell: impl FnMut(Swept)) -> Result<()> {
        while !self.is_stopped() {
            match self.client.sweep(Self::LIMIT) {
                Ok(swept) if swept.moved + swept.trimmed > 0 => tell(swept),
                Ok(swept) => self.pause(swept.next_due_ms.map_or(PAUSE, Duration::from_millis).min(PAUSE)),
                Err(error) if error.retryable() || error.code == Code::OutcomeUnknown => self.pause(PAUSE),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends [`Nanny::run`] after the step in progress. From any thread.
    pub fn stop(&self) {
        *self.stopped.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopped.1.notify_all();
    }

    fn is_stopped(&self) -> bool {
        *self.stopped.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause(&self, time: Duration) {
        let stopped = self.stopped.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stopped.1.wait_timeout_while(stopped, time, |stopped| !*stopped);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
