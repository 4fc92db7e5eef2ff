//! A lane: one connection with one call outstanding, and the caller id that makes repeated calls happen once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;

use super::blocking::Shared;
use super::connection::Connection;
use super::fault::Fault;
use super::patterns::PatternLists;
use super::trial::{Then, Trial};
use crate::error::{Code, Error, Result};
use crate::identity;
use crate::json::Fields;
use crate::ops::Operation;
use crate::ops::reply;
use crate::process;
use crate::request::{Args, Request};

/// Asks the host whether the call in progress shall end, because its user wants to.
pub(super) type Interrupted = Arc<dyn Fn() -> bool + Send + Sync>;

/// Names of queues read at a time.
const PAGE: usize = 1_000;
/// How often it is asked.
const INTERRUPT_EVERY: Duration = Duration::from_millis(100);

/// What a lane keeps between calls. The caller id outlives the connection: it belongs to the lane.
pub(super) struct LaneState {
    caller: String,
    calls: u64,
    connection: Option<Connection>,
}

impl LaneState {
    pub fn new() -> LaneState {
        LaneState { caller: identity::caller(), calls: 0, connection: None }
    }
}

/// An exclusive connection. Made by [`crate::Client::lane`]; connects at its first call.
///
/// A lane used in a forked child starts anew there, with its own connection and caller id.
pub struct Lane {
    shared: Arc<Shared>,
    pid: u32,
    /// How long a call is repeated before it fails.
    timeout: Duration,
    interrupted: Option<Interrupted>,
    /// Always there until drop.
    state: Option<LaneState>,
}

/// What [`Lane::ready`] answers.
pub(crate) struct ReadyQueues {
    pub queues: Vec<String>,
    /// There are more than these.
    pub more: bool,
    pub queues_version: i64,
}

impl Lane {
    pub(super) fn new(shared: Arc<Shared>, interrupted: Option<Interrupted>) -> Lane {
        let state = shared.pool().check_out();
        let timeout = shared.options.timeout;
        Lane { shared, pid: process::id(), timeout, interrupted, state: Some(state) }
    }

    /// The same lane with another `timeout_ms` than its client's.
    pub(crate) fn with_timeout(self, timeout: Duration) -> Lane {
        let mut lane = self;
        lane.timeout = timeout;
        lane
    }

    /// Sends a request and waits for its reply.
    ///
    /// When the connection breaks, the call is repeated on a new one, for `timeout_ms` (a client option, default
    /// 60 s) in all; an operation that changes something happens once all the same.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` before anything is sent; `CLOSED`; `UNAVAILABLE` (nothing was changed), `TIMEOUT` (a reading
    /// call), `OUTCOME_UNKNOWN` (it may have happened); `DENIED`, `READ_ONLY`, `OUT_OF_MEMORY`,
    /// `ENGINE_OUTDATED`, `NO_SERVER_PROGRAM`; and what the operation itself answers.
    pub fn send<R: Request>(&mut self, request: &R) -> Result<R::Reply> {
        self.state().calls += 1;
        self.send_again(request)
    }

    /// Sends the request of the last call once more, under its old number: what happened does not happen again, and its
    /// answer is given again, for 600 s. For a call that ended in `UNAVAILABLE`, `TIMEOUT` or `OUTCOME_UNKNOWN`.
    ///
    /// # Errors
    /// Those of [`Lane::send`].
    pub fn send_again<R: Request>(&mut self, request: &R) -> Result<R::Reply> {
        let operation = Operation::named(R::OPERATION)?;
        let mut args = Args::new();
        let sent = request.encode(&mut args).and_then(|()| self.ask(operation, &args, &mut || {}));
        sent.and_then(|value| request.decode(value)).map_err(|error| error.during(R::OPERATION))
    }

    /// Sends an operation with arguments of any form.
    pub(crate) fn transmit(
        &mut self,
        operation: &'static Operation,
        encode: impl FnOnce(&mut Args) -> Result<()>,
    ) -> Result<Value> {
        let mut args = Args::new();
        encode(&mut args)?;
        self.transmit_and(operation, &args, &mut || {})
    }

    /// Sends an operation whose arguments are encoded already. While the server works, `meanwhile` is done: once each time
    /// that the call is sent.
    pub(crate) fn transmit_and(
        &mut self,
        operation: &'static Operation,
        args: &Args,
        meanwhile: &mut dyn FnMut(),
    ) -> Result<Value> {
        self.state().calls += 1;
        self.ask(operation, args, meanwhile)
    }

