//! One job, to call its operations by.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::ask::{Arguments, texts};
use super::blocking::Client;
use super::explain::Explanation;
use super::job::JobView;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::ops::{Job, Missing};

/// One job, to call its operations by. Made by [`Client::handle`], or by [`Job::handle`] for a job in hand, which knows
/// the token that proves the lease.
#[derive(Clone, Debug)]
pub struct JobHandle {
    client: Client,
    jid: String,
    token: Option<String>,
}

/// What [`JobHandle::requeue`] changes; what is None stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requeue {
    /// Where to; the queue it is in.
    pub queue: Option<String>,
    /// Its new data, as JSON text.
    pub data: Option<String>,
    /// Milliseconds until it may run; 0.
    pub delay_ms: Option<i64>,
    /// -128 to 127, larger first.
    pub priority: Option<i64>,
    /// How often it may run again, 0 to 255.
    pub retries: Option<i64>,
    /// Its labels, at most 32.
    pub tags: Option<Vec<String>>,
    /// The throttles that limit it, at most 32.
    pub throttles: Option<Vec<String>>,
    /// The queues it goes through after that one, at most 64.
    pub route: Option<Vec<String>>,
    /// The texts that go with it.
    pub headers: Option<BTreeMap<String, String>>,
    /// Milliseconds that a run of it may take, 1 or more.
    pub timeout_ms: Option<i64>,
    /// How long it waits after an error that no rule names by its class.
    pub backoff: Option<Backoff>,
    /// The jids it waits for, at most 256, instead of those it waits for now.
    pub dependencies: Option<Vec<String>>,
    /// What a dependency is that does not exist; satisfied.
    pub missing: Option<Missing>,
}

impl Job {
    /// Operations on this job, with its token.
    pub fn handle(&self, client: &Client) -> JobHandle {
        JobHandle { client: client.clone(), jid: self.jid.clone(), token: Some(self.token.clone()) }
    }
}

impl JobHandle {
    pub(super) fn new(client: Client, jid: String) -> JobHandle {
        JobHandle { client, jid, token: None }
    }

    /// The same job, with the token that proves its lease.
    pub fn with_token(self, token: impl Into<String>) -> JobHandle {
        JobHandle { token: Some(token.into()), ..self }
    }

    /// The job's id.
    pub fn jid(&self) -> &str {
        &self.jid
    }

    /// All that is known of it; None when there is no such job (any more).
    ///
    /// # Errors
    /// Those of [`Client::job`].
    pub fn view(&self) -> Result<Option<JobView>> {
        self.client.job(&self.jid)
    }

    /// Why it is not running, or what has become of it; None when there is no such job.
    ///
    /// # Errors
    /// Those of [`Client::explain`].
    pub fn explain(&self) -> Result<Option<Explanation>> {
        self.client.explain(&self.jid)
    }

    /// Makes it disappear; false when it was not there. See [`Client::cancel`].
    ///
    /// # Errors
    /// Those of [`Client::cancel`].
    pub fn cancel(&self) -> Result<bool> {
        self.client.cancel([self.jid.as_str()]).map(|cancelled| !cancelled.is_empty())
    }

