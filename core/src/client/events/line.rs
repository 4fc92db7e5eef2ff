//! The line to the server.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use redis::{PushKind, RedisError, Value};

use super::event::{JobEvent, published};
use super::mark::{Mark, Meanwhile};
use super::options::EventsOptions;
use super::stream::{self, End, Entry};
use crate::client::backoff::Backoff;
use crate::client::blocking::Shared;
use crate::client::connection::{Connection, left};
use crate::client::fault::Fault;
use crate::options::Options;

/// A server that was silent this long is asked for a sign of life, and then given as long again.
pub(super) const SILENCE: Duration = Duration::from_secs(5);

/// The connection and what is known of it; one thread at a time has it.
pub(super) struct Line {
    connection: Option<Connection>,
    /// Heard, and not yet asked for.
    pub heard: VecDeque<JobEvent>,
    /// How far the connection has heard, or did when it was lost; None before the first.
    mark: Option<Mark>,
    /// When something came last, and when a sign of life was asked for that has not come.
    heard_at: Instant,
    asked_at: Option<Instant>,
    backoff: Backoff,
    /// No try to connect before.
    pub retry_at: Instant,
}

impl Line {
    pub fn new() -> Line {
        let now = Instant::now();
        Line {
            connection: None,
            heard: VecDeque::new(),
            mark: None,
            heard_at: now,
            asked_at: None,
            backoff: Backoff::new(),
            retry_at: now,
        }
    }

    pub fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// One try to connect and to subscribe. What was told since the last connection was lost is heard first; false when
    /// that may not be all.
    pub fn connect(&mut self, shared: &Shared, options: &EventsOptions, deadline: Instant) -> Result<bool, Fault> {
        self.retry_at = Instant::now() + self.backoff.wait();
        let client = &shared.options;
        let mut opening = Opening::new(shared.pool().connect(&shared.target, client, deadline)?);
        let asked_at = Instant::now();
        let end = opening.subscribe(client, options)?;
        // The engine publishes an event and adds it to the stream in one go, and a server's pushes and replies come in the
        // order of its work: what is pushed before the reply about the stream's end stands before the end, the rest after.
        let before = opening.pushed.len();
        let meanwhile = match &self.mark {
            Some(mark) => mark.meanwhile(end.as_ref(), options, |until, after| opening.page(client, until, after))?,
            None => Meanwhile { events: Vec::new(), whole: true },
        };
        let mut line = Line { mark: Some(Mark::new(end, asked_at)), ..Line::new() };
        let mut pushed = opening.pushed.into_iter();
        let unkept = pushed.by_ref().take(before).filter_map(published).map(|(event, _)| event);
        let unkept: Vec<JobEvent> = unkept.filter(|event| !meanwhile.events.contains(event)).collect();
        line.heard.extend(meanwhile.events.into_iter().chain(unkept));
        pushed.for_each(|value| line.take(value));
        line.connection = Some(opening.connection);
        *self = line;
        Ok(meanwhile.whole)
    }

    /// Listens for `wait`; true when anything came. A server that has long been silent is asked whether it is there.
    pub fn hear(&mut self, wait: Duration) -> Result<bool, Fault> {
        let Some(connection) = &mut self.connection else { return Ok(false) };
        let value = connection.hear(wait)?;
        let now = Instant::now();
        if let Some(value) = value {
            self.heard_at = now;
            self.take(value);
            return Ok(true);
        }
        match self.asked_at {
            _ if now - self.heard_at <= SILENCE => {}
            Some(asked_at) if now - asked_at <= SILENCE => {}
            Some(_) => return Err(Fault::Broken("no sign of life".to_owned())),
            None => {
                // Unlike the answer to PING, that to UNSUBSCRIBE is a push, which is never taken for a late reply.
                connection.tell(&redis::cmd("UNSUBSCRIBE").arg("nothing").get_packed_command())?;
                self.asked_at = Some(now);
            }
        }
        Ok(false)
    }

    fn take(&mut self, value: Value) {
        let Some(mark) = &mut self.mark else { return };
        if matches!(value, Value::Push { kind: PushKind::Unsubscribe, .. }) {
            if let Some(asked_at) = self.asked_at.take() {
                mark.answered(asked_at);
            }
        } else if let Some((event, told)) = published(value) {
            mark.pass(&event, told);
            self.heard.push_back(event);
        }
    }

    pub fn lose(&mut self) {
        self.connection = None;
        self.retry_at = Instant::now() + self.backoff.wait();
    }
}

/// A new connection with commands outstanding: their replies, apart from what is pushed between them.
struct Opening {
    connection: Connection,
    pushed: Vec<Value>,
}

impl Opening {
    fn new(connection: Connection) -> Opening {
        Opening { connection, pushed: Vec::new() }
    }

    /// Subscribes, and learns where the stream ends.
    fn subscribe(&mut self, client: &Options, options: &EventsOptions) -> Result<Option<End>, Fault> {
        let (channels, pattern) = options.channels(client);
        let mut commands = redis::pipe();
        if !channels.is_empty() {
            commands.cmd("SUBSCRIBE").arg(&channels);
        }
        if let Some(pattern) = &pattern {
            commands.cmd("PSUBSCRIBE").arg(pattern);
        }
        End::ask(&mut commands, client);
        self.connection.tell(&commands.get_packed_pipeline())?;
        let mut unconfirmed = channels.len() + usize::from(pattern.is_some());
        while unconfirmed > 0 {
            match self.next()? {
                Value::Push { kind: PushKind::Subscribe | PushKind::PSubscribe, .. } => unconfirmed -= 1,
                Value::ServerError(error) => return Err(RedisError::from(error).into()),
                value => self.pushed.push(value),
            }
        }
        Ok(End::read(self.reply()?, self.reply()?, self.reply()?))
    }

    /// A page of the stream; None when it is refused.
    fn page(&mut self, client: &Options, until: &str, after: &str) -> Result<Option<Vec<Entry>>, Fault> {
        self.connection.tell(&stream::ask_page(client, until, after))?;
        Ok(self.reply()?.and_then(|page| stream::read_page(page).ok()))
    }

    /// The next reply; None when it is a refusal for good.
    fn reply(&mut self) -> Result<Option<Value>, Fault> {
        loop {
            match self.next()? {
                value @ Value::Push { .. } => self.pushed.push(value),
                Value::ServerError(error) if error.details() == Some("no such key") => return Ok(Some(Value::Nil)),
                Value::ServerError(error) => match Fault::from(RedisError::from(error)) {
                    Fault::Refused(_) => return Ok(None),
                    fault => return Err(fault),
                },
                value => return Ok(Some(value)),
            }
        }
    }

    fn next(&mut self) -> Result<Value, Fault> {
        let value = self.connection.hear(left(self.connection.opened_until))?;
        value.ok_or_else(Fault::silent)
    }
}
