//! One connection to Redis. Every use of its socket holds back this thread's signals.

use std::time::{Duration, Instant};

use redis::{ConnectionLike, Value};

use super::fault::Fault;
use super::signals::SignalsHeld;

/// Longest silence of the server before a call is sent again on a new connection.
const SILENCE: Duration = Duration::from_secs(5);
/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);

/// A connection that speaks RESP3, logged in, in its database.
pub(crate) struct Connection {
    redis: redis::Connection,
    read_timeout: Duration,
    /// The number the server knows this connection by, once it was asked for.
    pub server_id: Option<i64>,
}

impl Connection {
    /// Connects, for at most 5 s.
    pub fn open(info: &redis::ConnectionInfo, deadline: Instant) -> Result<Connection, Fault> {
        let client = redis::Client::open(info.clone())?;
        let timeout = left(deadline).min(CONNECT);
        let _held = SignalsHeld::new();
        Ok(Connection {
            redis: client.get_connection_with_timeout(timeout)?,
            read_timeout: Duration::ZERO,
            server_id: None,
        })
    }

    /// Sends one packed command and waits for its reply, at most 5 s and not past the deadline.
    pub fn call(&mut self, packed: &[u8], deadline: Instant) -> Result<Value, Fault> {
        self.exchange(packed, left(deadline).min(SILENCE))
    }

    /// The same for a command that itself waits for `wait` in Redis.
    pub fn call_waiting(&mut self, packed: &[u8], wait: Duration) -> Result<Value, Fault> {
        self.exchange(packed, wait + SILENCE)
    }

    fn exchange(&mut self, packed: &[u8], timeout: Duration) -> Result<Value, Fault> {
        let _held = SignalsHeld::new();
        if self.read_timeout != timeout {
            self.redis.set_read_timeout(Some(timeout))?;
            self.redis.set_write_timeout(Some(timeout))?;
            self.read_timeout = timeout;
        }
        match self.redis.req_packed_command(packed)? {
            Value::ServerError(error) => Err(redis::RedisError::from(error).into()),
            value => Ok(value),
        }
    }
}

/// The time until `deadline`, at least a millisecond (a timeout of zero would mean none).
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
