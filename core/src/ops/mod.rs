//! The operations: one file per noun, each operation a request that encodes itself and decodes its reply.
//!
//! [`OPERATIONS`] is the list of what exists. Hosts reach all of it through one door,
//! [`crate::Client::call`]: hot operations are typed here, the others pass their JSON through.

mod group;
mod items;
pub(crate) mod job;
mod lease;
mod listed;
pub(crate) mod outcome;
mod put;
pub(crate) mod queue;
pub(crate) mod reply;
pub(crate) mod worker;

pub use job::Job;
pub use lease::{Answer, JobComplete, JobFail, JobHeartbeat, JobRelease, JobRetry, JobSnooze, Lease};
pub use outcome::{Again, Completion, Ended, Ending, Failure, Pause};
pub(crate) use put::{MAX_DEPENDENCIES, MAX_NAMED};
pub use put::{Missing, OnConflict, Put};
pub(crate) use queue::MAX_QUEUES;
pub use queue::{Placed, QueuePut, QueueReserve, Reserved, Share};
pub use worker::{Pulsed, Turned, WorkerPulse, WorkerTurn};

use listed::Listed;
use serde_json::Value as Json;

use crate::client::Client;
use crate::error::{Code, Error, Result};
use crate::json::{self, Fields};
use crate::request::{Args, Request, Value};

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
    Typed(fn(&Client, &str) -> Result<Box<dyn Ready>>),
    /// By [`Client::put_now`]: as many typed requests as it takes.
    Put,
    /// Its JSON goes to the engine as it is, and its reply becomes JSON by its shape.
    Through,
    /// The same, but for its member `data`, which the engine takes as a text and never reads.
    Data,
    /// The same as through, as often as it takes to read the page whose items this member of the reply lists.
    Listed(&'static str),
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
    writes queue_put         Door::Put;
    reads  queue_ready       Door::Through;
    writes queue_reserve     Door::Typed(queue_reserve);
    reads  queue_stats       Door::Through;
    writes queue_unpause     Door::Through;
    writes recurring_cancel  Door::Through;
    reads  recurring_get     Door::Through;
    reads  recurring_list    Door::Listed("jobs");
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
    reads  worker_list       Door::Listed("workers");
    writes worker_lost       Door::Through;
    writes worker_order      Door::Through;
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

    /// Whether it is called by [`Client::put_now`], and never [`Operation::ready`].
    pub(crate) fn puts(&self) -> bool {
        matches!(self.door, Door::Put)
    }

    /// Reads JSON arguments. `client` names the worker where they name none.
    pub(crate) fn ready(&self, client: &Client, args: &str) -> Result<Box<dyn Ready>> {
        match self.door {
            Door::Typed(ready) => ready(client, args),
            Door::Put | Door::Through => Passed::ready(args.to_owned()),
            Door::Data => json::data_as_text(args).and_then(Passed::ready),
            Door::Listed(_) => Listed::ready(args),
        }
    }

    /// Performs the operation with JSON arguments.
    pub(crate) fn call(&'static self, client: &Client, args: &str) -> Result<String> {
        let called = || {
            if self.puts() {
                return client.put_now(QueuePut::from_json(args)?).map(|placed| QueuePut::reply_json(&placed));
            }
            let mut next = Some(self.ready(client, args)?);
            let mut answers = Vec::new();
            while let Some(ready) = next {
                let answer = ready.answer(client.transmit(self, |args| ready.encode(args))?)?;
                next = ready.rest(&answer)?;
                answers.push(answer);
            }
            self.joined(answers)
        };
        called().map_err(|error| error.during(self.name))
    }

    /// The answers to the parts of a call as that to the whole.
    pub(crate) fn joined(&self, mut answers: Vec<String>) -> Result<String> {
        match self.door {
            Door::Listed(list) => listed::joined(list, answers),
            _ => Ok(answers.pop().unwrap_or_default()),
        }
    }
}

/// A call by JSON whose arguments were read: it can be sent by any client.
pub(crate) trait Ready: Send + Sync {
    /// Appends the arguments; what is wrong with them is said here at the latest.
    fn encode(&self, args: &mut Args) -> Result<()>;

    /// The engine's answer as JSON.
    fn answer(&self, value: Value) -> Result<String>;

    /// What is to be asked for after this answer.
    fn rest(&self, _answer: &str) -> Result<Option<Box<dyn Ready>>> {
        Ok(None)
    }
}

/// Arguments that go to the engine as they are.
struct Passed(String);

impl Passed {
    fn checked(args: String) -> Result<Passed> {
        Fields::parse(&args, "")?;
        Ok(Passed(args))
    }

    fn ready(args: String) -> Result<Box<dyn Ready>> {
        Ok(Box::new(Passed::checked(args)?))
    }
}

impl Ready for Passed {
    fn encode(&self, args: &mut Args) -> Result<()> {
        args.text(&self.0);
        Ok(())
    }

    fn answer(&self, value: Value) -> Result<String> {
        let mut json = String::new();
        reply::to_json(&value, &mut json)?;
        Ok(json)
    }
}

/// A typed request, and how its reply becomes JSON.
struct Typed<R, J>(R, J);

impl<R: Request + Send + Sync, J: Fn(&R, R::Reply) -> String + Send + Sync> Ready for Typed<R, J> {
    fn encode(&self, args: &mut Args) -> Result<()> {
        self.0.encode(args)
    }

    fn answer(&self, value: Value) -> Result<String> {
        Ok(self.1(&self.0, self.0.decode(value)?))
    }
}

fn typed<R, J>(request: R, json: J) -> Result<Box<dyn Ready>>
where
    R: Request + Send + Sync + 'static,
    J: Fn(&R, R::Reply) -> String + Send + Sync + 'static,
{
    Ok(Box::new(Typed(request, json)))
}

fn queue_reserve(client: &Client, args: &str) -> Result<Box<dyn Ready>> {
    typed(QueueReserve::from_json(args, &client.worker_name())?, |_, reserved| reserved.to_json())
}

/// A door to a request whose items each get the state their job is in now.
macro_rules! outcome_door {
    ($($door:ident: $request:ident;)+) => {$(
        fn $door(_: &Client, args: &str) -> Result<Box<dyn Ready>> {
            typed($request::from_json(args)?, |request, answers| {
                let answers = request.jobs.iter().zip(answers).map(|(job, answer)| {
                    (job.jid.as_str(), answer.accepted(&job.jid).map(Json::from))
                });
                items::to_json($request::OPERATION, "outcome", answers)
            })
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

fn job_heartbeat(_: &Client, args: &str) -> Result<Box<dyn Ready>> {
    typed(JobHeartbeat::from_json(args)?, |request, answers| {
        let answers = request.jobs.iter().zip(answers);
        let answers = answers.map(|(job, answer)| (job.jid.as_str(), answer.map(Json::from)));
        items::to_json(JobHeartbeat::OPERATION, "lease_ms", answers)
    })
}

fn worker_pulse(client: &Client, args: &str) -> Result<Box<dyn Ready>> {
    typed(WorkerPulse::from_json(args, &client.worker_name())?, |pulse, pulsed| pulse.reply_json(&pulsed))
}

fn worker_turn(client: &Client, args: &str) -> Result<Box<dyn Ready>> {
    typed(WorkerTurn::from_json(args, &client.worker_name())?, |turn, turned| turn.reply_json(&turned))
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