    /// Sends it under the number of the last call.
    fn ask(&mut self, operation: &'static Operation, args: &Args, meanwhile: &mut dyn FnMut()) -> Result<Value> {
        let meta_key = self.shared.options.key("meta");
        let function = operation.function();
        let packed = if operation.writes {
            let state = self.state();
            args.packed(&function, &meta_key, &state.caller, &state.calls.to_string())
        } else {
            args.packed(&function, &meta_key, "", "")
        };
        self.repeat(&packed, operation.writes, meanwhile)
    }

    /// Waits until one of `keys` (full names of lists) has an entry, takes it, and answers which it was;
    /// None when `wait` (rounded up to a millisecond) has passed, or on [`Lane::unblock`].
    ///
    /// Tried once: the caller decides what an outage means to it.
    ///
    /// # Errors
    /// `UNAVAILABLE` when Redis cannot be reached or the connection breaks; `CLOSED`; `DENIED`.
    pub fn block_pop(&mut self, keys: &[String], wait: Duration) -> Result<Option<String>> {
        let mut command = redis::cmd("BLPOP");
        for key in keys {
            command.arg(key);
        }
        let wait = wait.max(Duration::from_millis(1));
        command.arg(format!("{:.3}", wait.as_secs_f64()));
        match self.once(&command.get_packed_command(), Some(wait))? {
            Value::Nil => Ok(None),
            popped => {
                let [key, _token] = reply::parts(popped)?;
                reply::text(key).map(Some)
            }
        }
    }

    /// The queues there are, by name, and the version of that set: as it was, or newer.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `CLOSED`, `DENIED`.
    pub(crate) fn queues(&mut self) -> Result<(i64, Vec<String>)> {
        let version =
            redis::cmd("HGET").arg(self.shared.options.key("meta")).arg("queues_version").get_packed_command();
        let version = match self.once(&version, None)? {
            Value::Nil => 0,
            version => reply::integer(version)?,
        };
        let mut names = Vec::new();
        loop {
            let mut page = redis::cmd("ZRANGE");
            page.arg(self.shared.options.key("queues")).arg(names.len()).arg(names.len() + PAGE - 1);
            let page = reply::list(self.once(&page.get_packed_command(), None)?)?;
            let last = page.len() < PAGE;
            names.extend(page.into_iter().map(reply::text).collect::<Result<Vec<_>>>()?);
            if last {
                names.sort_unstable();
                return Ok((version, names));
            }
        }
    }

    /// The saved lists of queue patterns.
    ///
    /// # Errors
    /// Those of [`Lane::send`].
    pub(crate) fn patterns(&mut self) -> Result<PatternLists> {
        let value = self.transmit(Operation::named("pattern_get")?, |args| {
            args.text("{}");
            Ok(())
        })?;
        let mut json = String::new();
        reply::to_json(&value, &mut json)?;
        PatternLists::parse(&json)
    }

    /// The queues, of all there are, that are worth a reserve now, or will be in `within`.
    ///
    /// # Errors
    /// Those of [`Lane::send`].
    pub(crate) fn ready(&mut self, within: Duration) -> Result<ReadyQueues> {
        let value = self.transmit(Operation::named("queue_ready")?, |args| {
            args.text(&format!("{{\"within_ms\":{}}}", within.as_millis()));
            Ok(())
        })?;
        let mut json = String::new();
        reply::to_json(&value, &mut json)?;
        let mut fields = Fields::parse(&json, "")?;
        Ok(ReadyQueues {
            queues: fields.texts("queues")?.unwrap_or_default(),
            more: fields.boolean("more")?.unwrap_or(false),
            queues_version: fields.integer("queues_version")?.unwrap_or(0),
        })
    }

    /// Takes a worker off the list.
    ///
    /// # Errors
    /// Those of [`Lane::send`].
    pub(crate) fn deregister(&mut self, worker: &str) -> Result<()> {
        let workers = serde_json::json!({ "workers": [worker] }).to_string();
        self.transmit(Operation::named("worker_deregister")?, |args| {
            args.text(&workers);
            Ok(())
        })?;
        Ok(())
    }

