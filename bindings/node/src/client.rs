//! The client: text in, promises of text out.

use std::sync::Arc;

use manyhands::ops::QueuePut;
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::errors::thrown;
use crate::events::Events;
use crate::job::{Batch, Job, View, Views};
use crate::pool::{self, Apart, Line};

/// A connection to one namespace.
#[napi]
pub struct Client {
    pub(crate) core: Apart<manyhands::Client>,
    /// Its calls.
    pub(crate) line: Arc<Line>,
}

#[napi]
impl Client {
    /// Checks the arguments; connects to nothing yet.
    #[napi(constructor, catch_unwind)]
    pub fn open(env: &Env, url: Option<String>, options: String) -> napi::Result<Client> {
        let core = manyhands::Client::open(url.as_deref(), &options).map_err(thrown)?;
        pool::hosts(env)?;
        Ok(Client { core: Apart::new(core), line: Arc::default() })
    }

    /// Where it connects to.
    #[napi(getter, catch_unwind)]
    pub fn url(&self) -> String {
        self.core.url().to_owned()
    }

    /// The namespace, without braces.
    #[napi(getter, catch_unwind)]
    pub fn namespace(&self) -> String {
        self.core.namespace().to_owned()
    }

    /// Any operation by its name; arguments and reply are JSON.
    #[napi(catch_unwind)]
    pub fn call<'env>(
        &self,
        env: &'env Env,
        operation: String,
        args: String,
    ) -> napi::Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        pool::call(env, &self.line, move || core.call(&operation, &args))
    }

    /// Puts the jobs of a JSON list; what became of them is JSON.
    #[napi(catch_unwind)]
    pub fn put<'env>(&self, env: &'env Env, jobs: String) -> napi::Result<PromiseRaw<'env, String>> {
        let core = self.core.clone();
        pool::call(env, &self.line, move || {
            let placed = core.put_all(QueuePut::from_list(&jobs, None)?)?;
            Ok(QueuePut::reply_json(&placed))
        })
    }

    /// Takes up to `limit` jobs; without a `worker` under the client's own name.
    #[napi(catch_unwind)]
    pub fn reserve<'env>(
        &self,
        env: &'env Env,
        queue: String,
        limit: i64,
        worker: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, Batch>> {
        let core = self.core.clone();
        pool::call(env, &self.line, move || {
            let reserved = core.queue(queue).reserve_as(worker.as_deref(), limit)?;
            Ok(Batch(reserved.jobs.into_iter().map(Job::from).collect()))
        })
    }

    /// An operation that answers one job, its data as the text it is.
    #[napi(catch_unwind)]
    pub fn view<'env>(
        &self,
        env: &'env Env,
        operation: String,
        args: String,
    ) -> napi::Result<PromiseRaw<'env, Option<View>>> {
        let core = self.core.clone();
        pool::call(env, &self.line, move || View::read(&core.call(&operation, &args)?))
    }

    /// An operation that answers several.
    #[napi(catch_unwind)]
    pub fn views<'env>(
        &self,
        env: &'env Env,
        operation: String,
        args: String,
    ) -> napi::Result<PromiseRaw<'env, Views>> {
        let core = self.core.clone();
        pool::call(env, &self.line, move || Views::read(&core.call(&operation, &args)?))
    }

    /// Begins to listen to events.
    #[napi(catch_unwind)]
    pub fn events(&self, options: String) -> napi::Result<Events> {
        Events::open(self, &options).map_err(thrown)
    }

    /// Closes the connections, which also ends what waits in the line.
    #[napi(catch_unwind)]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, ()>> {
        let core = self.core.clone();
        pool::call_apart(env, "manyhands-close", move || {
            core.close();
            Ok(())
        })
    }
}
