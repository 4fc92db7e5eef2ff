//! Ways in which jobs pass through put, reserve and complete: what the limit is, and what ours is.

use std::time::{SystemTime, UNIX_EPOCH};

use redis::{Connection, RedisResult, Value, from_redis_value};

use crate::engine::{self, BATCH};
use crate::server::Pipeline;

/// How many calls are sent before their replies are read.
const AT_ONCE: usize = 20;
const LEASE_MS: u128 = 60_000;
const FIRST_INSTANT: i64 = 1_800_000_000_000;
const FILLED_AT_ONCE: usize = 1_000;
const WAITING: &str = "{mh}:waiting:bench";
const RUNNING: &str = "{mh}:running:bench";
const PAYLOADS: &str = "{mh}:data:";
const BARE: &str = include_str!("bare.lua");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The fewest commands that keep a job under a lease: MSET ZADD, ZPOPMIN, MGET ZADD, ZREM DEL.
    Raw,
    /// The same commands, but a function of bare Lua for each step.
    Bare,
    /// The engine, which keeps what is completed.
    Ours,
    /// The same when it has kept as many as it keeps: for each that is completed it forgets one.
    Full,
}

impl Way {
    /// All of them, the limit first.
    pub const ALL: [Way; 4] = [Way::Raw, Way::Bare, Way::Ours, Way::Full];

    /// As tables show it.
    pub fn name(self) -> &'static str {
        match self {
            Way::Raw => "raw commands",
            Way::Bare => "bare Lua",
            Way::Ours => "ours",
            Way::Full => "ours, history full",
        }
    }

    /// Those commands whose time (commandstats) is all that its calls cost.
    pub fn commands(self) -> &'static [&'static str] {
        match self {
            Way::Raw => &["mset", "zadd", "zpopmin", "mget", "zrem", "del"],
            Way::Bare | Way::Ours | Way::Full => &["fcall"],
        }
    }

    /// Brings to the server what it needs.
    pub fn prepare(self, connection: &mut Connection, url: &str) -> Result<(), Box<dyn std::error::Error>> {
        match self {
            Way::Raw => {}
            Way::Bare => redis::cmd("FUNCTION").arg("LOAD").arg("REPLACE").arg(BARE).exec(connection)?,
            Way::Ours | Way::Full => drop(manyhands::Client::open(Some(url), "")?.call("engine_version", "{}")?),
        }
        Ok(())
    }

    fn is_ours(self) -> bool {
        matches!(self, Way::Ours | Way::Full)
    }
}

/// The end of a lease that begins now, in ms.
fn lease_end() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    (now + LEASE_MS).to_string()
}

/// Jobs on their way.
pub struct Passage<'a> {
    way: Way,
    pipeline: Pipeline<'a>,
    put: usize,
    /// The engine's, in ms, where it is set by hand.
    clock: i64,
}

/// What was reserved: jids, or what the engine answered.
pub enum Reserved {
    Jids(Vec<String>),
    Replies(Vec<Value>),
}

