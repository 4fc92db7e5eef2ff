//! Drain: what may run now is performed on the caller's thread, for tests of programs that have workers.

use std::time::Instant;

use super::finish::ANSWER;
use super::shared::Shared;
use super::{Outcome, Worker};
use crate::error::{Code, Error, Result};
use crate::middleware::{Around, Locals};
use crate::ops::{Job, MAX_QUEUES, QueueReserve, Share};

impl Worker {
    /// Performs the jobs that may run now, and those that they put, on this thread until there are none; for tests. Answers how
    /// many it has performed.
    ///
    /// Queues are asked in the order of [`Worker::look_up`]: one after another, patterns too. Middleware, hooks, kinds and outcomes
    /// are as in [`Worker::run`]: an error is its job's affair, see [`JobView::failure`](crate::JobView::failure). Jobs that are not
    /// due, throttled or in a paused queue stay where they are. The worker takes no jobs by itself from then on, as after
    /// [`Worker::pause`].
    ///
    /// ```no_run
    /// # fn main() -> manyhands::Result<()> {
    /// use manyhands::{Client, Outcome, Put, Worker};
    ///
    /// let client = Client::open(Some("embedded:.manyhands"), "")?;
    /// let worker = Worker::open(&client, r#"{"queues":["mail"]}"#)?;
    /// client.queue("mail").put(Put::new("welcome"))?;
    /// assert_eq!(worker.drain(|_job| Outcome::DONE)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `CLOSED` after a stop or in a forked child; `OUTCOME_UNKNOWN` when the engine did not answer for 60 s; those of
    /// [`Client::send`](crate::Client::send).
    pub fn drain(&self, handler: impl Fn(&Job) -> Outcome) -> Result<usize> {
        let chain = self.chain("worker_drain")?;
        self.drain_jobs(|job| self.run_one(&job, &chain, &|job, _| handler(job)))
    }

    /// [`Worker::drain`] with the handlers of [`Worker::perform`], as [`Worker::serve`] has them.
    ///
    /// # Errors
    /// Those of [`Worker::drain`]; `WRONG_STATE` of a worker with handlers that are futures.
    pub fn drain_served(&self) -> Result<usize> {
        let handlers = self.handlers("worker_drain")?;
        self.drain(|job| handlers.get(&job.kind).map_or(Outcome::UnknownKind, |handler| handler(job)))
    }

    /// [`Worker::drain`] for who ends each run by [`Worker::finish`], as with [`Worker::next`].
    ///
    /// # Errors
    /// Those of [`Worker::drain`], and of `perform`: the rest is left then.
    pub fn drain_jobs(&self, mut perform: impl FnMut(Job) -> Result<()>) -> Result<usize> {
        let shared = &self.inner("worker_drain")?.shared;
        let mut performed = 0;
        while let Some(job) = self.start_due()? {
            performed += 1;
            perform(job)?;
            settle(shared).map_err(|error| error.during("worker_drain"))?;
        }
        Ok(performed)
    }

    /// Runs a built job through the middleware of [`Worker::with`] and a handler; no server hears of it.
    pub(crate) fn try_out(&self, job: &Job, handler: impl Fn(&Job) -> Outcome) -> Result<Outcome> {
        let chain = self.chain("worker_perform")?;
        Ok(Around::new(self, job, &Locals::default(), &chain, &|job, _| handler(job)).call())
    }

    /// Takes a job past the runner, which fetches nothing meanwhile, but renews its lease and delivers its outcome.
    fn start_due(&self) -> Result<Option<Job>> {
        let inner = self.inner("worker_drain")?;
        let shared = &inner.shared;
        if shared.shift().is_quiet() {
            return Err(Error::new(Code::Closed, "the worker has stopped").during("worker_drain"));
        }
        self.pause();
        inner.threads.start(shared)?;
        for queues in self.look_up()?.chunks(MAX_QUEUES) {
            let (worker, queues) = (shared.name.clone(), queues.to_vec());
            let reserved = shared.client.send(QueueReserve { worker, queues, limit: 1, share: Share::InOrder })?;
            if let Some(job) = shared.shift().start_reserved(reserved, Instant::now()) {
                shared.hooks.before_perform(&shared.name, &job);
                return Ok(Some(job));
            }
        }
        Ok(None)
    }
}

/// Waits until the engine has answered all outcomes.
fn settle(shared: &Shared) -> Result<()> {
    let until = Instant::now().checked_add(ANSWER);
    shared.wait_for_end(until, |shift| shift.outcomes.unanswered() == 0 || shift.is_over() || shift.fault().is_some());
    let shift = shared.shift();
    match shift.fault() {
        _ if shift.outcomes.unanswered() == 0 => Ok(()),
        Some(fault) => Err(fault.clone()),
        None => Err(Error::new(Code::OutcomeUnknown, "the engine has not answered for the last outcome")),
    }
}