    /// Places it anew in a queue, from whatever state: at the end of the line, with all its retries. Who runs it loses it.
    /// Answers the state it is in now: `waiting`, `scheduled` or `blocked`.
    ///
    /// ```no_run
    /// # use manyhands::{Client, Requeue};
    /// # let client = Client::open(None, "")?;
    /// client.handle("8f3c").requeue(Requeue { queue: Some("slow".into()), ..Requeue::default() })?;
    /// # Ok::<(), manyhands::Error>(())
    /// ```
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`, `UNKNOWN_DEPENDENCY`, `CYCLE`, `TOO_DEEP`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_requeue.lua
    pub fn requeue(&self, changes: Requeue) -> Result<String> {
        let arguments = self
            .arguments()
            .with_some("queue", changes.queue)
            .with_some("delay_ms", changes.delay_ms)
            .with_some("priority", changes.priority)
            .with_some("retries", changes.retries)
            .with_some("tags", changes.tags)
            .with_some("throttles", changes.throttles)
            .with_some("route", changes.route)
            .with_some("headers", changes.headers.map(Json::from_iter))
            .with_some("timeout_ms", changes.timeout_ms)
            .with_backoff(changes.backoff.as_ref())
            .map_err(|error| error.during("job_requeue"))?
            .with_some("dependencies", changes.dependencies)
            .with_some("missing", changes.missing.map(Missing::name))
            .with_json("data", changes.data.as_deref())
            .map_err(|error| error.during("job_requeue"))?;
        self.client.ask("job_requeue", arguments)?.text()
    }

    /// Changes its priority, -128 to 127; among its new equals it keeps the order of putting.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; `WRONG_STATE` when it has ended; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_prioritize.lua
    pub fn prioritize(&self, priority: i64) -> Result<()> {
        self.client.ask("job_prioritize", self.arguments().with("priority", priority)).map(|reply| reply.done())
    }

    /// Adds tags, 1 to 32. Answers its tags now.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; `INVALID_ARGUMENT` also when it would have more than 32; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_tag.lua
    pub fn tag<T: Into<String>>(&self, tags: impl IntoIterator<Item = T>) -> Result<Vec<String>> {
        self.client.ask("job_tag", self.arguments().with("tags", texts(tags)))?.texts()
    }

    /// Takes tags off; those it does not have are passed over. Answers its tags now.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_untag.lua
    pub fn untag<T: Into<String>>(&self, tags: impl IntoIterator<Item = T>) -> Result<Vec<String>> {
        self.client.ask("job_untag", self.arguments().with("tags", texts(tags)))?.texts()
    }

    /// From now on events tell what happens to it; false when they did before, or there is no such job.
    ///
    /// # Errors
    /// Those of [`Client::track`].
    pub fn track(&self) -> Result<bool> {
        self.client.track([self.jid.as_str()]).map(|count| count > 0)
    }

    /// Events no longer tell of it; false when they did not.
    ///
    /// # Errors
    /// Those of [`Client::untrack`].
    pub fn untrack(&self) -> Result<bool> {
        self.client.untrack([self.jid.as_str()]).map(|count| count > 0)
    }

    /// It waits for these jobs too, 1 to 256; it must not have begun. Answers those of them that were satisfied already:
    /// completed, or (unless `missing` rejects them) unknown.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`, `WRONG_STATE`, `UNKNOWN_DEPENDENCY`, `CYCLE`, `TOO_DEEP`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_depend.lua
    pub fn depend<T: Into<String>>(&self, on: impl IntoIterator<Item = T>, missing: Missing) -> Result<Vec<String>> {
        let arguments = self.arguments().with("on", texts(on)).with("missing", missing.name());
        self.client.ask("job_depend", arguments)?.texts()
    }

    /// It waits for these jobs no longer, 1 to 256. Answers the state it is in now.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_undepend.lua
    pub fn undepend<T: Into<String>>(&self, on: impl IntoIterator<Item = T>) -> Result<String> {
        self.client.ask("job_undepend", self.arguments().with("on", texts(on)))?.text()
    }

    /// It waits for no job any more. Answers the state it is in now.
    ///
    /// # Errors
    /// Those of [`JobHandle::undepend`].
    pub fn undepend_all(&self) -> Result<String> {
        self.client.ask("job_undepend", self.arguments().with("all", true))?.text()
    }

    /// Adds an entry to its history: a message of 1 to 1024 bytes and data that belongs to it, as JSON text. With a token
    /// only while the lease holds.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`, `LOCK_LOST`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_log.lua
    pub fn log(&self, message: &str, data: Option<&str>) -> Result<()> {
        let arguments = self
            .arguments()
            .with("message", message)
            .with_some("token", self.token.clone())
            .with_json("data", data)
            .map_err(|error| error.during("job_log"))?;
        self.client.ask("job_log", arguments).map(|reply| reply.done())
    }

    /// Says how far it is, 0 to 1, with a note of at most 1024 bytes. Needs the token.
    ///
    /// # Errors
    /// `LOCK_LOST`; `INVALID_ARGUMENT` also without a token; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_progress.lua
    pub fn progress(&self, progress: f64, note: &str) -> Result<()> {
        let arguments = self.leased("job_progress")?.with("progress", progress).with("note", note);
        self.client.ask("job_progress", arguments).map(|reply| reply.done())
    }

    /// Keeps new data, as JSON text, and renews the lease to its full length; answers its milliseconds. Needs the token.
    ///
    /// # Errors
    /// `LOCK_LOST`; `INVALID_ARGUMENT` also without a token; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_save.lua
    pub fn save(&self, data: &str) -> Result<u64> {
        let arguments = self.leased("job_save")?.with_json("data", Some(data));
        self.client.ask("job_save", arguments.map_err(|error| error.during("job_save"))?)?.number()
    }

    /// Ends its lease now: a retry is spent and it waits again where it was, or fails when none is left. Who runs it loses
    /// it. Answers the state it is in now.
    ///
    /// # Errors
    /// `JOB_NOT_FOUND`; `WRONG_STATE` when it does not run; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_timeout.lua
    pub fn timeout(&self) -> Result<String> {
        self.client.ask("job_timeout", self.arguments())?.text()
    }

    fn arguments(&self) -> Arguments {
        Arguments::new().with("jid", self.jid.as_str())
    }

    fn leased(&self, operation: &str) -> Result<Arguments> {
        match &self.token {
            Some(token) => Ok(self.arguments().with("token", token.as_str())),
            None => Err(Error::invalid("token is missing: take the handle of a job in hand").during(operation)),
        }
    }
}