impl<'a> Passage<'a> {
    /// What it needs must be there.
    pub fn new(way: Way, connection: &'a mut Connection) -> Passage<'a> {
        Passage { way, pipeline: Pipeline::new(connection), put: 0, clock: FIRST_INSTANT }
    }

    /// The connection, between steps.
    pub fn connection(&mut self) -> &mut Connection {
        self.pipeline.connection()
    }

    /// Completes `jobs` jobs, and lets the time pass for which the engine keeps the last in any case.
    pub fn fill_history(&mut self, jobs: usize, size: usize) -> Result<(), Box<dyn std::error::Error>> {
        self.set_clock(self.clock)?;
        for _ in 0..jobs.div_ceil(FILLED_AT_ONCE) {
            self.put(FILLED_AT_ONCE, size)?;
            let reserved = self.reserve(FILLED_AT_ONCE)?;
            self.complete(&reserved)?;
        }
        self.pass_a_minute()
    }

    /// What was completed before may be forgotten.
    pub fn pass_a_minute(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        self.set_clock(self.clock + 60_000)
    }

    fn set_clock(&mut self, clock: i64) -> Result<(), Box<dyn std::error::Error>> {
        self.clock = clock;
        self.configure("test-clock", clock)
    }

    /// Sets a value of the engine's.
    pub fn configure(&mut self, name: &str, value: i64) -> Result<(), Box<dyn std::error::Error>> {
        let arguments = format!("{{\"name\":\"{name}\",\"value\":{value}}}");
        self.pipeline.call("config_set", &[vec![arguments]])?;
        Ok(())
    }

    /// Puts `jobs` jobs with a payload of `size` bytes.
    pub fn put(&mut self, jobs: usize, size: usize) -> RedisResult<()> {
        let round = self.put;
        self.put += jobs;
        if self.way.is_ours() {
            return engine::put(&mut self.pipeline, jobs, size, round);
        }
        let data = format!("\"{}\"", "a".repeat(size - 2));
        let jids: Vec<String> = (0..jobs).map(|number| format!("{round:08x}{:024x}", number * 0x9e37_79b9)).collect();
        let batches: Vec<&[String]> = jids.chunks(BATCH).collect();
        let raw = self.way == Way::Raw;
        self.send(&batches, |pipe, index, batch| {
            let score = round + index * BATCH;
            if raw {
                pipe.cmd("MSET");
                for jid in *batch {
                    pipe.arg(format!("{PAYLOADS}{jid}")).arg(&data);
                }
                pipe.cmd("ZADD").arg(WAITING);
                for (place, jid) in batch.iter().enumerate() {
                    pipe.arg(score + place).arg(jid);
                }
            } else {
                pipe.cmd("FCALL").arg("bare_put").arg(2).arg(WAITING).arg(RUNNING).arg(2 * score).arg(PAYLOADS);
                for jid in *batch {
                    pipe.arg(jid).arg(&data);
                }
            }
        })
        .map(drop)
    }

    /// Reserves all `jobs`.
    pub fn reserve(&mut self, jobs: usize) -> RedisResult<Reserved> {
        let until = lease_end();
        let batches = vec![(); jobs / BATCH];
        match self.way {
            Way::Ours | Way::Full => return engine::reserve(&mut self.pipeline, jobs).map(Reserved::Replies),
            Way::Bare => {
                let replies = self.send(&batches, |pipe, _, ()| {
                    let call = pipe.cmd("FCALL").arg("bare_reserve").arg(2).arg(WAITING).arg(RUNNING);
                    call.arg(BATCH).arg(PAYLOADS).arg(&until);
                })?;
                return every_second(replies).map(Reserved::Jids);
            }
            Way::Raw => {}
        }
        let mut jids = Vec::with_capacity(jobs);
        // A client learns which jobs it has before it can lease them: two calls one after the other, each pipelined.
        for some in batches.chunks(AT_ONCE) {
            let popped = self.send(some, |pipe, _, ()| {
                pipe.cmd("ZPOPMIN").arg(WAITING).arg(BATCH);
            });
            let popped = every_second(popped?)?;
            let batches: Vec<&[String]> = popped.chunks(BATCH).collect();
            self.send(&batches, |pipe, _, batch| {
                pipe.cmd("MGET");
                for jid in *batch {
                    pipe.arg(format!("{PAYLOADS}{jid}"));
                }
                pipe.cmd("ZADD").arg(RUNNING);
                for jid in *batch {
                    pipe.arg(&until).arg(jid);
                }
            })?;
            jids.extend(popped);
        }
        Ok(Reserved::Jids(jids))
    }

    /// Completes what was reserved.
    pub fn complete(&mut self, reserved: &Reserved) -> RedisResult<()> {
        let jids = match reserved {
            Reserved::Replies(replies) => return engine::complete(&mut self.pipeline, replies),
            Reserved::Jids(jids) => jids,
        };
        let batches: Vec<&[String]> = jids.chunks(BATCH).collect();
        let raw = self.way == Way::Raw;
        self.send(&batches, |pipe, _, batch| {
            if raw {
                pipe.cmd("ZREM").arg(RUNNING).arg(*batch).cmd("DEL");
                for jid in *batch {
                    pipe.arg(format!("{PAYLOADS}{jid}"));
                }
            } else {
                pipe.cmd("FCALL").arg("bare_complete").arg(2).arg(WAITING).arg(RUNNING).arg(PAYLOADS).arg(*batch);
            }
        })
        .map(drop)
    }

    /// Sends what `write` makes of each batch, some batches at a time.
    fn send<T>(
        &mut self,
        batches: &[T],
        mut write: impl FnMut(&mut redis::Pipeline, usize, &T),
    ) -> RedisResult<Vec<Value>> {
        let mut replies = Vec::new();
        for (group, some) in batches.chunks(AT_ONCE).enumerate() {
            let mut pipe = redis::pipe();
            for (place, batch) in some.iter().enumerate() {
                write(&mut pipe, group * AT_ONCE + place, batch);
            }
            replies.extend(pipe.query::<Vec<Value>>(self.pipeline.connection())?);
        }
        Ok(replies)
    }
}

/// Puts job `number` by a function of bare Lua, and completes what has `ended` and reserves one by another; its jid.
pub fn bare_put_and_turn(
    connection: &mut Connection,
    number: usize,
    data: &str,
    ended: &[String],
) -> RedisResult<Vec<String>> {
    let jid = format!("{:032x}", number * 0x9e37_79b9);
    redis::cmd("FCALL")
        .arg("bare_put")
        .arg(2)
        .arg(WAITING)
        .arg(RUNNING)
        .arg(number)
        .arg(PAYLOADS)
        .arg(jid)
        .arg(data)
        .exec(connection)?;
    let turn = redis::cmd("FCALL")
        .arg("bare_turn")
        .arg(2)
        .arg(WAITING)
        .arg(RUNNING)
        .arg(1)
        .arg(PAYLOADS)
        .arg(lease_end())
        .arg(ended)
        .query(connection)?;
    every_second(vec![turn])
}

/// The jids of lists of jid and something; ZPOPMIN answers in RESP3 with pairs.
fn every_second(replies: Vec<Value>) -> RedisResult<Vec<String>> {
    let mut jids = Vec::new();
    for reply in replies {
        let Value::Array(parts) = reply else { continue };
        let pairs = matches!(parts.first(), Some(Value::Array(_)));
        for part in parts.into_iter().step_by(if pairs { 1 } else { 2 }) {
            jids.push(match part {
                Value::Array(pair) => from_redis_value(pair.into_iter().next().unwrap_or(Value::Nil))?,
                jid => from_redis_value(jid)?,
            });
        }
    }
    Ok(jids)
}
