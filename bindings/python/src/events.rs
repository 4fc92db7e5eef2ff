//! Events: Python threads wait for them without the interpreter lock.

use std::time::Duration;

use manyhands::JobEvent;
use pyo3::prelude::*;

use crate::errors::exception;
use crate::wait::{self, EndsAside};

/// A subscription to events.
#[pyclass(frozen, module = "manyhands._native")]
pub struct Events {
    core: EndsAside<manyhands::Events>,
}

/// event, jid, queue, kind, worker, at_ms.
type Fields = (String, String, String, String, Option<String>, i64);

impl Events {
    pub fn new(core: manyhands::Events) -> Events {
        Events { core: EndsAside::new(core) }
    }
}

#[pymethods]
impl Events {
    /// Waits for an event; None when the time is over or the subscription is closed.
    fn next(&self, py: Python<'_>, timeout_ms: Option<u64>) -> PyResult<Option<Fields>> {
        let next = wait::until(py, timeout_ms.map(Duration::from_millis), |span| match self.core.next(Some(span)) {
            Ok(None) if !self.core.is_closed() => None,
            other => Some(other),
        })?;
        let event = next.unwrap_or(Ok(None)).map_err(|error| exception(py, error))?;
        Ok(event.map(|JobEvent { event, jid, queue, kind, worker, at_ms }| (event, jid, queue, kind, worker, at_ms)))
    }

    /// Ends the subscription and every wait for it.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.core.close());
    }

    /// True when nothing more will come.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        py.detach(|| self.core.is_closed())
    }

    /// How often events may have been missed.
    #[getter]
    fn gaps(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.core.gaps())
    }
}
