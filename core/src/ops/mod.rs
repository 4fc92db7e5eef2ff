//! The operations: one file per noun, each operation a request that encodes itself and decodes its reply.
//!
//! [`OPERATIONS`] is the list of what exists. Hosts reach all of it through one door,
//! [`crate::Client::call`]: hot operations are typed here, the others pass their JSON through.

pub(crate) mod job;
pub(crate) mod outcome;
mod put;
pub(crate) mod queue;
pub(crate) mod reply;
pub(crate) mod worker;

pub use job::{Answer, Job, JobComplete, JobFail, JobHeartbeat, JobRelease, JobRetry, JobSnooze, Lease};
pub use outcome::{Again, Completion, Ended, Ending, Failure, Pause};
pub(crate) use put::MAX_DEPENDENCIES;
pub use put::{Missing, OnConflict, Put};
pub use queue::{Placed, QueuePut, QueueReserve, Reserved};
pub use worker::{Pulsed, Turned, WorkerPulse, WorkerTurn};

use serde_json::Value as Json;

use crate::client::Client;
use crate::error::{Code, Error, Result};
use crate::json::Fields;
use crate::request::Request;

/// One operation of the engine: the function `mh1_<name>`, from `engine/ops/<name>.lua`.
pub struct Operation {
    /// Its name, noun first.
    pub name: &'static str,
    /// True when it changes anything; it is then sent with a caller and a number, and happens once.
    pub writes: bool,
    /// Its part of the engine.
    pub(crate) lua: &'static str,
    door: Door,
}

/// How an operation is called with JSON.
enum Door {
    /// By a typed request.
    Typed(fn(&Client, &str) -> Result<String>),
    /// Its JSON goes to the engine as it is, and its reply becomes JSON by its shape.
    Through,
    /// The same, but for its member `data`, which the engine takes as a text and never reads.
    Data,
}

/// One row for each operation, in order: whether it reads or writes, its name, its door. The row makes it exist:
/// it is bundled into the engine, and reachable from every host.
macro_rules! operations {
    ($($mode:ident $name:ident $door:expr;)+) => {
        /// Every operation, by name.
        pub static OPERATIONS: &[Operation] = &[$(Operation {
            name: stringify!($name),
            writes: operations!(@writes $mode),
            lua: include_str!(concat!("../engine/ops/", stringify!($name), ".lua")),
            door: $door,
        }),+];
    };
    (@writes reads) => { false };
    (@writes writes) => { true };
}

operations! {
    writes check             Door::Through;
    reads  config_all        Door::Through;
    reads  config_get        Door::Through;
    writes config_set        Door::Through;
    writes config_unset      Door::Through;
    reads  engine_version    Door::Through;
    reads  failure_groups    Door::Through;
    reads  failure_jobs      Door::Through;
    writes failure_unfail    Door::Through;
    writes job_cancel        Door::Through;
    writes job_complete      Door::Typed(job_complete);
    writes job_depend        Door::Through;
    reads  job_explain       Door::Through;
    writes job_fail          Door::Typed(job_fail);
    reads  job_get           Door::Through;
    reads  job_get_many      Door::Through;
    writes job_heartbeat     Door::Typed(job_heartbeat);
    reads  job_list          Door::Through;
    writes job_log           Door::Data;
    writes job_prioritize    Door::Through;
    writes job_progress      Door::Through;
    writes job_release       Door::Typed(job_release);
    writes job_requeue       Door::Data;
    writes job_retry         Door::Typed(job_retry);
    writes job_save          Door::Data;
    writes job_snooze        Door::Typed(job_snooze);
    writes job_tag           Door::Through;
    writes job_timeout       Door::Through;
    writes job_track         Door::Through;
    reads  job_tracked       Door::Through;
    writes job_undepend      Door::Through;
    writes job_untag         Door::Through;
    writes job_untrack       Door::Through;
    reads  pattern_get       Door::Through;
    writes pattern_set       Door::Through;
    reads  queue_counts      Door::Through;
    writes queue_forget      Door::Through;
    reads  queue_length      Door::Through;
    reads  queue_list        Door::Through;
    writes queue_pause       Door::Through;
    reads  queue_peek        Door::Through;
    writes queue_put         Door::Typed(queue_put);
    writes queue_reserve     Door::Typed(queue_reserve);
    reads  queue_stats       Door::Through;
    writes queue_unpause     Door::Through;
    writes recurring_cancel  Door::Through;
    reads  recurring_get     Door::Through;
    reads  recurring_list    Door::Through;
    writes recurring_pause   Door::Through;
    writes recurring_put     Door::Data;
    writes recurring_resume  Door::Through;
    writes recurring_tag     Door::Through;
    writes recurring_untag   Door::Through;
    writes recurring_update  Door::Data;
    writes sweep             Door::Through;
    reads  tag_jobs          Door::Through;
    reads  tag_list          Door::Through;
    writes throttle_delete   Door::Through;
    reads  throttle_get      Door::Through;
    reads  throttle_holders  Door::Through;
    reads  throttle_list     Door::Through;
    reads  throttle_pending  Door::Through;
    writes throttle_release  Door::Through;
    writes throttle_set      Door::Through;
    writes worker_deregister Door::Through;
    reads  worker_jobs       Door::Through;
    reads  worker_list       Door::Through;
    writes worker_lost       Door::Through;
    writes worker_pulse      Door::Typed(worker_pulse);
    writes worker_turn       Door::Typed(worker_turn);
}

