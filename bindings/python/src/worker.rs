//! The worker runtime: Python threads pull jobs from it and give outcomes back.

use std::sync::Mutex;
use std::time::Duration;

use manyhands::{Next, Outcome};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::bell::Bell;
use crate::client::Client;
use crate::errors::exception;
use crate::job::Repeated;
use crate::wait::EndsAside;
use crate::{job, wait};

/// What all worker threads of this process share.
#[pyclass(frozen, module = "manyhands._native")]
pub struct Worker {
    core: EndsAside<manyhands::Worker>,
    repeated: Mutex<Repeated>,
}

#[pymethods]
impl Worker {
    #[new]
    fn open(py: Python<'_>, client: &Client, options: &str) -> PyResult<Worker> {
        let core = manyhands::Worker::open(&client.core, options)
            .map_err(|error| exception(py, error.renamed(&[("options.kinds[", "kind"), ("options.", "")])))?;
        Ok(Worker { core: EndsAside::new(core), repeated: Mutex::default() })
    }

    #[getter]
    fn name(&self) -> String {
        self.core.name().to_owned()
    }

    /// Waits for a job; with None whether the worker stopped, else the time is over.
    ///
    /// A job that is there already is taken without letting go of the interpreter lock: getting that back from threads
    /// that run handlers costs more than all the rest.
    fn next<'py>(&self, py: Python<'py>, timeout_ms: Option<u64>) -> PyResult<(Option<Bound<'py, PyTuple>>, bool)> {
        let next = match self.core.next_in_hand().transpose() {
            None => wait::until(py, timeout_ms.map(Duration::from_millis), |span| match self.core.next(span) {
                Ok(Next::Empty) => None,
                other => Some(other),
            })?,
            Some(there) => Some(there.map(Next::Job)),
        };
        match next {
            Some(Ok(Next::Job(job))) => Ok((Some(job::row(py, &job, &self.repeated)?), false)),
            Some(Err(error)) => Err(exception(py, error)),
            Some(Ok(Next::Stopped)) => Ok((None, true)),
            Some(Ok(Next::Empty)) | None => Ok((None, false)),
        }
    }

    /// Hands an outcome over, which waits for the core's lock only; it is sent with the next turn.
    fn finish(&self, py: Python<'_>, jid: &str, token: &str, outcome: &str) -> PyResult<()> {
        let outcome = Outcome::from_json(outcome);
        outcome.and_then(|outcome| self.core.finish(jid, token, outcome)).map_err(|error| exception(py, error))
    }

    /// The same of a job that is done, with nothing but perhaps a result: there is less to read.
    fn complete(&self, py: Python<'_>, jid: &str, token: &str, result: Option<String>) -> PyResult<()> {
        self.core.finish(jid, token, Outcome::done(result)).map_err(|error| exception(py, error))
    }

    /// Hands an outcome over and waits for the engine's answer: the job's new state.
    fn finish_wait(&self, py: Python<'_>, jid: String, token: String, outcome: &str) -> PyResult<String> {
        let outcome = Outcome::from_json(outcome).map_err(|error| exception(py, error))?;
        let core = manyhands::Worker::clone(&self.core);
        wait::aside(py, move || core.finish_wait(&jid, &token, outcome))?.map_err(|error| exception(py, error))
    }

    /// Renews one lease now; milliseconds it lasts.
    fn heartbeat(&self, py: Python<'_>, jid: String, token: String) -> PyResult<u64> {
        let core = manyhands::Worker::clone(&self.core);
        wait::aside(py, move || core.heartbeat(&jid, &token))?.map_err(|error| exception(py, error))
    }

    /// Why a job in hand is known to be lost.
    fn lost(&self, jid: &str, token: &str) -> Option<String> {
        self.core.lost(jid, token)
    }

    /// The bell rings from now on when there is something to take.
    fn ring_on_news(&self, py: Python<'_>, bell: &Bell) -> PyResult<()> {
        self.core.ring_on_news(bell.rung.try_clone()?.into()).map_err(|error| exception(py, error))
    }

    /// Milliseconds until somebody must look although no bell has rung; None: never.
    fn next_look(&self) -> Option<f64> {
        self.core.next_look().map(|span| span.as_secs_f64() * 1_000.0)
    }

    /// Outcomes refused since the last look: jid, token, operation, reason.
    fn take_refused(&self) -> Vec<(String, String, String, String)> {
        self.core.take_refused().into_iter().map(|it| (it.jid, it.token, it.operation, it.reason)).collect()
    }

    /// What running handlers must be told since the last look: jid, token, reason.
    fn take_interrupts(&self) -> Vec<(String, String, String)> {
        self.core.take_interrupts().into_iter().map(|it| (it.jid, it.token, it.reason)).collect()
    }

    /// Every running handler is to be told `killed`.
    fn kill_running(&self) {
        self.core.kill_running();
    }

    /// Takes no jobs until it is resumed.
    fn pause(&self) {
        self.core.pause();
    }

    /// Takes jobs again.
    fn resume(&self) {
        self.core.resume();
    }

    /// Whether it takes no jobs, but will again.
    fn is_paused(&self) -> bool {
        self.core.is_paused()
    }

    /// What an operator asked last: quiet, pause, resume or stop.
    fn ordered(&self) -> Option<&'static str> {
        self.core.ordered().map(manyhands::Order::name)
    }

    /// Whether a handler did not end after its time-out.
    fn is_stuck(&self) -> bool {
        self.core.is_stuck()
    }

    /// Until `unwatch_host` the process ends also while a handler holds the interpreter lock for ever.
    fn watch_host(&self, py: Python<'_>) -> PyResult<()> {
        self.core.watch_host(true).map_err(|error| exception(py, error))
    }

    /// It ends by itself from now on.
    fn unwatch_host(&self) {
        self.core.unwatch_host();
    }

    /// The oldest signal of the master that nobody took: QUIT, TERM or TTIN.
    fn take_signal(&self) -> Option<&'static str> {
        self.core.take_signal().map(manyhands::Signal::name)
    }

    /// The queues that its entries stand for now.
    fn serving(&self) -> Vec<String> {
        self.core.serving()
    }

    /// The same, looked up in Redis now.
    fn look_up(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let core = manyhands::Worker::clone(&self.core);
        wait::aside(py, move || core.look_up())?.map_err(|error| exception(py, error))
    }

    /// Asks these of them from now on, in this order.
    fn set_order(&self, py: Python<'_>, queues: Vec<String>) -> PyResult<()> {
        self.core.set_order(queues).map_err(|error| exception(py, error))
    }

    /// Takes no new jobs.
    fn quiet(&self) {
        self.core.quiet();
    }

    /// Waits for started jobs, sends outcomes, gives unstarted jobs back, ends the native threads.
    fn stop(&self, py: Python<'_>, timeout_ms: u64) -> PyResult<()> {
        let core = manyhands::Worker::clone(&self.core);
        wait::aside(py, move || core.stop(Duration::from_millis(timeout_ms)))?.map_err(|error| exception(py, error))
    }
}

/// When the process exits while handlers go on, these are held first, and what they have begun is given back.
#[pyfunction]
pub fn end_at_exit() {
    manyhands::Worker::end_at_exit();
}

impl Drop for Worker {
    /// Stops without the interpreter lock: a handler that waits for the lock could not finish otherwise.
    fn drop(&mut self) {
        // Nobody is left to be told, and a forked child has nothing to stop.
        let stop = || drop(self.core.stop(Duration::ZERO));
        if Python::try_attach(|py| py.detach(stop)).is_none() {
            stop();
        }
    }
}
