//! Why a job is not running.

use super::ask::{natural, natural_or_none, number};
use crate::error::Result;
use crate::json::Fields;

/// Why a job is not running, or what has become of it. See [`crate::Client::explain`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The job.
    pub jid: String,
    /// The state it is in.
    pub state: String,
    /// The queue it is in.
    pub queue: String,
    /// Everything that keeps it from running. Empty: it waits for its turn.
    pub reasons: Vec<Reason>,
    /// How many of its queue come before it, while it waits.
    pub position: Option<u64>,
    /// Milliseconds until it may begin, guessed from today's run times; None without figures.
    pub estimated_wait_ms: Option<u64>,
}

/// One thing that keeps a job from running, or what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its queue is paused.
    Paused,
    /// A throttle is full.
    Throttled {
        /// The throttle's id, or `queue:<name>`.
        throttle: String,
        /// How many may hold it.
        limit: u64,
        /// How many do.
        held: u64,
        /// The first 10 of them.
        holders: Vec<String>,
    },
    /// It waits for other jobs.
    Dependencies {
        /// How many.
        count: u64,
        /// The first 10 of them.
        jids: Vec<String>,
        /// Those of the 10 that are failed.
        failed: Vec<String>,
    },
    /// It waits for its time.
    Scheduled {
        /// Milliseconds until then.
        due_in_ms: i64,
    },
    /// It is running.
    Running {
        /// In whose hands.
        worker: String,
        /// Milliseconds until the lease ends; below 0: it is stalled.
        lease_left_ms: i64,
    },
    /// It failed.
    Failed {
        /// Its failure group.
        group: String,
        /// What went wrong; empty when that is lost.
        message: String,
    },
    /// It is completed.
    Completed {
        /// Milliseconds since.
        ago_ms: i64,
    },
    /// No live worker serves its queue. Not said while more than 500 live, or with more than 128 KiB of statuses.
    NoWorker,
    /// Workers serve its queue, but none of them knows its kind. Not said where [`Reason::NoWorker`] is not.
    UnknownKind {
        /// Its kind.
        kind: String,
    },
    /// Something that this version has no word for.
    Other(String),
}

impl Explanation {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Explanation> {
        Ok(Explanation {
            jid: fields.required_text("jid")?,
            state: fields.required_text("state")?,
            queue: fields.required_text("queue")?,
            reasons: fields
                .required_list("reasons")?
                .into_iter()
                .map(|reason| Reason::read(Fields::parse(reason.get(), "reasons")?))
                .collect::<Result<_>>()?,
            position: natural_or_none(&mut fields, "position")?,
            estimated_wait_ms: natural_or_none(&mut fields, "estimated_wait_ms")?,
        })
    }
}

impl Reason {
    fn read(mut fields: Fields<'_>) -> Result<Reason> {
        let texts = |fields: &mut Fields<'_>, name| Ok(fields.texts(name)?.unwrap_or_default());
        Ok(match fields.required_text("why")?.as_str() {
            "paused" => Reason::Paused,
            "throttled" => Reason::Throttled {
                throttle: fields.required_text("throttle")?,
                limit: natural(&mut fields, "limit")?,
                held: natural(&mut fields, "held")?,
                holders: texts(&mut fields, "holders")?,
            },
            "dependencies" => Reason::Dependencies {
                count: natural(&mut fields, "count")?,
                jids: texts(&mut fields, "jids")?,
                failed: texts(&mut fields, "failed")?,
            },
            "scheduled" => Reason::Scheduled { due_in_ms: number(&mut fields, "due_in_ms")? },
            "running" => Reason::Running {
                worker: fields.required_text("worker")?,
                lease_left_ms: number(&mut fields, "lease_left_ms")?,
            },
            "failed" => Reason::Failed {
                group: fields.required_text("group")?,
                message: fields.text("message")?.unwrap_or_default(),
            },
            "completed" => Reason::Completed { ago_ms: number(&mut fields, "ago_ms")? },
            "no-worker" => Reason::NoWorker,
            "unknown-kind" => Reason::UnknownKind { kind: fields.required_text("kind")? },
            other => Reason::Other(other.to_owned()),
        })
    }
}
