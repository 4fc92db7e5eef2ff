//! Jobs out, outcomes in: what JavaScript calls for every job.
//!
//! Both are functions of their own, and the fields of a job are the arguments of a call: to prove the `this` of a method takes 3,000
//! instructions, to fill a list 10,000 more than such a call, and all else that is done here for a job as many.

use std::cell::Cell;
use std::sync::Arc;

use manyhands::Outcome;
use napi::Env;
use napi::bindgen_prelude::{FnArgs, Function, FunctionCallContext, Unknown};
use napi_derive::napi;

use crate::errors::thrown;
use crate::job::{Job, Said};
use crate::worker::Worker;

/// The fields of a job, in the order of NativeJob. Kind, queue and worker are None when they are those of the job before.
type Fields = FnArgs<(String, Option<String>, Option<String>, String, String, i64, Option<String>, Option<Said>)>;

/// Makes a job of its fields.
type Make = Function<'static, Fields, Unknown<'static>>;

/// The jid of a job, its token, and its outcome.
type Finished = (String, String, Option<String>);

/// What the job before had.
#[derive(Default)]
struct Known {
    kind: String,
    queue: String,
    worker: String,
}

impl Known {
    fn fields_of(&mut self, job: Job) -> Fields {
        let Job { jid, kind, queue, data, token, put_at_ms, worker, said } = job;
        let kind = unless_known(&mut self.kind, kind);
        let queue = unless_known(&mut self.queue, queue);
        let worker = unless_known(&mut self.worker, worker);
        (jid, kind, queue, data, token, put_at_ms, worker, said).into()
    }
}

fn unless_known(known: &mut String, text: String) -> Option<String> {
    if *known == text {
        return None;
    }
    known.clone_from(&text);
    Some(text)
}

#[napi]
impl Worker {
    /// A function that never waits: what the function that it is given makes of a job that is in hand already; null when there is
    /// none. That job is started.
    #[napi(catch_unwind)]
    pub fn taker<'env>(&self, env: &'env Env) -> napi::Result<Function<'env, Make, Option<Unknown<'static>>>> {
        let shared = Arc::clone(&self.shared);
        let before = Cell::new(Known::default());
        env.create_function_from_closure("take", move |context| {
            let make = context.first_arg::<Make>()?;
            let Ok(Some(job)) = shared.core.next_in_hand() else { return Ok(None) };
            let mut known = before.take();
            let made = make.call(known.fields_of(job.into()))?;
            // Only now, as a call that failed has maybe told nobody.
            before.set(known);
            Ok(Some(made))
        })
    }

    /// A function that hands an outcome over, which is sent with the next turn: of a jid, under a token, as JSON; undefined:
    /// completed without a result.
    #[napi(catch_unwind)]
    pub fn finisher<'env>(&self, env: &'env Env) -> napi::Result<Function<'env, FnArgs<Finished>, ()>> {
        let shared = Arc::clone(&self.shared);
        env.create_function_from_closure("finish", move |context: FunctionCallContext| {
            let (jid, token, outcome) = context.args::<Finished>()?;
            let outcome = outcome.map_or(Ok(Outcome::DONE), |json| Outcome::from_json(&json)).map_err(thrown)?;
            shared.core.finish(&jid, &token, outcome).map_err(thrown)
        })
    }
}
