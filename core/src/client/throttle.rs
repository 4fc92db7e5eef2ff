//! Throttles: how many jobs may run at once.

use super::ask::{Arguments, Page, natural, natural_or_none};
use super::blocking::Client;
use crate::error::Result;
use crate::json::Fields;

/// A limit on how many jobs run at once: of those that name it, or of a queue. Made by [`Client::throttle`] and
/// [`crate::Queue::throttle`].
///
/// ```no_run
/// let client = manyhands::Client::open(None, "")?;
/// client.throttle("mail-server").set(5, None)?;
/// client.queue("mail").put(manyhands::Put::new("send").throttles(["mail-server"]))?;
/// # Ok::<(), manyhands::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Throttle {
    client: Client,
    subject: Subject,
}

/// What is limited.
#[derive(Clone, Debug)]
enum Subject {
    Id(String),
    Queue(String),
}

/// A throttle as it stood when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThrottleView {
    /// Its id; None for a queue's own.
    pub id: Option<String>,
    /// The queue whose own it is.
    pub queue: Option<String>,
    /// How many jobs may hold it; None: any number, it has no limit.
    pub limit: Option<u64>,
    /// How many do.
    pub held: u64,
    /// How many wait for it.
    pub pending: u64,
    /// Milliseconds for which the limit still holds; None: for good.
    pub expires_ms: Option<u64>,
}

impl Client {
    /// The throttle that jobs name as `id`. Nothing is asked of Redis until one of its methods is called.
    pub fn throttle(&self, id: impl Into<String>) -> Throttle {
        Throttle { client: self.clone(), subject: Subject::Id(id.into()) }
    }

    /// The throttles with a limit, by name. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/throttle_list.lua
    pub fn throttles(&self, offset: i64, limit: i64) -> Result<Page<ThrottleView>> {
        let page = self.ask("throttle_list", Arguments::page(offset, limit))?;
        page.page("throttles", |json| ThrottleView::read(Fields::parse(json, "throttles")?))
    }
}

impl Throttle {
    pub(super) fn of_queue(client: Client, queue: String) -> Throttle {
        Throttle { client, subject: Subject::Queue(queue) }
    }

    /// Its limit, and how many hold it and wait for it.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/throttle_get.lua
    pub fn view(&self) -> Result<ThrottleView> {
        self.client.ask("throttle_get", self.of(Arguments::new()))?.read(ThrottleView::read)
    }

    /// Sets how many jobs may hold it at once, 0 to 1,000,000,000, for good or for `expires_ms` milliseconds. 0 lets none
    /// run; a lower limit lets running jobs go on.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/throttle_set.lua
    pub fn set(&self, limit: i64, expires_ms: Option<i64>) -> Result<()> {
        let arguments = self.of(Arguments::new().with("limit", limit).with_some("expires_ms", expires_ms));
        self.client.ask("throttle_set", arguments).map(|reply| reply.done())
    }

    /// Takes the limit away, and its pending jobs wait in their queues again; false when it had none.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/throttle_delete.lua
    pub fn delete(&self) -> Result<bool> {
        self.client.ask("throttle_delete", self.of(Arguments::new()))?.changed()
    }

    /// The jids that hold it, who began first before others. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/throttle_holders.lua
    pub fn holders(&self, offset: i64, limit: i64) -> Result<Page<String>> {
        self.client.ask("throttle_holders", self.of(Arguments::page(offset, limit)))?.jids()
    }

    /// The jids that wait for it, next first. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/throttle_pending.lua
    pub fn pending(&self, offset: i64, limit: i64) -> Result<Page<String>> {
        self.client.ask("throttle_pending", self.of(Arguments::page(offset, limit)))?.jids()
    }

    /// Takes it off a job, which then neither holds it nor waits for it; false when the job did not have it. Not for a
    /// queue's own.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/throttle_release.lua
    pub fn release(&self, jid: &str) -> Result<bool> {
        self.client.ask("throttle_release", self.of(Arguments::new().with("jid", jid)))?.changed()
    }

    fn of(&self, arguments: Arguments) -> Arguments {
        match &self.subject {
            Subject::Id(id) => arguments.with("id", id.as_str()),
            Subject::Queue(queue) => arguments.with("queue", queue.as_str()),
        }
    }
}

impl ThrottleView {
    fn read(mut fields: Fields<'_>) -> Result<ThrottleView> {
        Ok(ThrottleView {
            id: fields.text("id")?,
            queue: fields.text("queue")?,
            limit: natural_or_none(&mut fields, "limit")?,
            held: natural(&mut fields, "held")?,
            pending: natural(&mut fields, "pending")?,
            expires_ms: natural_or_none(&mut fields, "expires_ms")?,
        })
    }
}
