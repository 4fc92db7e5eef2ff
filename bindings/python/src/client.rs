//! The client: text in, text out.

use std::sync::Mutex;

use manyhands::EventsOptions;
use manyhands::ops::{Placed, QueuePut};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::errors::exception;
use crate::events::Events;
use crate::wait::EndsAside;
use crate::{job, wait};

/// A connection to one namespace.
#[pyclass(frozen, module = "manyhands._native")]
pub struct Client {
    /// For the worker runtime, whose threads never look at Python.
    pub core: EndsAside<manyhands::Client>,
    /// The same, for Python's own threads: it ends a call early when Python is interrupted.
    host: EndsAside<manyhands::Client>,
}

#[pymethods]
impl Client {
    #[new]
    fn open(py: Python<'_>, url: Option<&str>, options: &str) -> PyResult<Client> {
        let core =
            manyhands::Client::open(url, options).map_err(|error| exception(py, error.renamed(&[("options.", "")])))?;
        let host = core.interruptible(wait::interrupted);
        Ok(Client { core: EndsAside::new(core), host: EndsAside::new(host) })
    }

    #[getter]
    fn url(&self) -> String {
        self.core.url().to_owned()
    }

    #[getter]
    fn namespace(&self) -> String {
        self.core.namespace().to_owned()
    }

    /// Any operation by its name; arguments and reply are JSON.
    fn call(&self, py: Python<'_>, operation: &str, arguments: &str) -> PyResult<String> {
        wait::interruptibly(py, || self.host.call(operation, arguments))?.map_err(|error| exception(py, error))
    }

    /// Puts the jobs of a JSON list. Of each: its jid, the outcome, and the dependencies that it need not wait for.
    /// `alone`: there is one, whose refusal is an error.
    fn put<'py>(&self, py: Python<'py>, jobs: &str, alone: bool) -> PyResult<Bound<'py, PyList>> {
        let put = || {
            let placed = self.host.put_all(QueuePut::from_list(jobs, None)?)?;
            if alone { placed.into_iter().map(Placed::accepted).collect() } else { Ok(placed) }
        };
        let placed = wait::interruptibly(py, put)?.map_err(|error| exception(py, error))?;
        job::placed(py, &placed)
    }

    /// Takes up to `limit` jobs; `worker` None: the client's own name.
    fn reserve<'py>(
        &self,
        py: Python<'py>,
        queue: String,
        limit: i64,
        worker: Option<String>,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let reserved = wait::interruptibly(py, || self.host.queue(queue).reserve_as(worker.as_deref(), limit))?;
        let jobs = reserved.map_err(|error| exception(py, error))?.jobs;
        let repeated = Mutex::default();
        jobs.iter().map(|job| job::row(py, job, &repeated)).collect()
    }

    /// Subscribes to events.
    fn events(&self, py: Python<'_>, options: &str) -> PyResult<Events> {
        let opened = wait::interruptibly(py, || self.host.events(EventsOptions::parse(options)?))?;
        opened.map(Events::new).map_err(|error| exception(py, error.during("events_open").renamed(&[("options.", "")])))
    }

    /// Closes the connections.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let core = manyhands::Client::clone(&self.core);
        wait::aside(py, move || core.close())
    }
}
