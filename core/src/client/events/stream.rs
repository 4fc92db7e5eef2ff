//! The stream in which Redis keeps the last events, with the setting `events` at `all`: what is asked of it.

use redis::{Pipeline, Value};

use super::event::JobEvent;
use crate::error::Result;
use crate::ops::reply;
use crate::options::Options;

/// Entries read at a time.
pub(super) const PAGE: usize = 1000;
/// Before every entry.
pub(super) const BEGIN: &str = "0-0";

/// Where the stream ended at some moment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The last entry's id.
    pub id: String,
    /// How many entries there had ever been: the stream loses its oldest ones.
    pub added: u64,
    /// The moment, by the server's clock, as in the ids.
    pub at_ms: i64,
}

impl End {
    /// Asks for it; three replies will come.
    pub fn ask(commands: &mut Pipeline, client: &Options) {
        commands.cmd("HGET").arg(client.key("meta")).arg("events");
        commands.cmd("TIME");
        commands.cmd("XINFO").arg("STREAM").arg(client.key("events"));
    }

    /// Reads the three replies, None for one that was refused. None: no stream is kept, or this login may not read it.
    pub fn read(setting: Option<Value>, time: Option<Value>, stream: Option<Value>) -> Option<End> {
        if reply::text(setting?).ok()? != "all" {
            return None;
        }
        let [seconds, micros] = reply::parts(time?).ok()?;
        let at_ms = reply::integer(seconds).ok()? * 1000 + reply::integer(micros).ok()? / 1000;
        let (mut id, mut added) = (None, None);
        match stream? {
            // The first event will make it.
            Value::Nil => return Some(End { id: BEGIN.to_owned(), added: 0, at_ms }),
            Value::Map(members) => {
                for (name, value) in members {
                    match reply::text(name).ok()?.as_str() {
                        "last-generated-id" => id = reply::text(value).ok(),
                        "entries-added" => added = reply::natural(value).ok(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Some(End { id: id?, added: added?, at_ms })
    }
}

/// An entry of the stream.
pub(super) struct Entry {
    pub id: String,
    /// None: a stranger's, no event.
    pub event: Option<JobEvent>,
}

impl Entry {
    /// When it was added, by the server's clock.
    pub fn at_ms(&self) -> Option<i64> {
        self.id.split('-').next()?.parse().ok()
    }
}

/// Asks for the entries up to the id `until`, and after the id `after`, the last first, at most `PAGE`.
pub(super) fn ask_page(client: &Options, until: &str, after: &str) -> Vec<u8> {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(client.key("events")).arg(until).arg(format!("({after}")).arg("COUNT").arg(PAGE);
    command.get_packed_command()
}

/// Reads a page.
pub(super) fn read_page(page: Value) -> Result<Vec<Entry>> {
    let entry = |entry| {
        let [id, fields] = reply::parts(entry)?;
        let event = match &reply::list(fields)?[..] {
            [name, told, ..] if *name == Value::BulkString(b"event".into()) => {
                reply::text(told.clone()).ok().and_then(|told| JobEvent::read(&told))
            }
            _ => None,
        };
        Ok(Entry { id: reply::text(id)?, event })
    };
    reply::list(page)?.into_iter().map(entry).collect()
}
