//! A queue's operations, called by the queue.

use super::blocking::Client;
use crate::check;
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::ops::{Placed, Put, QueuePut, QueueReserve, Reserved};
use crate::request::Request;

/// A named line of jobs. Made by [`Client::queue`]; nothing is asked of Redis until one of its methods is called.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    name: String,
}

/// How many jobs of a queue are in which state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// May run now.
    pub waiting: u64,
    /// Wait for their time.
    pub scheduled: u64,
    /// Wait for other jobs.
    pub blocked: u64,
    /// Wait for a throttle.
    pub throttled: u64,
    /// Are being performed, under a lease that holds.
    pub running: u64,
    /// Their lease ran out, and they are not yet handed on; not counted as running.
    pub stalled: u64,
    /// Templates that put jobs here.
    pub recurring: u64,
    /// Whether the queue gives no jobs for now.
    pub paused: bool,
}

impl Queue {
    pub(super) fn new(client: Client, name: String) -> Queue {
        Queue { client, name }
    }

    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Puts one job; its `queue` is set to this one.
    ///
    /// # Errors
    /// `JOB_EXISTS` when its jid exists and `on_conflict` is reject; those of [`Client::send`].
    pub fn put(&self, job: Put) -> Result<Placed> {
        let placed = self.put_many([job])?.pop();
        placed.ok_or_else(|| Error::internal("the engine answered no outcome")).and_then(Placed::accepted)
    }

    /// Puts 1 to 1000 jobs in one step; their `queue` is set to this one. One answer for each, in order.
    ///
    /// # Errors
    /// Those of [`Client::send`].
    pub fn put_many(&self, jobs: impl IntoIterator<Item = Put>) -> Result<Vec<Placed>> {
        let here = jobs.into_iter().map(|job| Put { queue: self.name.clone(), ..job });
        self.client.send(QueuePut::new(here))
    }

    /// Takes up to `limit` (1 to 1000) jobs under a lease; does not wait.
    ///
    /// # Errors
    /// Those of [`Client::send`].
    pub fn reserve(&self, limit: i64) -> Result<Reserved> {
        self.reserve_as(None, limit)
    }

    /// The same, in the name of a worker; None: in the client's own, [`Client::worker_name`].
    ///
    /// # Errors
    /// Those of [`Client::send`].
    pub fn reserve_as(&self, worker: Option<&str>, limit: i64) -> Result<Reserved> {
        check::name(&self.name, "queue")
            .and_then(|()| check::integer(limit, "limit", 1, 1000))
            .map_err(|error| error.during(QueueReserve::OPERATION))?;
        self.client.send(QueueReserve {
            worker: worker.map_or_else(|| self.client.worker_name(), str::to_owned),
            queues: vec![self.name.clone()],
            limit,
            share: false,
        })
    }

    /// Counts the queue's jobs by state.
    ///
    /// # Errors
    /// Those of [`Client::send`].
    pub fn counts(&self) -> Result<Counts> {
        let json = self.client.call("queue_counts", &self.arguments(None))?;
        let mut fields = Fields::parse(&json, "queue_counts")?;
        let mut count = |name| fields.integer(name).map(|number| number.unwrap_or(0).unsigned_abs());
        Ok(Counts {
            waiting: count("waiting")?,
            scheduled: count("scheduled")?,
            blocked: count("blocked")?,
            throttled: count("throttled")?,
            running: count("running")?,
            stalled: count("stalled")?,
            recurring: count("recurring")?,
            paused: fields.boolean("paused")?.unwrap_or(false),
        })
    }

    /// The day's figures as JSON: `{"wait", "run", "failures", "retries"}`. `day`: `YYYY-MM-DD` of UTC; None: today.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    pub fn stats(&self, day: Option<&str>) -> Result<String> {
        self.client.call("queue_stats", &self.arguments(day))
    }

    fn arguments(&self, day: Option<&str>) -> String {
        let mut arguments = serde_json::Map::new();
        arguments.insert("queue".into(), self.name.clone().into());
        if let Some(day) = day {
            arguments.insert("day".into(), day.into());
        }
        serde_json::Value::Object(arguments).to_string()
    }
}
