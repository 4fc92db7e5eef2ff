//! The client: text in, text out.

use manyhands::ops::QueueReserve;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::exception;
use crate::{job, wait};

/// A connection to one namespace.
#[pyclass(frozen, module = "manyhands._native")]
pub struct Client {
    pub core: manyhands::Client,
}

#[pymethods]
impl Client {
    #[new]
    fn open(py: Python<'_>, url: Option<&str>, options: &str) -> PyResult<Client> {
        let core = manyhands::Client::open(url, options).map_err(|error| exception(py, error))?;
        Ok(Client { core })
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
    fn call(&self, py: Python<'_>, operation: String, arguments: String) -> PyResult<String> {
        let core = self.core.clone();
        wait::aside(py, move || core.call(&operation, &arguments))?.map_err(|error| exception(py, error))
    }

    /// Takes up to `limit` jobs; `worker` None: the client's own name.
    fn reserve<'py>(
        &self,
        py: Python<'py>,
        queue: String,
        limit: i64,
        worker: Option<String>,
    ) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let core = self.core.clone();
        let reserved = wait::aside(py, move || {
            let worker = worker.unwrap_or_else(|| core.worker_name());
            core.send(QueueReserve { worker, queues: vec![queue], limit, share: false })
        })?;
        let jobs = reserved.map_err(|error| exception(py, error))?.jobs;
        jobs.iter().map(|job| job::fields(py, job)).collect()
    }

    /// Closes the connections.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core.clone();
        wait::aside(py, move || core.close())
    }
}
