//! Events: what the engine tells of jobs, heard on a connection of its own.
//!
//! Redis does not keep what it publishes: what is told while nobody listens, or while the connection is away, is missed.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{PushKind, RedisError, Value};

use super::backoff::Backoff;
use super::blocking::{Client, Shared};
use super::connection::Connection;
use super::fault::Fault;
use super::lane::Interrupted;
use crate::check;
use crate::error::{Code, Error, Result};
use crate::json::Fields;
use crate::ops::reply;

/// What can happen to a job, in the order of its life.
const NAMES: [&str; 12] = [
    "put",
    "waiting",
    "scheduled",
    "blocked",
    "throttled",
    "reserved",
    "stalled",
    "completed",
    "failed",
    "cancelled",
    "track",
    "untrack",
];
/// Stands for all of them.
const ALL: &str = "*";

/// Longest time on the socket without looking up, and so the longest that a close waits for a thread in `next`.
const SLICE: Duration = Duration::from_millis(100);
/// A server that was silent this long is asked for a sign of life, and then given as long again.
const SILENCE: Duration = Duration::from_secs(5);

/// What to listen to. See [`Client::events`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsOptions {
    /// Names of events: `put`, `waiting`, `scheduled`, `blocked`, `throttled`, `reserved`, `stalled`, `completed`, `failed`,
    /// `cancelled`, `track`, `untrack`; `*` stands for all. Empty: all, or none when a worker is named.
    pub what: Vec<String>,
    /// Listen to this worker's channel too: what becomes of the jobs it holds, `stalled`, `lost` or `cancelled`, whether
    /// they are tracked or not.
    pub worker: Option<String>,
}

impl EventsOptions {
    /// Reads the options from JSON, `{"what": ["completed"], "worker": "host:1:ab"}`, both optional; an empty text stands
    /// for no options.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option that is wrong or unknown.
    pub fn parse(json: &str) -> Result<EventsOptions> {
        let mut fields = Fields::parse(if json.is_empty() { "{}" } else { json }, "options")?;
        let options = EventsOptions { what: fields.texts("what")?.unwrap_or_default(), worker: fields.text("worker")? };
        fields.end()?;
        options.check()?;
        Ok(options)
    }

    fn check(&self) -> Result<()> {
        for (index, what) in self.what.iter().enumerate() {
            if what != ALL && !NAMES.contains(&what.as_str()) {
                return Err(Error::invalid(format!(
                    "options.what[{index}] {} is no event: {} or {ALL}",
                    crate::json::quote(what),
                    NAMES.join(", ")
                )));
            }
        }
        self.worker.as_ref().map_or(Ok(()), |worker| check::name(worker, "options.worker"))
    }

    /// The channels to subscribe to, and the pattern if there is one.
    fn channels(&self, shared: &Shared) -> (Vec<String>, Option<String>) {
        let mut names: Vec<&str> = self.what.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let worker = self.worker.as_ref().map(|worker| shared.options.key(&format!("worker-event:{worker}")));
        let all = names.first() == Some(&ALL) || (names.is_empty() && worker.is_none());
        let pattern = all.then(|| shared.options.key("event:*"));
        if all {
            names.clear();
        }
        let channel = |name: &str| shared.options.key(&format!("event:{name}"));
        (names.into_iter().map(channel).chain(worker).collect(), pattern)
    }
}

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEvent {
    /// What happened, one of the names of [`EventsOptions::what`]; on a worker's channel `stalled`, `lost` or `cancelled`.
    pub event: String,
    /// To which job.
    pub jid: String,
    /// The queue it is in now.
    pub queue: String,
    /// The name of its handler.
    pub kind: String,
    /// Who holds it now; on a worker's channel, that worker. None: nobody.
    pub worker: Option<String>,
    /// When, in ms since 1970 by Redis's clock.
    pub at_ms: i64,
}

impl JobEvent {
    /// Reads what was published; None when a stranger published it.
    fn read(json: &str) -> Option<JobEvent> {
        let mut fields = Fields::parse(json, "event").ok()?;
        Some(JobEvent {
            event: fields.required_text("event").ok()?,
            jid: fields.required_text("jid").ok()?,
            queue: fields.required_text("queue").ok()?,
            kind: fields.required_text("kind").ok()?,
            worker: fields.text("worker").ok()?,
            at_ms: fields.integer("at_ms").ok()??,
        })
    }

