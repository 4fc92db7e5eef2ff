//! `Manyhands::Native::Worker`: a handle of the core's worker runtime.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use magnus::{DataTypeFunctions, Error, RArray, RModule, Ruby, TypedData, Value, function, gc, method, prelude::*};
use manyhands::{Code, Next, Outcome};

use crate::client::{self, Client};
use crate::{errors, gvl, job};

/// A worker of this process. Its native threads run Rust code only.
#[derive(TypedData)]
#[magnus(class = "Manyhands::Native::Worker", free_immediately, mark, size)]
struct Worker {
    /// Always there until drop.
    core: Option<manyhands::Worker>,
    /// Its end may have to be waited for: it has threads, or a private server.
    waits: AtomicBool,
    /// Taken out while a job is made: the collector may run then, and finds it on the stack.
    repeated: RefCell<job::Repeated>,
}

impl DataTypeFunctions for Worker {
    fn mark(&self, marker: &gc::Marker) {
        self.repeated.borrow().mark(marker);
    }
}

impl Drop for Worker {
    /// The last handle of a worker that nobody closed waits for its threads.
    fn drop(&mut self) {
        let core = self.core.take();
        if *self.waits.get_mut() {
            client::aside(core);
        }
    }
}

impl Worker {
    fn open(ruby: &Ruby, client: &Client, options: String) -> Result<Worker, Error> {
        let client = client.core(ruby)?;
        let core = manyhands::Worker::open(client, &options)
            .map_err(|error| errors::exception(ruby, error.renamed(&[("options.kinds[", "kind"), ("options.", "")])))?;
        Ok(Worker { core: Some(core), waits: client::waits(client).into(), repeated: RefCell::default() })
    }

    fn core(&self, ruby: &Ruby) -> Result<&manyhands::Worker, Error> {
        let gone = || manyhands::Error::new(Code::Closed, "the worker is being collected");
        self.core.as_ref().ok_or_else(|| errors::exception(ruby, gone()))
    }

    /// Waits for a job: its fields, nil when none came in time, false when the worker is stopped. `timeout_ms` nil: without
    /// end.
    ///
    /// A job that arrived is given out before any interrupt is looked at, so none is lost in here.
    fn next(ruby: &Ruby, this: &Worker, timeout_ms: Option<u64>) -> Result<Value, Error> {
        let worker = this.core(ruby)?;
        this.waits.store(true, Ordering::Relaxed);
        let deadline = timeout_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        loop {
            match wait(worker, deadline).transpose().map_err(|error| errors::exception(ruby, error))? {
                Some(Next::Job(job)) => {
                    let mut repeated = this.repeated.take();
                    let fields = job::fields(ruby, job, &mut repeated);
                    this.repeated.replace(repeated);
                    return fields.map(RArray::as_value);
                }
                Some(Next::Stopped) => return Ok(ruby.qfalse().as_value()),
                Some(Next::Empty) | None => ruby.thread_check_ints()?,
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(ruby.qnil().as_value());
            }
        }
    }

    /// Hands over that a job is done, as most are; returns at once. nil: without a result.
    fn complete(ruby: &Ruby, this: &Worker, jid: String, token: String, result: Option<String>) -> Result<(), Error> {
        this.core(ruby)?.finish(&jid, &token, Outcome::done(result)).map_err(|error| errors::exception(ruby, error))
    }

    /// Hands any outcome over; returns at once.
    fn finish(ruby: &Ruby, this: &Worker, jid: String, token: String, outcome: String) -> Result<(), Error> {
        let worker = this.core(ruby)?;
        Outcome::from_json(&outcome)
            .and_then(|outcome| worker.finish(&jid, &token, outcome))
            .map_err(|error| errors::exception(ruby, error))
    }

    /// Hands an outcome over and waits for the job's new state. After an interrupt nobody waits; the outcome stays handed over.
    fn finish_wait(ruby: &Ruby, this: &Worker, jid: String, token: String, outcome: String) -> Result<String, Error> {
        let worker = this.core(ruby)?;
        let awaited = Outcome::from_json(&outcome)
            .and_then(|outcome| worker.finish_awaited(&jid, &token, outcome))
            .map_err(|error| errors::exception(ruby, error))?;
        loop {
            match gvl::release(|| awaited.within(gvl::SLICE)).flatten() {
                Some(answer) => return answer.map_err(|error| errors::exception(ruby, error)),
                None => ruby.thread_check_ints()?,
            }
        }
    }

