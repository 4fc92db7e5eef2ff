//! A queue's operations, called by the queue.

use super::ask::{Arguments, Page, natural};
use super::blocking::Client;
use super::job::JobView;
use super::jobs;
use super::throttle::Throttle;
use crate::check;
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::ops::{Placed, Put, QueuePut, QueueReserve, Reserved, Share};
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

    /// Puts jobs; their `queue` is set to this one. One answer for each, in order. See [`Client::put_all`].
    ///
    /// # Errors
    /// Those of [`Client::put_all`].
    pub fn put_many(&self, jobs: impl IntoIterator<Item = Put>) -> Result<Vec<Placed>> {
        let here = jobs.into_iter().map(|job| Put { queue: self.name.clone(), ..job });
        self.client.put_all(QueuePut::new(here))
    }

    /// Takes up to `limit` (1 to 250) jobs under a lease; does not wait.
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
            .and_then(|()| check::integer(limit, "limit", 1, check::MAX_ITEMS as i64))
            .map_err(|error| error.during(QueueReserve::OPERATION))?;
        self.client.send(QueueReserve {
            worker: worker.map_or_else(|| self.client.worker_name(), str::to_owned),
            queues: vec![self.name.clone()],
            limit,
            share: Share::InOrder,
        })
    }

    /// Counts the queue's jobs by state.
    ///
    /// # Errors
    /// Those of [`Client::send`].
    ///
    /// Source: core/src/engine/ops/queue_counts.lua
    pub fn counts(&self) -> Result<Counts> {
        self.client.ask("queue_counts", self.arguments())?.read(|mut fields| Counts::read(&mut fields))
    }

    /// How many jobs are here, in whatever state; recurring jobs are not counted.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/queue_length.lua
    pub fn length(&self) -> Result<u64> {
        self.client.ask("queue_length", self.arguments())?.number()
    }

    /// The day's figures as JSON: `{"wait", "run", "failures", "retries", "failed"}`. `day`: `YYYY-MM-DD` of UTC; None: today.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/queue_stats.lua
    pub fn stats(&self, day: Option<&str>) -> Result<String> {
        self.client.call("queue_stats", &self.arguments().with_some("day", day).json())
    }

    /// The jobs that would be reserved next, without reserving them. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/queue_peek.lua
    pub fn peek(&self, offset: i64, limit: i64) -> Result<Vec<JobView>> {
        let page = Arguments::page(offset, limit).with("queue", self.name.as_str());
        let mut jobs = Vec::new();
        let rest = jobs::views(&self.client.ask("queue_peek", page)?, &mut jobs)?;
        if !rest.is_empty() {
            jobs.extend(self.client.jobs(rest)?);
        }
        Ok(jobs.into_iter().flatten().collect())
    }

    /// The jids of its jobs in one state: `waiting`, `scheduled`, `blocked`, `throttled`, `running`, `stalled` or `recurring`,
    /// next to run, to become due or to expire first. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_list.lua
    pub fn jobs(&self, state: &str, offset: i64, limit: i64) -> Result<Page<String>> {
        let page = Arguments::page(offset, limit).with("queue", self.name.as_str()).with("state", state);
        self.client.ask("job_list", page)?.jids()
    }

    /// Gives no more jobs until it is unpaused; running jobs go on. False when it was paused before.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/queue_pause.lua
    pub fn pause(&self) -> Result<bool> {
        self.client.ask("queue_pause", self.among_queues())?.changed()
    }

    /// Gives jobs again; false when it was not paused.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/queue_unpause.lua
    pub fn unpause(&self) -> Result<bool> {
        self.client.ask("queue_unpause", self.among_queues())?.changed()
    }

    /// Drops it from the lists of queues, with its pause, settings and throttle; the next put brings it back. False when it
    /// was not known.
    ///
    /// # Errors
    /// `WRONG_STATE` when it still has jobs or recurring jobs; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/queue_forget.lua
    pub fn forget(&self) -> Result<bool> {
        self.client.ask("queue_forget", self.among_queues())?.changed()
    }

    /// The queue's own throttle: how many of its jobs may run at once.
    pub fn throttle(&self) -> Throttle {
        Throttle::of_queue(self.client.clone(), self.name.clone())
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    fn arguments(&self) -> Arguments {
        Arguments::new().with("queue", self.name.as_str())
    }

    fn among_queues(&self) -> Arguments {
        Arguments::new().with("queues", vec![self.name.clone()])
    }
}

/// A queue among others. See [`Client::queues`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// How many of its jobs are in which state.
    pub counts: Counts,
}

impl Client {
    /// The queues in the order in which they were first used, with their counts. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/queue_list.lua
    pub fn queues(&self, offset: i64, limit: i64) -> Result<Page<QueueView>> {
        self.ask("queue_list", Arguments::page(offset, limit))?.page("queues", |json| {
            let mut fields = Fields::parse(json, "queues")?;
            Ok(QueueView { name: fields.required_text("queue")?, counts: Counts::read(&mut fields)? })
        })
    }
}

impl Counts {
    fn read(fields: &mut Fields<'_>) -> Result<Counts> {
        Ok(Counts {
            waiting: natural(fields, "waiting")?,
            scheduled: natural(fields, "scheduled")?,
            blocked: natural(fields, "blocked")?,
            throttled: natural(fields, "throttled")?,
            running: natural(fields, "running")?,
            stalled: natural(fields, "stalled")?,
            recurring: natural(fields, "recurring")?,
            paused: fields.boolean("paused")?.unwrap_or(false),
        })
    }
}
