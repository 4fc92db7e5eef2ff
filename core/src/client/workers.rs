//! The workers of a namespace, as others see them.

use super::ask::{Arguments, Page, natural, texts};
use super::blocking::Client;
use crate::error::{Error, Result};
use crate::json::Fields;

/// A worker as it last told of itself. See [`Client::workers`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerView {
    /// Its name.
    pub name: String,
    /// Milliseconds since it was last heard of.
    pub silent_ms: u64,
    /// Declared lost by who supervises it.
    pub lost: bool,
    /// How many jobs it has in hand, under leases that hold.
    pub running: u64,
    /// How many more whose leases ran out.
    pub stalled: u64,
    /// What it says of itself, as JSON: `language`, `version`, `host`, `pid`, `threads`, `queues`, `kinds`, `running`, `quiet`,
    /// `paused`, `since_ms` (how long it lives), `memory` (bytes), and `jobs`, at most 100 of those it performs: `jid`, `kind`, `queue`,
    /// `since_ms`.
    pub status: Option<String>,
}

/// Jobs that a worker has in hand. See [`Client::worker_jobs`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerJobs {
    /// How many there are in all.
    pub total: u64,
    /// How many of all whose leases ran out.
    pub stalled: u64,
    /// Their jids, the stalled ones first.
    pub jids: Vec<String>,
}

impl Client {
    /// The workers that were heard of within `max-worker-age`, the last heard first, the lost ones last. `limit`: 1 to 100.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/worker_list.lua
    pub fn workers(&self, offset: i64, limit: i64) -> Result<Page<WorkerView>> {
        let page = self.ask("worker_list", Arguments::page(offset, limit))?;
        page.page("workers", |json| WorkerView::read(Fields::parse(json, "workers")?))
    }

    /// The jobs that a worker has in hand, whose lease ends first before others. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/worker_jobs.lua
    pub fn worker_jobs(&self, worker: &str, offset: i64, limit: i64) -> Result<WorkerJobs> {
        self.ask("worker_jobs", Arguments::page(offset, limit).with("worker", worker))?.read(|mut fields| {
            let jids = fields.texts("jids")?.ok_or_else(|| Error::internal("no jids"))?;
            Ok(WorkerJobs { total: natural(&mut fields, "total")?, stalled: natural(&mut fields, "stalled")?, jids })
        })
    }

    /// Drops workers, 1 to 250, from the list; the jobs they still have in hand go on, or are handed on when their leases
    /// end. One that lives is back with its next pulse. Answers how many were known.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/worker_deregister.lua
    pub fn deregister<T: Into<String>>(&self, names: impl IntoIterator<Item = T>) -> Result<u64> {
        self.ask("worker_deregister", Arguments::new().with("workers", texts(names)))?.number()
    }
}

/// What an operator asks of workers. See [`Client::order`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// No new jobs from now on.
    Quiet,
    /// No new jobs until it is resumed.
    Pause,
    /// Jobs again after a pause.
    Resume,
    /// No new jobs, and end when the running ones have.
    Stop,
}

impl Order {
    const ALL: [(Order, &'static str); 4] =
        [(Order::Quiet, "quiet"), (Order::Pause, "pause"), (Order::Resume, "resume"), (Order::Stop, "stop")];

    /// The word used on the wire.
    pub fn name(self) -> &'static str {
        Order::ALL.iter().find(|(order, _)| *order == self).map_or("quiet", |(_, name)| name)
    }

    /// The order of this name.
    pub fn named(name: &str) -> Option<Order> {
        Order::ALL.iter().find(|(_, known)| *known == name).map(|(order, _)| *order)
    }
}

impl Client {
    /// Asks a worker, or all that were heard of within a minute (`*`; at most 1000), to do something. They learn it with their
    /// next pulse, within a second. Answers how many will: 0 when the one named is not known, or is lost.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/worker_order.lua
    pub fn order(&self, worker: &str, order: Order) -> Result<u64> {
        self.ask("worker_order", Arguments::new().with("worker", worker).with("order", order.name()))?.number()
    }
}

impl WorkerView {
    fn read(mut fields: Fields<'_>) -> Result<WorkerView> {
        Ok(WorkerView {
            name: fields.required_text("worker")?,
            silent_ms: natural(&mut fields, "silent_ms")?,
            lost: fields.boolean("lost")?.unwrap_or(false),
            running: natural(&mut fields, "running")?,
            stalled: natural(&mut fields, "stalled")?,
            status: fields.raw("status")?.filter(|status| status != "null"),
        })
    }
}
