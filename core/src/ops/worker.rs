//! Operations of the worker runtime: the turn and the pulse.

use serde_json::Value as Json;

use super::items;
use super::lease::{Answer, Lease, lost_reason};
use super::outcome::{self, Ended, Ending};
use super::queue::{QueueReserve, Reserved};
use super::reply;
use crate::check;
use crate::error::{Error, Result};
use crate::json::{self, Fields};
use crate::request::{Args, Request, Value};

/// Delivers what was finished and takes what comes next, in one step.
///
/// Source: core/src/engine/ops/worker_turn.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerTurn {
    /// What to take. A limit of 0 takes nothing.
    pub reserve: QueueReserve,
    /// What was finished, at most [`WorkerTurn::MOST_ENDED`], or [`WorkerTurn::ENDED_BESIDE`] with a limit above 0.
    pub ended: Vec<Ended<Ending>>,
}

/// What a turn did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// One answer for each of [`WorkerTurn::ended`], in order.
    pub answers: Vec<Answer>,
    /// What was taken.
    pub reserved: Reserved,
}

impl WorkerTurn {
    /// Most runs that end by one turn.
    pub const MOST_ENDED: usize = 125;
    /// Most where it takes jobs too.
    pub const ENDED_BESIDE: usize = 50;

    pub(super) fn from_json(text: &str, worker: &str) -> Result<WorkerTurn> {
        let mut fields = Fields::parse(text, "")?;
        let reserve = QueueReserve::take(&mut fields, worker)?;
        let ended = items::take(&mut fields, Ended::from_turn_fields)?;
        fields.end()?;
        Ok(WorkerTurn { reserve, ended })
    }

    pub(super) fn reply_json(&self, turned: &Turned) -> String {
        let answers = self.ended.iter().zip(&turned.answers);
        let answers =
            answers.map(|(ended, answer)| (ended.jid.as_str(), answer.clone().accepted(&ended.jid).map(Json::from)));
        let answers = items::to_json(Self::OPERATION, "outcome", answers);
        format!("{{\"jobs\":{answers},\"reserved\":{}}}", turned.reserved.to_json())
    }
}

impl Request for WorkerTurn {
    const OPERATION: &'static str = "worker_turn";
    type Reply = Turned;

    fn encode(&self, args: &mut Args) -> Result<()> {
        self.reserve.encode_head(args)?;
        args.integer(self.reserve.queues.len() as i64);
        for queue in &self.reserve.queues {
            args.text(queue);
        }
        if !self.ended.is_empty() {
            let most = if self.reserve.limit > 0 { WorkerTurn::ENDED_BESIDE } else { WorkerTurn::MOST_ENDED };
            check::count(self.ended.len(), "ended", most)?;
        }
        outcome::encode_turn(&self.ended, args)
    }

    fn decode(&self, value: Value) -> Result<Turned> {
        let [answers, reserved] = reply::parts(value)?;
        Ok(Turned {
            answers: reply::per_item(answers, self.ended.len(), Answer::decode)?,
            reserved: self.reserve.decode_reserved(reserved)?,
        })
    }
}

/// Renews the leases of everything in hand and tells how the worker does; at least once a second.
///
/// Source: core/src/engine/ops/worker_pulse.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerPulse {
    /// The worker's name.
    pub worker: String,
    /// Its status, a JSON object.
    pub status: String,
    /// The leases to renew, at most 250.
    pub leases: Vec<Lease>,
}

/// What a pulse learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulsed {
    /// For each of [`WorkerPulse::leases`], in order: None when renewed, else why it is lost.
    pub lost: Vec<Option<String>>,
    /// What an operator asks of this worker: `quiet`, `pause`, `resume` or `stop`, oldest first; what comes after the one that the
    /// status names as `heard`.
    pub orders: Vec<String>,
    /// Grows whenever the set of queues changes.
    pub queues_version: i64,
    /// The number of the last of the orders; 0 when there is none.
    pub heard: i64,
}

impl WorkerPulse {
    pub(super) fn from_json(text: &str, worker: &str) -> Result<WorkerPulse> {
        let mut fields = Fields::parse(text, "")?;
        let pulse = WorkerPulse {
            worker: fields.text("worker")?.unwrap_or_else(|| worker.to_owned()),
            status: fields.raw("status")?.unwrap_or_else(|| "{}".to_owned()),
            leases: items::take(&mut fields, Lease::from_fields)?,
        };
        fields.end()?;
        Ok(pulse)
    }

    pub(super) fn reply_json(&self, pulsed: &Pulsed) -> String {
        let answers = self.leases.iter().zip(&pulsed.lost).map(|(lease, lost)| {
            let held = lost.as_ref().map_or(Ok(Json::from(true)), |reason| Err(Error::lock_lost(&lease.jid, reason)));
            (lease.jid.as_str(), held)
        });
        let answers = items::to_json(Self::OPERATION, "held", answers);
        let Pulsed { queues_version, heard, .. } = pulsed;
        let orders = Json::from(pulsed.orders.clone());
        format!("{{\"jobs\":{answers},\"orders\":{orders},\"queues_version\":{queues_version},\"heard\":{heard}}}")
    }
}

impl Request for WorkerPulse {
    const OPERATION: &'static str = "worker_pulse";
    type Reply = Pulsed;

    fn encode(&self, args: &mut Args) -> Result<()> {
        check::name(&self.worker, "worker")?;
        json::check(&self.status, "status")?;
        if !self.leases.is_empty() {
            check::count(self.leases.len(), "leases", check::MAX_ITEMS)?;
        }
        args.text(&self.worker).text(&self.status);
        for (index, lease) in self.leases.iter().enumerate() {
            lease.encode(args).map_err(|error| super::in_item(error, index, self.leases.len()))?;
        }
        Ok(())
    }

    fn decode(&self, value: Value) -> Result<Pulsed> {
        let [answers, orders, version, heard] = reply::parts(value)?;
        let lost = |answer| Ok(lost_reason(&reply::text(answer)?));
        Ok(Pulsed {
            lost: reply::per_item(answers, self.leases.len(), lost)?,
            orders: reply::list(orders)?.into_iter().map(reply::text).collect::<Result<_>>()?,
            queues_version: reply::integer(version)?,
            heard: reply::integer(heard)?,
        })
    }
}
