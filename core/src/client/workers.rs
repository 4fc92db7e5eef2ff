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
    /// What it says of itself, as JSON: `language`, `version`, `host`, `pid`, `threads`, `queues`, `kinds`, `running`, `quiet`.
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
