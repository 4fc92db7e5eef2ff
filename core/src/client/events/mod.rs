//! Events: what the engine tells of jobs, heard on a connection of its own.
//!
//! Redis does not keep what it publishes. What is told while the connection is away is heard afterwards all the same when
//! the namespace keeps its events in a stream (`mark.rs`); without one it is missed, and that is counted.

mod event;
mod line;
mod mark;
mod options;
mod stream;
mod subscription;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::event::JobEvent;
pub use self::options::EventsOptions;
pub(super) use self::subscription::Subscription;
use super::blocking::Client;
use crate::error::{Code, Error, Result};

/// A subscription to events, with a connection of its own. Made by [`Client::events`]; ends by [`Events::close`], by the
/// client's, or by being dropped.
///
/// It may be used from many threads; each event goes to one of them. In a forked child every call answers `CLOSED`, or
/// nothing: a child subscribes by itself.
///
/// When its connection breaks, [`Events::next`] makes another. With the setting `events` at `all`, what happened meanwhile
/// is heard then, in its order and once, before what happens later: Redis keeps the last 10,000 events or so. What cannot
/// be known is missed, and counted by [`Events::gaps`].
pub struct Events {
    pid: u32,
    /// Always there until drop.
    subscription: Option<Arc<Subscription>>,
}

impl Events {
    /// The next event; waits for it, at most `timeout` (None: for ever).
    ///
    /// None comes when the time is over, and at once when the subscription or the client is closed, which
    /// [`Events::is_closed`] tells apart. While the server is away this waits like any other time; a try to reach it lasts
    /// 5 s at most, whatever the timeout. Signals of the thread are held back for 100 ms at a time.
    ///
    /// # Errors
    /// `CLOSED` in a forked child; what keeps the server from being reached and cannot pass by itself, for example
    /// `DENIED`. The subscription stays usable, and the next call tries again.
    pub fn next(&self, timeout: Option<Duration>) -> Result<Option<JobEvent>> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        self.subscription()?.next(until).map_err(|error| error.during("events_next"))
    }

    /// The events one after another, without a time limit, until the subscription is closed.
    pub fn iter(&self) -> EventsIter<'_> {
        EventsIter { events: self }
    }

    /// Ends the subscription: a thread in [`Events::next`] returns within 100 ms, and so does every later call. Closing
    /// twice is fine.
    pub fn close(&self) {
        if let Ok(subscription) = self.subscription() {
            subscription.close();
        }
    }

    /// True when nothing more will come: after a close of this or of its client, and in a forked child.
    pub fn is_closed(&self) -> bool {
        self.subscription().map_or(true, Subscription::is_closed)
    }

    /// How often events may have been missed, counted when a lost connection is back: where the setting `events` is not
    /// `all` or became so only meanwhile, where more happened meanwhile than Redis keeps, and where the login may not use
    /// `XINFO` and `XREVRANGE` on `{namespace}:events`. For a worker's channel also where any job was cancelled meanwhile:
    /// what Redis keeps does not say whose it was.
    pub fn gaps(&self) -> u64 {
        self.subscription().map_or(0, Subscription::gaps)
    }

    /// What is behind this handle, in the process that opened it. A forked child never touches the parent's locks.
    fn subscription(&self) -> Result<&Subscription> {
        match &self.subscription {
            Some(subscription) if self.pid == crate::process::id() => Ok(subscription),
            _ => {
                let message =
                    "this subscription belongs to the process that opened it; a forked child must open its own";
                Err(Error::new(Code::Closed, message).during("events_next"))
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if self.pid != crate::process::id() {
            std::mem::forget(self.subscription.take());
        }
    }
}

impl<'a> IntoIterator for &'a Events {
    type Item = Result<JobEvent>;
    type IntoIter = EventsIter<'a>;

    fn into_iter(self) -> EventsIter<'a> {
        self.iter()
    }
}

/// Events one after another; see [`Events::iter`].
pub struct EventsIter<'a> {
    events: &'a Events,
}

impl Iterator for EventsIter<'_> {
    type Item = Result<JobEvent>;

    fn next(&mut self) -> Option<Result<JobEvent>> {
        self.events.next(None).transpose()
    }
}

impl Client {
    /// Subscribes to events, on a connection of its own. When this returns, the server has confirmed it: whatever happens
    /// from now on is heard.
    ///
    /// Events tell of tracked jobs ([`Client::track`]), or of all jobs when the setting `events` is `all`. The login needs
    /// the right to subscribe to `{namespace}:event:*`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option; `UNAVAILABLE`, `CLOSED`, `DENIED`, and what else keeps a client from the server.
    pub fn events(&self, options: EventsOptions) -> Result<Events> {
        let (shared, interrupted) = self.parts();
        let subscription = Subscription::open(shared, interrupted, options);
        let subscription = subscription.map_err(|error| error.during("events_open"))?;
        Ok(Events { pid: crate::process::id(), subscription: Some(subscription) })
    }
}
