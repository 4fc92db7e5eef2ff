//! The master of worker processes: JSON in, JSON out (core/src/worker/supervisor says what).

use std::os::fd::AsRawFd;

use manyhands::WorkSettings;
use pyo3::prelude::*;

use crate::client::Client;
use crate::errors::exception;

/// A master; the process that has it forks.
#[pyclass(frozen, module = "manyhands._native")]
pub struct Supervisor {
    core: manyhands::Supervisor,
}

#[pymethods]
impl Supervisor {
    #[new]
    fn open(py: Python<'_>, client: &Client, flags: &str) -> PyResult<Supervisor> {
        let core = WorkSettings::from_flags(flags)
            .and_then(|settings| manyhands::Supervisor::open(&client.core, &settings))
            .map_err(|error| exception(py, error))?;
        Ok(Supervisor { core })
    }

    /// Where a byte ends a wait, for `signal.set_wakeup_fd`.
    #[getter]
    fn wakeup_fd(&self) -> i32 {
        self.core.waker().as_raw_fd()
    }

    /// Tells an event; `wait` waits without the interpreter lock.
    fn event(&self, py: Python<'_>, event: &str) -> PyResult<String> {
        py.detach(|| self.core.event(event)).map_err(|error| exception(py, error))
    }
}

/// The settings that flags and the environment give, as JSON.
#[pyfunction]
pub fn work_settings(py: Python<'_>, flags: &str) -> PyResult<String> {
    WorkSettings::from_flags(flags).map(|settings| settings.to_json()).map_err(|error| exception(py, error))
}

/// The list of settings, as JSON.
#[pyfunction]
pub fn work_settings_table() -> String {
    WorkSettings::table_json()
}
