//! One connection to Redis. Every use of its socket holds back this thread's signals.

use std::time::{Duration, Instant};

use redis::{Parser, RedisConnectionInfo, RedisError, Value};

use super::fault::Fault;
use super::signals::SignalsHeld;
use super::wire::Wire;
use crate::endpoint::Endpoint;

/// Longest silence of the server before a call is sent again on a new connection; longest time, too, for connecting and
/// the first call after it.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// A connection that speaks RESP3, logged in, in its database.
pub(crate) struct Connection {
    wire: Wire,
    parser: Parser,
    read_timeout: Duration,
    /// When the try ends that opened it.
    pub opened_until: Instant,
    /// The number the server knows this connection by, once it was asked for.
    pub server_id: Option<i64>,
}

impl Connection {
    /// Connects and logs in, all within 5 s and not past the deadline.
    pub fn open(endpoint: &Endpoint, deadline: Instant) -> Result<Connection, Fault> {
        let opened_until = deadline.min(Instant::now() + SILENCE);
        let _held = SignalsHeld::new();
        let wire = Wire::open(&endpoint.address, opened_until)?;
        let (parser, read_timeout) = (Parser::new(), Duration::ZERO);
        let mut connection = Connection { wire, parser, read_timeout, opened_until, server_id: None };
        connection.greet(&endpoint.login)?;
        Ok(connection)
    }

    /// Logs in, chooses the database and tells the server who connects, in one trip.
    fn greet(&mut self, login: &RedisConnectionInfo) -> Result<(), Fault> {
        let (greeting, needed) = greeting(login);
        self.wire.set_write_timeout(left(self.opened_until))?;
        self.wire.send(&greeting.get_packed_pipeline())?;
        for index in 0..greeting.len() {
            self.wire.set_read_timeout(left(self.opened_until))?;
            match self.receive()? {
                Value::ServerError(error) if index < needed => return Err(RedisError::from(error).into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends one packed command and waits for its reply, at most 5 s and not past the deadline.
    pub fn call(&mut self, packed: &[u8], deadline: Instant) -> Result<Value, Fault> {
        self.call_and(packed, deadline, &mut || {})
    }

    /// The same; what `meanwhile` does, it does between the two.
    pub fn call_and(&mut self, packed: &[u8], deadline: Instant, meanwhile: &mut dyn FnMut()) -> Result<Value, Fault> {
        self.exchange(packed, left(deadline).min(SILENCE), meanwhile)
    }

    /// The same for a command that itself waits for `wait` in Redis.
    pub fn call_waiting(&mut self, packed: &[u8], wait: Duration) -> Result<Value, Fault> {
        self.exchange(packed, wait + SILENCE, &mut || {})
    }

    /// Sends packed commands and waits for nothing.
    pub fn tell(&mut self, packed: &[u8]) -> Result<(), Fault> {
        let _held = SignalsHeld::new();
        self.wire.set_write_timeout(SILENCE)?;
        Ok(self.wire.send(packed)?)
    }

    /// What the server says by itself within `wait`; None when it says nothing. For a connection that listens: replies to
    /// commands are lost on it, pushes are not.
    pub fn hear(&mut self, wait: Duration) -> Result<Option<Value>, Fault> {
        let _held = SignalsHeld::new();
        let wait = wait.max(Duration::from_millis(1));
        if self.read_timeout != wait {
            self.wire.set_read_timeout(wait)?;
            self.read_timeout = wait;
        }
        match self.parser.parse_value(&mut self.wire) {
            Ok(value) => Ok(Some(value)),
            // The part of a value that has come is kept.
            Err(error) if error.is_timeout() => Ok(None),
            Err(error) => Err(self.fault(error)),
        }
    }

    fn exchange(&mut self, packed: &[u8], timeout: Duration, meanwhile: &mut dyn FnMut()) -> Result<Value, Fault> {
        let _held = SignalsHeld::new();
        if self.read_timeout != timeout {
            self.wire.set_read_timeout(timeout)?;
            self.wire.set_write_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        self.wire.send(packed).map_err(|error| match Fault::from(error) {
            Fault::Broken(cause) if !self.wire.is_buffered() => Fault::Unsent(cause),
            fault => fault,
        })?;
        meanwhile();
        loop {
            match self.receive()? {
                // Redis pushes what nobody asked for, for example that it is closing.
                Value::Push { .. } => {}
                Value::ServerError(error) => return Err(RedisError::from(error).into()),
                value => return Ok(value),
            }
        }
    }

    /// The next reply or push.
    fn receive(&mut self) -> Result<Value, Fault> {
        self.parser.parse_value(&mut self.wire).map_err(|error| self.fault(error))
    }

    /// Why nothing could be read: TLS knows it better than the parser.
    fn fault(&mut self, error: RedisError) -> Fault {
        self.wire.fault().map_or_else(|| error.into(), |error| Fault::from(&error))
    }
}

/// What a new connection says first, and how many of its replies must be no error.
pub(super) fn greeting(login: &RedisConnectionInfo) -> (redis::Pipeline, usize) {
    let mut greeting = redis::pipe();
    greeting.cmd("HELLO").arg(3);
    if let Some(password) = login.password() {
        greeting.arg("AUTH").arg(login.username().unwrap_or("default")).arg(password);
    }
    if login.db() != 0 {
        greeting.cmd("SELECT").arg(login.db());
    }
    let needed = greeting.len();
    for (name, value) in [("LIB-NAME", login.lib_name()), ("LIB-VER", login.lib_ver())] {
        if let Some(value) = value {
            greeting.cmd("CLIENT").arg("SETINFO").arg(name).arg(value);
        }
    }
    (greeting, needed)
}

/// The time until `deadline`, at least a millisecond (a timeout of zero would mean none).
pub(super) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
