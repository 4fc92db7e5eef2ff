//! The nanny: does what falls due when no worker is there to do it. Leases and graces end, scheduled and recurring jobs
//! become due, throttles expire, dependents are freed, old jobs, workers and kinds are forgotten.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::{Client, Swept};
use crate::error::{Code, Error, Result};

/// The longest pause between two steps; workers sweep as often. A step without an answer for so long is an outage.
const PAUSE: Duration = Duration::from_secs(1);

/// What a [`Nanny`] tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NannyNews {
    /// A step did something.
    Swept(Swept),
    /// Redis cannot be asked, for a reason that may pass; told once an outage.
    OutageBegan(Error),
    /// It can be asked again.
    OutageOver,
}

/// Sweeps until it is stopped. Needed only where it can happen that no worker runs: workers sweep with their pulse.
///
/// Several may run at once, and beside workers: each step is one atomic call.
///
/// ```no_run
/// let nanny = manyhands::Nanny::new(manyhands::Client::open(Some("redis://localhost"), "")?);
/// nanny.run(|news| println!("{news:?}"))?;
/// # Ok::<(), manyhands::Error>(())
/// ```
#[derive(Clone)]
pub struct Nanny {
    client: Client,
    stop: Arc<Stop>,
}

impl Nanny {
    /// Jobs a step may move.
    const LIMIT: u32 = 100;

    /// A nanny of the client's namespace. Nothing happens before [`Nanny::run`].
    pub fn new(client: Client) -> Nanny {
        Nanny { client, stop: Arc::default() }
    }

    /// Sweeps until [`Nanny::stop`]: at once while there is something to do, else when something is due, at least once a
    /// second. `tell` hears of each step that did something, and of each outage of Redis, which does not end it.
    ///
    /// # Errors
    /// What cannot pass by itself: a refused password, another schema, ….
    pub fn run(&self, mut tell: impl FnMut(NannyNews)) -> Result<()> {
        let mut away = false;
        while !self.stop.is_said() {
            let swept = match self.step() {
                Ok(swept) => swept,
                Err(error) if error.retryable() || error.code == Code::OutcomeUnknown => {
                    if !away && !self.stop.is_said() {
                        away = true;
                        tell(NannyNews::OutageBegan(error));
                    }
                    self.stop.wait(PAUSE);
                    continue;
                }
                Err(error) => return Err(error),
            };
            if away {
                away = false;
                tell(NannyNews::OutageOver);
            }
            if swept.moved + swept.trimmed > 0 {
                tell(NannyNews::Swept(swept));
            } else {
                self.stop.wait(swept.next_due_ms.map_or(PAUSE, Duration::from_millis).min(PAUSE));
            }
        }
        Ok(())
    }

    /// Ends [`Nanny::run`] after the step in progress, which during an outage lasts 5 s at most. From any thread.
    pub fn stop(&self) {
        self.stop.say();
    }

    /// A step, repeated until it is answered, the nanny is stopped or it is an outage.
    fn step(&self) -> Result<Swept> {
        let (stop, begun) = (Arc::clone(&self.stop), Instant::now());
        self.client.interruptible(move || stop.is_said() || begun.elapsed() > PAUSE).sweep(Self::LIMIT)
    }
}

/// That it shall end, for who waits and who asks.
#[derive(Default)]
struct Stop {
    said: Mutex<bool>,
    bell: Condvar,
}

impl Stop {
    fn say(&self) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    fn is_said(&self) -> bool {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, time: Duration) {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.bell.wait_timeout_while(said, time, |said| !*said).unwrap_or_else(PoisonError::into_inner));
    }
}