    /// The event as JSON: `event`, `jid`, `queue`, `kind`, `worker` (or null), `at_ms`.
    pub fn to_json(&self) -> String {
        serde_json::json!({
            "event": self.event,
            "jid": self.jid,
            "queue": self.queue,
            "kind": self.kind,
            "worker": self.worker,
            "at_ms": self.at_ms,
        })
        .to_string()
    }
}

/// A subscription to events, with a connection of its own. Made by [`Client::events`]; ends by [`Events::close`], by the
/// client's, or by being dropped.
///
/// It may be used from many threads; each event goes to one of them. When its connection breaks, [`Events::next`] makes
/// another; what happens meanwhile is missed, see [`Events::gaps`]. In a forked child every call answers `CLOSED`, or
/// nothing: a child subscribes by itself.
pub struct Events {
    pid: u32,
    /// Always there until drop.
    inner: Option<Arc<Inner>>,
}

struct Inner {
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

/// The connection and what is known of it; one thread at a time has it.
struct Line {
    connection: Option<Connection>,
    /// Came while the server confirmed the subscription.
    early: VecDeque<Value>,
    /// When something came last, and when a sign of life was asked for since.
    heard: Instant,
    asked: Option<Instant>,
    backoff: Backoff,
    /// No try to connect before.
    retry_at: Instant,
}

impl Events {
    pub(super) fn open(
        shared: Arc<Shared>,
        interrupted: Option<Interrupted>,
        options: EventsOptions,
    ) -> Result<Events> {
        options.check()?;
        let line = Line::new();
        let desk = Mutex::new(Desk { line: None, closed: false, gaps: 0 });
        let inner = Inner { shared, interrupted, options, desk, bell: Condvar::new() };
        let line = inner.first_connect(line)?;
        inner.desk().line = Some(line);
        Ok(Events { pid: std::process::id(), inner: Some(Arc::new(inner)) })
    }

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
        let inner = self.inner()?;
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let Some(mut turn) = inner.take_turn(until) else { return Ok(None) };
        inner.wait(&mut turn, until).map_err(|error| error.during("events_next"))
    }

