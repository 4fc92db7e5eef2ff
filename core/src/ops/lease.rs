//! Leases, and the operations that end the run of a job or keep its lease.

use std::hash::{Hash, Hasher};

use super::outcome::{self, Again, Completion, Ended, Failure, Pause};
use super::{items, reply};
use crate::check;
use crate::error::{Code, Error, Result};
use crate::json::Fields;
use crate::request::{Args, Request, Value};

/// The engine's answer about one job whose run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The state it is in now: `completed`, `waiting`, `scheduled`, `blocked` or `failed`.
    State(String),
    /// The token no longer holds: `expired`, `cancelled`, `replaced`, `finished` or `unknown`. Nothing was changed.
    LockLost(String),
    /// The engine cannot take this outcome (`CYCLE`, `TOO_DEEP`). Nothing was changed: the job still runs under its token.
    Refused(Error),
}

impl Answer {
    pub(super) fn decode(value: Value) -> Result<Answer> {
        let text = reply::text(value)?;
        if let Some(reason) = lost_reason(&text) {
            return Ok(Answer::LockLost(reason));
        }
        let refused =
            text.split_once(' ').and_then(|(name, message)| Some(Error::new(Code::from_name(name)?, message)));
        Ok(refused.map_or(Answer::State(text), Answer::Refused))
    }

    /// The state, or the error of a lost lease or a refused outcome.
    ///
    /// # Errors
    /// [`Code::LockLost`], or that of [`Answer::Refused`], about `jid`.
    pub fn accepted(self, jid: &str) -> Result<String> {
        match self {
            Answer::State(state) => Ok(state),
            Answer::LockLost(reason) => Err(Error::lock_lost(jid, &reason)),
            Answer::Refused(error) => Err(error.about(jid)),
        }
    }
}

/// The reason in `LOCK_LOST <reason>`.
pub(super) fn lost_reason(text: &str) -> Option<String> {
    text.strip_prefix("LOCK_LOST").map(|reason| reason.trim().to_owned())
}

/// A job and the token that proves its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub jid: String,
    /// The token its reserve gave.
    pub token: String,
}

/// Of the jid alone: of two leases of one job that are in hand at once one is lost already.
impl Hash for Lease {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.jid.hash(state);
    }
}

impl Lease {
    pub(super) fn encode(&self, args: &mut Args) -> Result<()> {
        check::name(&self.jid, "jid")?;
        check::token(&self.token)?;
        args.text(&self.jid).text(&self.token);
        Ok(())
    }

    pub(super) fn from_fields(mut fields: Fields) -> Result<Lease> {
        let lease = Lease::take(&mut fields)?;
        fields.end()?;
        Ok(lease)
    }

    pub(super) fn take(fields: &mut Fields) -> Result<Lease> {
        Ok(Lease { jid: fields.required_text("jid")?, token: fields.required_text("token")? })
    }
}

/// Defines a request that ends the runs of 1 to 125 jobs, each with its own answer.
macro_rules! outcome_request {
    ($(#[$doc:meta])+ $name:ident, $how:ty, $operation:literal, $encode:path) => {
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The jobs, 1 to 125.
            pub jobs: Vec<Ended<$how>>,
        }

        impl $name {
            pub(super) fn from_json(text: &str) -> Result<$name> {
                Ok($name { jobs: items::of_call(text, outcome::from_fields)? })
            }
        }

        impl Request for $name {
            const OPERATION: &'static str = $operation;
            type Reply = Vec<Answer>;

            fn encode(&self, args: &mut Args) -> Result<()> {
                check::count(self.jobs.len(), "jobs", check::MAX_OUTCOMES)?;
                $encode(&self.jobs, args)
            }

            fn decode(&self, value: Value) -> Result<Vec<Answer>> {
                reply::per_item(value, self.jobs.len(), Answer::decode)
            }
        }
    };
}

outcome_request! {
    /// The runs succeeded: the jobs are completed, or go on to the next queue of their route.
    ///
    /// Source: core/src/engine/ops/job_complete.lua
    JobComplete, Completion, "job_complete", outcome::encode_completions
}
outcome_request! {
    /// The workers give the jobs up, whatever retries are left.
    ///
    /// Source: core/src/engine/ops/job_fail.lua
    JobFail, Failure, "job_fail", outcome::encode
}
outcome_request! {
    /// The jobs run again later; each spends a retry, or fails when none is left.
    ///
    /// Source: core/src/engine/ops/job_retry.lua
    JobRetry, Again, "job_retry", outcome::encode
}
outcome_request! {
    /// The jobs run again later and spend no retry.
    ///
    /// Source: core/src/engine/ops/job_snooze.lua
    JobSnooze, Pause, "job_snooze", outcome::encode
}

/// Gives jobs back unstarted, at their old places, spending nothing.
///
/// Source: core/src/engine/ops/job_release.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobRelease {
    /// The jobs, 1 to 125.
    pub jobs: Vec<Lease>,
}

/// Renews leases.
///
/// Source: core/src/engine/ops/job_heartbeat.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobHeartbeat {
    /// The jobs, 1 to 250.
    pub jobs: Vec<Lease>,
}

fn encode_leases(jobs: &[Lease], most: usize, args: &mut Args) -> Result<()> {
    check::count(jobs.len(), "jobs", most)?;
    for (index, lease) in jobs.iter().enumerate() {
        lease.encode(args).map_err(|error| super::in_item(error, index, jobs.len()))?;
    }
    Ok(())
}

impl JobRelease {
    pub(super) fn from_json(text: &str) -> Result<JobRelease> {
        Ok(JobRelease { jobs: items::of_call(text, Lease::from_fields)? })
    }
}

impl Request for JobRelease {
    const OPERATION: &'static str = "job_release";
    type Reply = Vec<Answer>;

    fn encode(&self, args: &mut Args) -> Result<()> {
        encode_leases(&self.jobs, check::MAX_OUTCOMES, args)
    }

    fn decode(&self, value: Value) -> Result<Vec<Answer>> {
        reply::per_item(value, self.jobs.len(), Answer::decode)
    }
}

impl JobHeartbeat {
    pub(super) fn from_json(text: &str) -> Result<JobHeartbeat> {
        Ok(JobHeartbeat { jobs: items::of_call(text, Lease::from_fields)? })
    }
}

impl Request for JobHeartbeat {
    const OPERATION: &'static str = "job_heartbeat";
    /// Per job the milliseconds its lease now lasts, or the error `LOCK_LOST`.
    type Reply = Vec<Result<u64>>;

    fn encode(&self, args: &mut Args) -> Result<()> {
        encode_leases(&self.jobs, check::MAX_ITEMS, args)
    }

    fn decode(&self, value: Value) -> Result<Vec<Result<u64>>> {
        let answers = reply::per_item(value, self.jobs.len(), Ok)?;
        self.jobs.iter().zip(answers).map(|(lease, answer)| heartbeat_answer(lease, answer)).collect()
    }
}

fn heartbeat_answer(lease: &Lease, answer: Value) -> Result<Result<u64>> {
    if let Value::Int(_) = answer {
        return reply::natural(answer).map(Ok);
    }
    let text = reply::text(answer)?;
    match lost_reason(&text) {
        Some(reason) => Ok(Err(Error::lock_lost(&lease.jid, &reason).during(JobHeartbeat::OPERATION))),
        None => reply::natural(Value::BulkString(text.into_bytes())).map(Ok),
    }
}
