//! `Manyhands::Native::Client`: a handle of the core's client.

use std::thread;

use magnus::{Error, RArray, RClass, RModule, Ruby, function, method, prelude::*};
use manyhands::Code;
use manyhands::ops::{Placed, QueuePut};

use crate::{errors, gvl, job};

/// A connection whose calls look at Ruby's interrupts while Redis is away. Threads share it; forked children get
/// connections of their own (core/src/client/pool.rs).
#[magnus::wrap(class = "Manyhands::Native::Client", free_immediately, size)]
pub struct Client {
    /// Always there until drop.
    core: Option<manyhands::Client>,
}

impl Drop for Client {
    fn drop(&mut self) {
        let core = self.core.take();
        if core.as_ref().is_some_and(waits) {
            aside(core);
        }
    }
}

/// Whether the end of its last user has to be waited for: that of a private server.
pub fn waits(client: &manyhands::Client) -> bool {
    client.url().starts_with("embedded:")
}

/// Drops what waits: the garbage collector has no time. Nothing else is dropped so, because a process that is about to fork
/// should have one thread.
pub fn aside<T: Send + 'static>(what: T) {
    // Where no thread can be had, it is dropped here.
    drop(thread::Builder::new().spawn(move || drop(what)));
}

impl Client {
    fn open(ruby: &Ruby, url: Option<String>, options: String) -> Result<Client, Error> {
        manyhands::Client::open(url.as_deref(), &options)
            .map(|core| Client { core: Some(core.interruptible(gvl::interrupted)) })
            .map_err(|error| errors::exception(ruby, error.renamed(&[("options.", "")])))
    }

    /// The client itself.
    pub fn core(&self, ruby: &Ruby) -> Result<&manyhands::Client, Error> {
        let gone = || manyhands::Error::new(Code::Closed, "the client is being collected");
        self.core.as_ref().ok_or_else(|| errors::exception(ruby, gone()))
    }

    fn call(ruby: &Ruby, this: &Client, operation: String, arguments: String) -> Result<String, Error> {
        let client = this.core(ruby)?.clone();
        gvl::call(ruby, || client.call(&operation, &arguments))
    }

    /// Puts the jobs of a JSON list, into `queue` those that name none. Of each, as a `class`: its jid, the outcome, and the
    /// dependencies that it need not wait for. `one`: there is one, whose refusal is an error.
    fn put(
        ruby: &Ruby,
        this: &Client,
        jobs: String,
        queue: Option<String>,
        one: bool,
        class: RClass,
    ) -> Result<RArray, Error> {
        let client = this.core(ruby)?.clone();
        let placed = gvl::call(ruby, || {
            let placed = client.put_all(QueuePut::from_list(&jobs, queue.as_deref())?)?;
            if one { placed.into_iter().map(Placed::accepted).collect() } else { Ok(placed) }
        })?;
        job::placed(ruby, placed, class)
    }

    /// Takes up to `limit` jobs of one queue; `worker` nil: in the client's own name.
    fn reserve(ruby: &Ruby, this: &Client, queue: String, limit: i64, worker: Option<String>) -> Result<RArray, Error> {
        let client = this.core(ruby)?.clone();
        let queue = client.queue(queue);
        let reserved = gvl::call(ruby, || queue.reserve_as(worker.as_deref(), limit))?;
        let jobs = ruby.ary_new_capa(reserved.jobs.len());
        let mut repeated = job::Repeated::default();
        for job in reserved.jobs {
            jobs.push(job::fields(ruby, job, &mut repeated)?)?;
        }
        Ok(jobs)
    }

    fn close(ruby: &Ruby, this: &Client) -> Result<(), Error> {
        let client = this.core(ruby)?.clone();
        gvl::call(ruby, || {
            client.close();
            Ok(())
        })
    }

    fn url(ruby: &Ruby, this: &Client) -> Result<String, Error> {
        Ok(this.core(ruby)?.url().to_owned())
    }

    fn namespace(ruby: &Ruby, this: &Client) -> Result<String, Error> {
        Ok(this.core(ruby)?.namespace().to_owned())
    }
}

/// Defines the class in `native`.
pub fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Client", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_singleton_method("open", function!(Client::open, 2))?;
    class.define_method("call", method!(Client::call, 2))?;
    class.define_method("put", method!(Client::put, 4))?;
    class.define_method("reserve", method!(Client::reserve, 3))?;
    class.define_method("close", method!(Client::close, 0))?;
    class.define_method("url", method!(Client::url, 0))?;
    class.define_method("namespace", method!(Client::namespace, 0))?;
    crate::resolve::<Client>(ruby);
    Ok(())
}