impl Operation {
    /// The operation of this name.
    ///
    /// # Errors
    /// [`Code::UnknownOperation`] when there is none.
    pub fn named(name: &str) -> Result<&'static Operation> {
        match OPERATIONS.binary_search_by_key(&name, |operation| operation.name) {
            Ok(index) => Ok(&OPERATIONS[index]),
            Err(_) => Err(Error::new(Code::UnknownOperation, format!("there is no operation {name:?}")).during(name)),
        }
    }

    /// The name of its function in Redis.
    pub(crate) fn function(&self) -> String {
        format!("mh1_{}", self.name)
    }

    /// Performs the operation with JSON arguments.
    pub(crate) fn call(&'static self, client: &Client, args: &str) -> Result<String> {
        let reply = match self.door {
            Door::Typed(call) => call(client, args),
            Door::Through => self.pass(client, args),
            Door::Data => crate::json::data_as_text(args).and_then(|args| self.pass(client, &args)),
        };
        reply.map_err(|error| error.during(self.name))
    }

    fn pass(&'static self, client: &Client, args: &str) -> Result<String> {
        Fields::parse(args, "")?;
        let value = client.transmit(self, |arguments| {
            arguments.text(args);
            Ok(())
        })?;
        let mut json = String::new();
        reply::to_json(&value, &mut json)?;
        Ok(json)
    }
}

fn queue_put(client: &Client, args: &str) -> Result<String> {
    client.send(QueuePut::from_json(args)?).map(QueuePut::reply_json)
}

fn queue_reserve(client: &Client, args: &str) -> Result<String> {
    let request = QueueReserve::from_json(args, &client.worker_name())?;
    Ok(client.send(request)?.to_json())
}

/// A door to a request whose items each get the state their job is in now.
macro_rules! outcome_door {
    ($($door:ident: $request:ident;)+) => {$(
        fn $door(client: &Client, args: &str) -> Result<String> {
            let request = $request::from_json(args)?;
            let answers = client.send_ref(&request)?;
            let answers = request.jobs.iter().zip(answers).map(|(job, answer)| {
                (job.jid.as_str(), answer.accepted(&job.jid).map(Json::from))
            });
            Ok(job::answers_json($request::OPERATION, "outcome", answers))
        }
    )+};
}

outcome_door! {
    job_complete: JobComplete;
    job_fail: JobFail;
    job_release: JobRelease;
    job_retry: JobRetry;
    job_snooze: JobSnooze;
}

fn job_heartbeat(client: &Client, args: &str) -> Result<String> {
    let request = JobHeartbeat::from_json(args)?;
    let answers = client.send_ref(&request)?;
    let answers = request.jobs.iter().zip(answers).map(|(job, answer)| (job.jid.as_str(), answer.map(Json::from)));
    Ok(job::answers_json(JobHeartbeat::OPERATION, "lease_ms", answers))
}

fn worker_pulse(client: &Client, args: &str) -> Result<String> {
    let pulse = WorkerPulse::from_json(args, &client.worker_name())?;
    Ok(pulse.reply_json(&client.send_ref(&pulse)?))
}

fn worker_turn(client: &Client, args: &str) -> Result<String> {
    let turn = WorkerTurn::from_json(args, &client.worker_name())?;
    Ok(turn.reply_json(&client.send_ref(&turn)?))
}

/// Says which item of a call an error is about, when there are several: the name of an argument alone is clear enough for
/// one.
fn in_item(error: Error, index: usize, count: usize) -> Error {
    if count == 1 {
        return error;
    }
    Error { message: format!("jobs[{index}].{}", error.message), ..error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_in_order_and_found_by_name() {
        assert!(OPERATIONS.is_sorted_by_key(|operation| operation.name));
        for operation in OPERATIONS {
            assert_eq!(Operation::named(operation.name).unwrap().name, operation.name);
        }
        assert_eq!(Operation::named("queue_pop").err().unwrap().code, Code::UnknownOperation);
    }
}