    fn heartbeat(ruby: &Ruby, this: &Worker, jid: String, token: String) -> Result<u64, Error> {
        let worker = this.core(ruby)?;
        gvl::call(ruby, || worker.heartbeat(&jid, &token))
    }

    fn lost(ruby: &Ruby, this: &Worker, jid: String, token: String) -> Result<Option<String>, Error> {
        Ok(this.core(ruby)?.lost(&jid, &token))
    }

    /// The outcomes refused since the last call: jid, token, operation and reason of each.
    fn take_refused(ruby: &Ruby, this: &Worker) -> Result<RArray, Error> {
        let refused = ruby.ary_new();
        for one in this.core(ruby)?.take_refused() {
            refused.push((one.jid, one.token, one.operation, one.reason))?;
        }
        Ok(refused)
    }

    /// What running handlers must be told since the last call: jid, token and reason of each.
    fn take_interrupts(ruby: &Ruby, this: &Worker) -> Result<RArray, Error> {
        let interrupts = ruby.ary_new();
        for one in this.core(ruby)?.take_interrupts() {
            interrupts.push((one.jid, one.token, one.reason))?;
        }
        Ok(interrupts)
    }

    /// Every running handler is to be told `killed`.
    fn kill_running(ruby: &Ruby, this: &Worker) -> Result<(), Error> {
        this.core(ruby)?.kill_running();
        Ok(())
    }

    fn pause(ruby: &Ruby, this: &Worker) -> Result<(), Error> {
        this.core(ruby)?.pause();
        Ok(())
    }

    fn resume(ruby: &Ruby, this: &Worker) -> Result<(), Error> {
        this.core(ruby)?.resume();
        Ok(())
    }

    fn is_paused(ruby: &Ruby, this: &Worker) -> Result<bool, Error> {
        Ok(this.core(ruby)?.is_paused())
    }

    /// What an operator asked last: quiet, pause, resume or stop.
    fn ordered(ruby: &Ruby, this: &Worker) -> Result<Option<&'static str>, Error> {
        Ok(this.core(ruby)?.ordered().map(manyhands::Order::name))
    }

    /// The queues it serves now, in its order.
    fn serving(ruby: &Ruby, this: &Worker) -> Result<Vec<String>, Error> {
        Ok(this.core(ruby)?.serving())
    }

    /// The same, looked up now: also before a job is wanted.
    fn look_up(ruby: &Ruby, this: &Worker) -> Result<Vec<String>, Error> {
        let worker = this.core(ruby)?;
        gvl::call(ruby, || worker.look_up())
    }

    /// Which of them it asks from now on, in this order.
    fn set_order(ruby: &Ruby, this: &Worker, queues: Vec<String>) -> Result<(), Error> {
        this.core(ruby)?.set_order(queues).map_err(|error| errors::exception(ruby, error))
    }

    /// Whether a handler did not end after its time-out.
    fn is_stuck(ruby: &Ruby, this: &Worker) -> Result<bool, Error> {
        Ok(this.core(ruby)?.is_stuck())
    }

    /// Until `unwatch_host` the process ends also while a handler holds the GVL for ever.
    fn watch_host(ruby: &Ruby, this: &Worker) -> Result<(), Error> {
        this.core(ruby)?.watch_host(true).map_err(|error| errors::exception(ruby, error))
    }

    /// It ends by itself from now on.
    fn unwatch_host(ruby: &Ruby, this: &Worker) -> Result<(), Error> {
        this.core(ruby)?.unwatch_host();
        Ok(())
    }

    /// The oldest signal of the master that nobody took: QUIT, TERM or TTIN.
    fn take_signal(ruby: &Ruby, this: &Worker) -> Result<Option<&'static str>, Error> {
        Ok(this.core(ruby)?.take_signal().map(manyhands::Signal::name))
    }

    /// How many handlers run.
    fn running(ruby: &Ruby, this: &Worker) -> Result<usize, Error> {
        Ok(this.core(ruby)?.running())
    }

    /// How many of the last outcomes the engine has not answered.
    fn unanswered(ruby: &Ruby, this: &Worker) -> Result<usize, Error> {
        Ok(this.core(ruby)?.unanswered())
    }

    fn quiet(ruby: &Ruby, this: &Worker) -> Result<(), Error> {
        this.core(ruby)?.quiet();
        Ok(())
    }

    fn stop(ruby: &Ruby, this: &Worker, timeout_ms: u64) -> Result<(), Error> {
        let worker = this.core(ruby)?.clone();
        gvl::aside(ruby, move || worker.stop(Duration::from_millis(timeout_ms)))
    }

    /// Milliseconds that a stop leaves to started jobs.
    fn shutdown_timeout(ruby: &Ruby, this: &Worker) -> Result<u64, Error> {
        Ok(this.core(ruby)?.shutdown_timeout().as_millis() as u64)
    }

    fn name(ruby: &Ruby, this: &Worker) -> Result<String, Error> {
        Ok(this.core(ruby)?.name().to_owned())
    }
}

