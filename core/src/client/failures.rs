//! Failed jobs, by groups.

use super::ask::{Arguments, Page};
use super::blocking::Client;
use crate::error::Result;

/// The failed jobs that share a cause. Made by [`Client::failure`].
#[derive(Clone, Debug)]
pub struct FailureGroup {
    client: Client,
    group: String,
}

impl Client {
    /// The groups of failed jobs, each with how many are in it, the largest first. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/failure_groups.lua
    pub fn failures(&self, offset: i64, limit: i64) -> Result<Page<(String, u64)>> {
        self.ask("failure_groups", Arguments::page(offset, limit))?.counted("groups")
    }

    /// One group of failed jobs.
    ///
    /// ```no_run
    /// let client = manyhands::Client::open(None, "")?;
    /// for (group, count) in client.failures(0, 25)? {
    ///     println!("{group}: {count}");
    ///     client.failure(group).unfail(None, 100)?;
    /// }
    /// # Ok::<(), manyhands::Error>(())
    /// ```
    pub fn failure(&self, group: impl Into<String>) -> FailureGroup {
        FailureGroup { client: self.clone(), group: group.into() }
    }
}

impl FailureGroup {
    /// The group's name.
    pub fn name(&self) -> &str {
        &self.group
    }

    /// The jids of its jobs, the latest first. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/failure_jobs.lua
    pub fn jobs(&self, offset: i64, limit: i64) -> Result<Page<String>> {
        self.client.ask("failure_jobs", Arguments::page(offset, limit).with("group", self.group.as_str()))?.jids()
    }

    /// Those of its jobs that failed first, at most `limit` (1 to 100), wait again: in `queue`, or each where it failed, at
    /// the end of the line, with all their retries. Answers how many; fewer than `limit` when the group is empty now.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/failure_unfail.lua
    pub fn unfail(&self, queue: Option<&str>, limit: i64) -> Result<u64> {
        let arguments = Arguments::new().with("group", self.group.as_str()).with("limit", limit);
        self.client.ask("failure_unfail", arguments.with_some("queue", queue))?.number()
    }
}
