//! Threads that share one line to the server.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::JobEvent;
use super::line::{Line, SILENCE};
use super::options::EventsOptions;
use crate::client::blocking::Shared;
use crate::client::fault::{Fault, NO_ANSWER};
use crate::client::lane::Interrupted;
use crate::error::{Code, Error, Result};

/// Longest time on the socket without looking up, and so the longest that a close waits for a thread in `next`.
const SLICE: Duration = Duration::from_millis(100);

/// What is behind a handle: the line to the server, for one thread at a time.
pub(in crate::client) struct Subscription {
    shared: Arc<Shared>,
    interrupted: Option<Interrupted>,
    options: EventsOptions,
    desk: Mutex<Desk>,
    /// Rings when the line is back, and when all is closed.
    bell: Condvar,
}

/// Where the line lies while nobody has it.
struct Desk {
    line: Option<Line>,
    closed: bool,
    gaps: u64,
}

impl Subscription {
    /// Subscribes; the server has confirmed it when this returns.
    pub fn open(
        shared: Arc<Shared>,
        interrupted: Option<Interrupted>,
        options: EventsOptions,
    ) -> Result<Arc<Subscription>> {
        options.check()?;
        let desk = Mutex::new(Desk { line: None, closed: false, gaps: 0 });
        let subscription = Subscription { shared, interrupted, options, desk, bell: Condvar::new() };
        let line = subscription.first_connect(Line::new())?;
        subscription.desk().line = Some(line);
        let subscription = Arc::new(subscription);
        subscription.shared.pool().close_with_client(&subscription);
        Ok(subscription)
    }

    /// The next event; None when there is none until then, or all is closed.
    pub fn next(&self, until: Option<Instant>) -> Result<Option<JobEvent>> {
        match self.take_turn(until) {
            Some(mut turn) => self.wait(&mut turn, until),
            None => Ok(None),
        }
    }

    /// Ends it for everybody; the connection goes at once, or when the thread that has it looks up.
    pub fn close(&self) {
        let mut desk = self.desk();
        desk.closed = true;
        let line = desk.line.take();
        drop(desk);
        self.bell.notify_all();
        drop(line);
    }

    pub fn is_closed(&self) -> bool {
        self.desk().closed
    }

    /// How often something may have been missed.
    pub fn gaps(&self) -> u64 {
        self.desk().gaps
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the line; None when the time is over before it comes, or all is closed.
    fn take_turn(&self, until: Option<Instant>) -> Option<Turn<'_>> {
        let mut desk = self.desk();
        loop {
            if desk.closed {
                return None;
            }
            if let Some(line) = desk.line.take() {
                return Some(Turn { subscription: self, line: Some(line) });
            }
            desk = match until {
                None => self.bell.wait(desk).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.bell.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Sleeps, unless and until all is closed.
    fn pause(&self, wait: Duration) {
        drop(self.bell.wait_timeout_while(self.desk(), wait.min(SLICE), |desk| !desk.closed));
    }

    fn wait(&self, turn: &mut Turn<'_>, until: Option<Instant>) -> Result<Option<JobEvent>> {
        let left = || until.map_or(SLICE, |until| until.saturating_duration_since(Instant::now()));
        loop {
            if self.is_closed() {
                return Ok(None);
            }
            let line = turn.line();
            if let Some(event) = line.heard.pop_front() {
                return Ok(Some(event));
            }
            if line.is_connected() {
                match line.hear(left().min(SLICE)) {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(_) => {
                        line.lose();
                        continue;
                    }
                }
            } else {
                let pause = line.retry_at.saturating_duration_since(Instant::now());
                if pause.is_zero() {
                    match line.connect(&self.shared, &self.options, Instant::now() + SILENCE) {
                        Ok(whole) => {
                            self.desk().gaps += u64::from(!whole);
                            continue;
                        }
                        Err(Fault::Refused(error)) => return Err(error),
                        Err(_) => {}
                    }
                } else {
                    self.pause(pause.min(left()));
                }
            }
            if left().is_zero() {
                return Ok(None);
            }
        }
    }

    /// Connects for the first time, trying for the client's `timeout_ms`.
    fn first_connect(&self, mut line: Line) -> Result<Line> {
        let pool = self.shared.pool();
        let deadline = Instant::now() + self.shared.options.timeout;
        loop {
            if pool.is_closed() {
                return Err(Error::new(Code::Closed, "the client is closed"));
            }
            let error = match line.connect(&self.shared, &self.options, deadline) {
                Ok(_) => return Ok(line),
                Err(Fault::Refused(error)) => return Err(error),
                Err(Fault::Later(error)) => error,
                Err(fault) => {
                    let error = self.unavailable(&fault);
                    if !pool.has_connected() && !matches!(&fault, Fault::Broken(cause) if cause == NO_ANSWER) {
                        return Err(error);
                    }
                    error
                }
            };
            while Instant::now() < line.retry_at {
                let interrupted = self.interrupted.as_ref().is_some_and(|interrupted| interrupted());
                if interrupted || pool.is_closed() || line.retry_at >= deadline {
                    return Err(error);
                }
                self.pause(line.retry_at.saturating_duration_since(Instant::now()));
            }
        }
    }

    fn unavailable(&self, fault: &Fault) -> Error {
        let cause = match fault {
            Fault::Broken(cause) | Fault::Unsent(cause) => cause.as_str(),
            _ => "the engine is not loaded",
        };
        self.shared.unavailable(cause)
    }
}

/// The line in a thread's hand; it is put back when the thread is done with it.
struct Turn<'a> {
    subscription: &'a Subscription,
    line: Option<Line>,
}

impl Turn<'_> {
    fn line(&mut self) -> &mut Line {
        self.line.get_or_insert_with(Line::new)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut desk = self.subscription.desk();
        if !desk.closed {
            desk.line = self.line.take();
        }
        drop(desk);
        self.subscription.bell.notify_one();
    }
}
