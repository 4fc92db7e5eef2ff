//! One connection to Redis. Every use of its socket holds back this thread's signals.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use redis::{ConnectionAddr, ConnectionInfo, ConnectionLike, ProtocolVersion, RedisConnectionInfo, RedisError, Value};

use super::fault::Fault;
use super::signals::SignalsHeld;

/// Longest silence of the server before a call is sent again on a new connection; longest time, too, for connecting and
/// the first call after it.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// A connection that speaks RESP3, logged in, in its database.
pub(crate) struct Connection {
    redis: redis::Connection,
    read_timeout: Duration,
    /// When the try ends that opened it.
    pub opened_until: Instant,
    /// The number the server knows this connection by, once it was asked for.
    pub server_id: Option<i64>,
}

impl Connection {
    /// Connects and logs in, all within 5 s and not past the deadline.
    pub fn open(info: &ConnectionInfo, deadline: Instant) -> Result<Connection, Fault> {
        let opened_until = deadline.min(Instant::now() + SILENCE);
        let _held = SignalsHeld::new();
        let redis = reach(info, opened_until)?;
        let mut connection = Connection { redis, read_timeout: Duration::ZERO, opened_until, server_id: None };
        connection.greet(info.redis_settings())?;
        Ok(connection)
    }

    /// Logs in, chooses the database and tells the server who connects, in one trip. redis-rs could do it too, but would
    /// wait out its time for each reply.
    fn greet(&mut self, login: &RedisConnectionInfo) -> Result<(), Fault> {
        let (greeting, needed) = greeting(login);
        self.redis.set_write_timeout(Some(left(self.opened_until)))?;
        self.redis.send_packed_command(&greeting.get_packed_pipeline())?;
        for index in 0..greeting.len() {
            self.redis.set_read_timeout(Some(left(self.opened_until)))?;
            match self.redis.recv_response()? {
                Value::ServerError(error) if index < needed => return Err(RedisError::from(error).into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// Sends one packed command and waits for its reply, at most 5 s and not past the deadline.
    pub fn call(&mut self, packed: &[u8], deadline: Instant) -> Result<Value, Fault> {
        self.exchange(packed, left(deadline).min(SILENCE))
    }

    /// The same for a command that itself waits for `wait` in Redis.
    pub fn call_waiting(&mut self, packed: &[u8], wait: Duration) -> Result<Value, Fault> {
        self.exchange(packed, wait + SILENCE)
    }

    /// Sends packed commands and waits for nothing.
    pub fn tell(&mut self, packed: &[u8]) -> Result<(), Fault> {
        let _held = SignalsHeld::new();
        self.redis.set_write_timeout(Some(SILENCE))?;
        Ok(self.redis.send_packed_command(packed)?)
    }

    /// What the server says by itself within `wait`; None when it says nothing. For a connection that listens: replies to
    /// commands are lost on it, pushes are not.
    pub fn hear(&mut self, wait: Duration) -> Result<Option<Value>, Fault> {
        let _held = SignalsHeld::new();
        let wait = wait.max(Duration::from_millis(1));
        if self.read_timeout != wait {
            self.redis.set_read_timeout(Some(wait))?;
            self.read_timeout = wait;
        }
        match self.redis.recv_response() {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_timeout() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn exchange(&mut self, packed: &[u8], timeout: Duration) -> Result<Value, Fault> {
        let _held = SignalsHeld::new();
        if self.read_timeout != timeout {
            self.redis.set_read_timeout(Some(timeout))?;
            self.redis.set_write_timeout(Some(timeout))?;
            self.read_timeout = timeout;
        }
        match self.redis.req_packed_command(packed)? {
            Value::ServerError(error) => Err(RedisError::from(error).into()),
            value => Ok(value),
        }
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

/// Connects without a word. The addresses of a host share the time.
fn reach(info: &ConnectionInfo, until: Instant) -> Result<redis::Connection, Fault> {
    let silent = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP2).set_skip_set_lib_name();
    let info = info.clone().set_redis_settings(silent);
    let addresses: Vec<SocketAddr> = match info.addr() {
        ConnectionAddr::Tcp(host, port) => {
            (host.as_str(), *port).to_socket_addrs().map_err(RedisError::from)?.collect()
        }
        _ => Vec::new(),
    };
    // One address is left to redis-rs, which takes the name as it is.
    let [others @ .., last] = &addresses[..] else { return connect(info, left(until)) };
    if others.is_empty() {
        return connect(info, left(until));
    }
    let to = |address: &SocketAddr, limit| {
        connect(info.clone().set_addr(ConnectionAddr::Tcp(address.ip().to_string(), address.port())), limit)
    };
    for (tried, address) in others.iter().enumerate() {
        if let Ok(redis) = to(address, left(until) / (addresses.len() - tried) as u32) {
            return Ok(redis);
        }
    }
    to(last, left(until))
}

fn connect(info: ConnectionInfo, limit: Duration) -> Result<redis::Connection, Fault> {
    Ok(redis::Client::open(info)?.get_connection_with_timeout(limit)?)
}

/// The time until `deadline`, at least a millisecond (a timeout of zero would mean none).
pub(super) fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))
}