    /// The number Redis knows this lane's connection by, for [`Lane::unblock`]. Asked once for each connection.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `CLOSED`, `DENIED`.
    pub fn client_id(&mut self) -> Result<i64> {
        if let Some(id) = self.state().connection.as_ref().and_then(|connection| connection.server_id) {
            return Ok(id);
        }
        let command = redis::cmd("CLIENT").arg("ID").get_packed_command();
        let id = reply::integer(self.once(&command, None)?)?;
        if let Some(connection) = &mut self.state().connection {
            connection.server_id = Some(id);
        }
        Ok(id)
    }

    /// Ends the [`Lane::block_pop`] of the connection `client_id`, if it is in one; true when it was.
    ///
    /// # Errors
    /// `UNAVAILABLE`, `CLOSED`, `DENIED`.
    pub fn unblock(&mut self, client_id: i64) -> Result<bool> {
        let command = redis::cmd("CLIENT").arg("UNBLOCK").arg(client_id).get_packed_command();
        Ok(reply::integer(self.once(&command, None)?)? == 1)
    }

    /// The state, made anew in a forked child. The parent's connection is left open: it is the parent's.
    fn state(&mut self) -> &mut LaneState {
        let pid = process::id();
        if self.pid != pid {
            self.pid = pid;
            std::mem::forget(self.state.take());
        }
        self.state.get_or_insert_with(LaneState::new)
    }

    /// One try of a plain command.
    fn once(&mut self, packed: &[u8], wait: Option<Duration>) -> Result<Value> {
        let deadline = Instant::now() + self.timeout;
        let result = self.connect(deadline).and_then(|(connection, until)| match wait {
            Some(wait) => connection.call_waiting(packed, wait),
            None => connection.call(packed, until),
        });
        result.map_err(|fault| match fault {
            Fault::Later(error) | Fault::Refused(error) => error,
            Fault::Broken(cause) | Fault::Unsent(cause) => {
                self.state().connection = None;
                self.shared.unavailable(&cause)
            }
            Fault::NoFunction => Error::internal("the server answered a plain command with a missing function"),
        })
    }

    /// Tries until there is an answer, or time is up.
    fn repeat(&mut self, packed: &[u8], writes: bool, meanwhile: &mut dyn FnMut()) -> Result<Value> {
        let mut trial = Trial::new(self.timeout, writes);
        loop {
            let fault = match self.attempt(packed, &mut trial, meanwhile) {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            if matches!(fault, Fault::Broken(_) | Fault::Unsent(_) | Fault::NoFunction) {
                self.state().connection = None;
            }
            match trial.after(fault, &self.shared)? {
                Then::Now => {}
                Then::After(wait, error) => {
                    if !self.pause(wait) {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Waits before the next try; false when there shall be none, as the client is closed or the host interrupts.
    fn pause(&self, wait: Duration) -> bool {
        let pool = self.shared.pool();
        let end = Instant::now() + wait;
        loop {
            if pool.is_closed() || self.interrupted.as_ref().is_some_and(|interrupted| interrupted()) {
                return false;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            pool.pause(left.min(INTERRUPT_EVERY));
        }
    }

    /// One try.
    fn attempt(
        &mut self,
        packed: &[u8],
        trial: &mut Trial,
        meanwhile: &mut dyn FnMut(),
    ) -> std::result::Result<Value, Fault> {
        let (connection, until) = self.connect(trial.deadline)?;
        let answered = connection.call_and(packed, until, meanwhile);
        trial.sent |= matches!(answered, Err(Fault::Broken(_)));
        answered
    }

    /// The lane's connection, made when there is none, and until when the call on it may take: 5 s for both in all.
    fn connect(&mut self, deadline: Instant) -> std::result::Result<(&mut Connection, Instant), Fault> {
        let shared = Arc::clone(&self.shared);
        let pool = shared.pool();
        if pool.is_closed() {
            return Err(Fault::Refused(Error::new(Code::Closed, "the client is closed")));
        }
        let state = self.state();
        let (connection, until) = match state.connection.take() {
            Some(connection) => (connection, deadline),
            None => {
                let connection = pool.connect(&shared.target, &shared.options, deadline)?;
                let until = connection.opened_until;
                (connection, until)
            }
        };
        Ok((state.connection.insert(connection), until))
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let Some(mut state) = self.state.take() else { return };
        if self.pid == process::id() {
            if std::thread::panicking() {
                // An answer that nobody took may be on its way.
                state.connection = None;
            }
            self.shared.pool().check_in(state);
        } else {
            std::mem::forget(state);
        }
    }
}
