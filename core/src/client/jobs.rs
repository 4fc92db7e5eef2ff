//! Operations on jobs of any queue, by their jids and tags.

use super::ask::{Arguments, Page, Reply, texts};
use super::blocking::Client;
use super::explain::Explanation;
use super::handle::JobHandle;
use super::job::JobView;
use crate::error::Result;

impl Client {
    /// All that is known of a job; None when there is no such job, or it was completed long ago.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a jid that is none; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_get.lua
    pub fn job(&self, jid: &str) -> Result<Option<JobView>> {
        self.ask("job_get", Arguments::new().with("jid", jid))?.read_some(JobView::read)
    }

    /// All that is known of these jobs, at most 250, in their order; None where there is no such job.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_get_many.lua
    pub fn jobs<T: Into<String>>(&self, jids: impl IntoIterator<Item = T>) -> Result<Vec<Option<JobView>>> {
        let (mut jobs, mut jids) = (Vec::new(), texts(jids));
        loop {
            let reply = self.ask("job_get_many", Arguments::new().with("jids", jids))?;
            let rest = views(&reply, &mut jobs)?;
            if rest.is_empty() {
                return Ok(jobs);
            }
            jids = rest;
        }
    }

    /// Operations on one job. Nothing is asked of Redis until one of its methods is called.
    ///
    /// ```no_run
    /// let client = manyhands::Client::open(None, "")?;
    /// let job = client.handle("8f3c");
    /// job.prioritize(100)?;
    /// job.tag(["urgent"])?;
    /// # Ok::<(), manyhands::Error>(())
    /// ```
    pub fn handle(&self, jid: impl Into<String>) -> JobHandle {
        JobHandle::new(self.clone(), jid.into())
    }

    /// Makes these jobs, 1 to 250, disappear, in whatever state they are. Who runs one learns it: its lease is lost as
    /// `cancelled`. Answers the jids of those that were there. Several have at most 500 tags, throttles and dependencies.
    ///
    /// # Errors
    /// `HAS_DEPENDENTS` when a job that is not cancelled with them waits for one of them: then none is; those of
    /// [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_cancel.lua
    pub fn cancel<T: Into<String>>(&self, jids: impl IntoIterator<Item = T>) -> Result<Vec<String>> {
        self.ask("job_cancel", Arguments::new().with("jids", texts(jids)))?.texts()
    }

    /// From now on events tell what happens to these jobs, 1 to 250; see [`Client::events`]. Answers how many were not
    /// tracked before; jids without a job are passed over.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_track.lua
    pub fn track<T: Into<String>>(&self, jids: impl IntoIterator<Item = T>) -> Result<u64> {
        self.ask("job_track", Arguments::new().with("jids", texts(jids)))?.number()
    }

    /// Events no longer tell of these jobs. Answers how many were tracked before.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_untrack.lua
    pub fn untrack<T: Into<String>>(&self, jids: impl IntoIterator<Item = T>) -> Result<u64> {
        self.ask("job_untrack", Arguments::new().with("jids", texts(jids)))?.number()
    }

    /// The jids of the tracked jobs, in the order in which they were put. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_tracked.lua
    pub fn tracked(&self, offset: i64, limit: i64) -> Result<Page<String>> {
        self.ask("job_tracked", Arguments::page(offset, limit))?.jids()
    }

    /// The jids of the completed jobs of all queues, the latest first. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_list.lua
    pub fn completed(&self, offset: i64, limit: i64) -> Result<Page<String>> {
        self.ask("job_list", Arguments::page(offset, limit).with("state", "completed"))?.jids()
    }

    /// Why a job is not running, or what has become of it; None when there is no such job.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/job_explain.lua
    pub fn explain(&self, jid: &str) -> Result<Option<Explanation>> {
        self.ask("job_explain", Arguments::new().with("jid", jid))?.read_some(Explanation::read)
    }

    /// The tags in use, each with how many jobs have it, the most used first. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/tag_list.lua
    pub fn tags(&self, offset: i64, limit: i64) -> Result<Page<(String, u64)>> {
        self.ask("tag_list", Arguments::page(offset, limit))?.counted("tags")
    }

    /// The jids of the jobs with a tag, those put first before others. `limit`: 1 to 250.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/tag_jobs.lua
    pub fn tagged(&self, tag: &str, offset: i64, limit: i64) -> Result<Page<String>> {
        self.ask("tag_jobs", Arguments::page(offset, limit).with("tag", tag))?.jids()
    }
}

/// Appends the jobs of a reply; answers the jids that had no place in it.
pub(super) fn views(reply: &Reply, jobs: &mut Vec<Option<JobView>>) -> Result<Vec<String>> {
    reply.read(|mut fields| {
        for job in fields.required_list("jobs")? {
            jobs.push(JobView::parse(job.get())?);
        }
        Ok(fields.texts("rest")?.unwrap_or_default())
    })
}
