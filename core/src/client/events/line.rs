//! The line to the server.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use redis::{PushKind, RedisError, Value};

use super::options::EventsOptions;
use crate::client::backoff::Backoff;
use crate::client::blocking::Shared;
use crate::client::connection::Connection;
use crate::client::fault::Fault;

/// A server that was silent this long is asked for a sign of life, and then given as long again.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// The connection and what is known of it; one thread at a time has it.
pub(super) struct Line {
    connection: Option<Connection>,
    /// Came while the server confirmed the subscription.
    pub early: VecDeque<Value>,
    /// When something came last, and when a sign of life was asked for since.
    heard: Instant,
    asked: Option<Instant>,
    backoff: Backoff,
    /// No try to connect before.
    pub retry_at: Instant,
}

impl Line {
    pub fn new() -> Line {
        let now = Instant::now();
        Line {
            connection: None,
            early: VecDeque::new(),
            heard: now,
            asked: None,
            backoff: Backoff::new(),
            retry_at: now,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// One try to connect and to subscribe.
    pub fn connect(&mut self, shared: &Shared, options: &EventsOptions, deadline: Instant) -> Result<(), Fault> {
        self.retry_at = Instant::now() + self.backoff.wait();
        let mut connection = shared.pool().connect(&shared.target, &shared.options, deadline)?;
        let (channels, pattern) = options.channels(&shared.options);
        let mut commands = redis::pipe();
        if !channels.is_empty() {
            commands.cmd("SUBSCRIBE").arg(&channels);
        }
        if let Some(pattern) = &pattern {
            commands.cmd("PSUBSCRIBE").arg(pattern);
        }
        connection.tell(&commands.get_packed_pipeline())?;
        let mut unconfirmed = channels.len() + usize::from(pattern.is_some());
        while unconfirmed > 0 {
            let left = connection.opened_until.saturating_duration_since(Instant::now());
            match connection.hear(left)? {
                Some(Value::Push { kind: PushKind::Subscribe | PushKind::PSubscribe, .. }) => unconfirmed -= 1,
                Some(Value::ServerError(error)) => return Err(RedisError::from(error).into()),
                Some(value) => self.early.push_back(value),
                None if left.is_zero() => return Err(Fault::Broken("no answer in time".to_owned())),
                None => {}
            }
        }
        *self = Line { connection: Some(connection), early: std::mem::take(&mut self.early), ..Line::new() };
        Ok(())
    }

    /// What comes within `wait`. A server that has long been silent is asked whether it is there.
    pub fn hear(&mut self, wait: Duration) -> Result<Option<Value>, Fault> {
        let Some(connection) = &mut self.connection else { return Ok(None) };
        let heard = connection.hear(wait)?;
        let now = Instant::now();
        if heard.is_some() {
            (self.heard, self.asked) = (now, None);
        } else if self.asked.is_some_and(|asked| now - asked > SILENCE) {
            return Err(Fault::Broken("no sign of life".to_owned()));
        } else if self.asked.is_none() && now - self.heard > SILENCE {
            // Unlike the answer to PING, that to UNSUBSCRIBE is a push, which is never taken for a late reply.
            connection.tell(&redis::cmd("UNSUBSCRIBE").arg("nothing").get_packed_command())?;
            self.asked = Some(now);
        }
        Ok(heard)
    }

    pub fn lose(&mut self) {
        self.connection = None;
        self.retry_at = Instant::now() + self.backoff.wait();
    }
}
