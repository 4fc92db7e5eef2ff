//! Subscriptions to events: JavaScript asks for the next ones, and a thread of each subscription waits for them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SendError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use manyhands::{Error, EventsOptions};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::client::Client;
use crate::pool::{self, Pending};

/// Most events of one answer.
const MOST: usize = 100;

/// Events as JSON, at least one; None once nothing more will come.
type Heard = Option<Vec<String>>;

/// Whether the server listens, and who waits to know.
enum Opening {
    Waiting(Vec<Pending<()>>),
    Done(manyhands::Result<()>),
}

/// What the JavaScript object shares with its thread.
struct Shared {
    /// Apart from the rest, which the core must not hold in turn.
    closed: Arc<AtomicBool>,
    opening: Mutex<Opening>,
    /// There once the server listens.
    core: OnceLock<manyhands::Events>,
}

/// A subscription to events. Its waits last as long as nothing happens, so it has a thread of its own: in the pool they would
/// hold up other calls.
#[napi]
pub struct Events {
    shared: Arc<Shared>,
    /// To the thread, which ends with it.
    waiter: Sender<Pending<Heard>>,
}

impl Events {
    /// Begins to subscribe.
    pub fn open(client: &Client, options: &str) -> manyhands::Result<Events> {
        let options = EventsOptions::parse(options).map_err(|error| error.during("events_open"))?;
        let shared = Arc::new(Shared {
            closed: Arc::new(AtomicBool::new(false)),
            opening: Mutex::new(Opening::Waiting(Vec::new())),
            core: OnceLock::new(),
        });
        let closed = Arc::clone(&shared.closed);
        let core = client.core.interruptible(move || closed.load(Ordering::Acquire));
        let own = Arc::clone(&shared);
        let (waiter, wanted) = mpsc::channel::<Pending<Heard>>();
        let body = move || {
            let opened = own.open(&core, options);
            wanted.into_iter().for_each(|heard| heard.keep(|| opened.clone().and_then(|()| own.wait())));
        };
        pool::start("manyhands-events", body)
            .map_err(|error| Error::internal(format!("cannot start the thread that waits for events: {error}")))?;
        Ok(Events { shared, waiter })
    }
}

#[napi]
impl Events {
    /// Resolves when the server listens.
    #[napi(catch_unwind)]
    pub fn ready<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let (ready, promise) = pool::promise(env)?;
        match &mut *self.shared.opening() {
            Opening::Waiting(others) => others.push(ready),
            Opening::Done(opened) => ready.keep(|| opened.clone()),
        }
        Ok(promise)
    }

    /// The next events as JSON, at least one; null once nothing more will come.
    #[napi(catch_unwind)]
    pub fn next<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Heard>> {
        let (heard, promise) = pool::promise(env)?;
        if let Err(SendError(heard)) = self.waiter.send(heard) {
            heard.keep(|| Err(Error::internal("the thread that waits for events has ended")));
        }
        Ok(promise)
    }

    /// How often events may have been missed.
    #[napi(getter, catch_unwind)]
    pub fn gaps(&self) -> f64 {
        self.shared.core.get().map_or(0.0, |core| core.gaps() as f64)
    }

    /// Ends the subscription: a wait ends within 100 ms.
    #[napi(catch_unwind)]
    pub fn close(&self) {
        self.shared.close();
    }
}

/// Left to the garbage collector, or its environment has gone.
impl Drop for Events {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Shared {
    fn opening(&self) -> MutexGuard<'_, Opening> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(core) = self.core.get() {
            core.close();
        }
    }

    /// Subscribes, and tells those who wait for that. What a close ends is no error.
    fn open(&self, core: &manyhands::Client, options: EventsOptions) -> manyhands::Result<()> {
        let subscribed = catch_unwind(AssertUnwindSafe(|| core.events(options)))
            .unwrap_or_else(|_| Err(Error::internal("subscribing to events panicked")));
        let opened = match subscribed.map(|events| self.core.get_or_init(|| events)) {
            Ok(events) if self.is_closed() => {
                events.close();
                Ok(())
            }
            Err(error) if !self.is_closed() => Err(error),
            _ => Ok(()),
        };
        let before = std::mem::replace(&mut *self.opening(), Opening::Done(opened.clone()));
        if let Opening::Waiting(waiting) = before {
            waiting.into_iter().for_each(|ready| ready.keep(|| opened.clone()));
        }
        opened
    }

    /// Waits for one event, then takes what else is there at once.
    fn wait(&self) -> manyhands::Result<Heard> {
        let Some(core) = self.core.get() else { return Ok(None) };
        let Some(first) = core.next(None)? else { return Ok(None) };
        let mut events = vec![first.to_json()];
        // A fault is told by the next wait: these have been heard.
        while events.len() < MOST {
            let Ok(Some(event)) = core.next(Some(Duration::ZERO)) else { break };
            events.push(event.to_json());
        }
        Ok(Some(events))
    }
}