/// Waits until an interrupt comes, on the main thread for a slice; None when one was pending already.
fn wait(worker: &manyhands::Worker, deadline: Option<Instant>) -> Option<manyhands::Result<Next>> {
    let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
    if gvl::is_main_thread() {
        return gvl::release(|| worker.next(left.min(gvl::SLICE)));
    }
    let interrupted = AtomicBool::new(false);
    let unblock = || {
        interrupted.store(true, Ordering::Relaxed);
        worker.wake_hosts();
    };
    gvl::release_until(|| worker.next_unless(left, &interrupted), &unblock)
}

/// Ends the process now, with this status; what its handlers have begun is given back before, when all threads can be held.
fn end_process(status: i32) {
    manyhands::Worker::end_process(manyhands::End::Status(status));
}

/// Defines the class in `native`.
pub fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    native.define_singleton_method("end_process", function!(end_process, 1))?;
    let class = native.define_class("Worker", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_singleton_method("open", function!(Worker::open, 2))?;
    class.define_method("next", method!(Worker::next, 1))?;
    class.define_method("complete", method!(Worker::complete, 3))?;
    class.define_method("finish", method!(Worker::finish, 3))?;
    class.define_method("finish_wait", method!(Worker::finish_wait, 3))?;
    class.define_method("heartbeat", method!(Worker::heartbeat, 2))?;
    class.define_method("lost", method!(Worker::lost, 2))?;
    class.define_method("take_refused", method!(Worker::take_refused, 0))?;
    class.define_method("take_interrupts", method!(Worker::take_interrupts, 0))?;
    class.define_method("kill_running", method!(Worker::kill_running, 0))?;
    class.define_method("pause", method!(Worker::pause, 0))?;
    class.define_method("resume", method!(Worker::resume, 0))?;
    class.define_method("paused?", method!(Worker::is_paused, 0))?;
    class.define_method("ordered", method!(Worker::ordered, 0))?;
    class.define_method("serving", method!(Worker::serving, 0))?;
    class.define_method("look_up", method!(Worker::look_up, 0))?;
    class.define_method("set_order", method!(Worker::set_order, 1))?;
    class.define_method("stuck?", method!(Worker::is_stuck, 0))?;
    class.define_method("watch_host", method!(Worker::watch_host, 0))?;
    class.define_method("unwatch_host", method!(Worker::unwatch_host, 0))?;
    class.define_method("take_signal", method!(Worker::take_signal, 0))?;
    class.define_method("running", method!(Worker::running, 0))?;
    class.define_method("unanswered", method!(Worker::unanswered, 0))?;
    class.define_method("quiet", method!(Worker::quiet, 0))?;
    class.define_method("stop", method!(Worker::stop, 1))?;
    class.define_method("shutdown_timeout", method!(Worker::shutdown_timeout, 0))?;
    class.define_method("name", method!(Worker::name, 0))?;
    crate::resolve::<Worker>(ruby);
    Ok(())
}