    /// The events one after another, without a time limit, until the subscription is closed.
    pub fn iter(&self) -> EventsIter<'_> {
        EventsIter { events: self }
    }

    /// Ends the subscription: a thread in [`Events::next`] returns within 100 ms, and so does every later call. Closing
    /// twice is fine.
    pub fn close(&self) {
        let Ok(inner) = self.inner() else { return };
        let mut desk = inner.desk();
        desk.closed = true;
        let line = desk.line.take();
        drop(desk);
        inner.bell.notify_all();
        drop(line);
    }

    /// True when nothing more will come: after a close of this or of its client, and in a forked child.
    pub fn is_closed(&self) -> bool {
        self.inner().map_or(true, Inner::is_closed)
    }

    /// How often the connection was lost: each time, events may have been missed.
    pub fn gaps(&self) -> u64 {
        self.inner().map_or(0, |inner| inner.desk().gaps)
    }

    /// What is behind this handle, in the process that opened it. A forked child never touches the parent's locks.
    fn inner(&self) -> Result<&Inner> {
        match &self.inner {
            Some(inner) if self.pid == std::process::id() => Ok(inner),
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
        if self.pid != std::process::id() {
            std::mem::forget(self.inner.take());
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

impl Inner {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_closed(&self) -> bool {
        self.desk().closed || self.shared.pool().is_closed()
    }

    /// Waits for the line; None when the time is over before it comes, or all is closed.
    fn take_turn(&self, until: Option<Instant>) -> Option<Turn<'_>> {
        let mut desk = self.desk();
        loop {
            if desk.closed {
                return None;
            }
            if let Some(line) = desk.line.take() {
                return Some(Turn { inner: self, line: Some(line) });
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
            if let Some(value) = line.early.pop_front() {
                if let Some(event) = published(value) {
                    return Ok(Some(event));
                }
                continue;
            }
            if line.connection.is_some() {
                match line.hear(left().min(SLICE)) {
                    Ok(Some(value)) => {
                        line.early.push_back(value);
                        continue;
                    }
                    Ok(None) => {}
                    Err(_) => {
                        line.lose();
                        self.desk().gaps += 1;
                        continue;
                    }
                }
            } else {
                let pause = line.retry_at.saturating_duration_since(Instant::now());
                if pause.is_zero() {
                    match self.connect(line, Instant::now() + SILENCE) {
                        Ok(()) => continue,
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
            let error = match self.connect(&mut line, deadline) {
                Ok(()) => return Ok(line),
                Err(Fault::Refused(error)) => return Err(error),
                Err(Fault::Later(error)) => error,
                Err(fault) => {
                    let error = self.unavailable(&fault);
                    if !pool.has_connected() {
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

    /// One try to connect and to subscribe.
    fn connect(&self, line: &mut Line, deadline: Instant) -> std::result::Result<(), Fault> {
        line.retry_at = Instant::now() + line.backoff.wait();
        let mut connection = self.shared.pool().connect(&self.shared.target, &self.shared.options, deadline)?;
        let (channels, pattern) = self.options.channels(&self.shared);
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
                Some(value) => line.early.push_back(value),
                None if left.is_zero() => return Err(Fault::Broken("no answer in time".to_owned())),
                None => {}
            }
        }
        *line = Line { connection: Some(connection), early: std::mem::take(&mut line.early), ..Line::new() };
        Ok(())
    }

    fn unavailable(&self, fault: &Fault) -> Error {
        let cause = match fault {
            Fault::Broken(cause) => cause.as_str(),
            _ => "the engine is not loaded",
        };
        self.shared.unavailable(cause)
    }
}

impl Line {
    fn new() -> Line {
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

    /// What comes within `wait`. A server that has long been silent is asked whether it is there.
    fn hear(&mut self, wait: Duration) -> std::result::Result<Option<Value>, Fault> {
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

    fn lose(&mut self) {
        self.connection = None;
        self.retry_at = Instant::now() + self.backoff.wait();
    }
}

/// The line in a thread's hand; it is put back when the thread is done with it.
struct Turn<'a> {
    inner: &'a Inner,
    line: Option<Line>,
}

impl Turn<'_> {
    fn line(&mut self) -> &mut Line {
        self.line.get_or_insert_with(Line::new)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut desk = self.inner.desk();
        if !desk.closed {
            desk.line = self.line.take();
        }
        drop(desk);
        self.inner.bell.notify_one();
    }
}

/// The event in a message of the server's; None for anything else.
fn published(value: Value) -> Option<JobEvent> {
    let Value::Push { kind: PushKind::Message | PushKind::PMessage, mut data } = value else { return None };
    JobEvent::read(&reply::text(data.pop()?).ok()?)
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
        Events::open(shared, interrupted, options).map_err(|error| error.during("events_open"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_faults_named() {
        let options = EventsOptions::parse(r#"{"what":["completed","*"],"worker":"w"}"#).unwrap();
        assert_eq!((options.what.len(), options.worker.as_deref()), (2, Some("w")));
        assert_eq!(EventsOptions::parse("").unwrap(), EventsOptions::default());
        let message = |json| EventsOptions::parse(json).unwrap_err().message;
        assert!(
            message(r#"{"what":["put","complete"]}"#).starts_with("options.what[1] \"complete\" is no event: put, ")
        );
        assert_eq!(message(r#"{"worker":""}"#), "options.worker is empty");
        assert_eq!(message(r#"{"jids":[]}"#), "options.jids is unknown");
    }

    #[test]
    fn an_event_is_read_and_written() {
        let json = r#"{"at_ms":5,"event":"put","jid":"a","kind":"k","queue":"q","worker":null}"#;
        let event = JobEvent::read(json).unwrap();
        assert_eq!((event.event.as_str(), event.at_ms, event.worker.as_deref()), ("put", 5, None));
        assert_eq!(event.to_json(), json);
        assert_eq!(JobEvent::read("hello"), None);
        assert_eq!(JobEvent::read("{}"), None);
    }
}
