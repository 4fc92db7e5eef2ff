//! One run of a handler on its thread, which others may interrupt with an exception: inside of it and nowhere else.
//!
//! Python delivers such an exception only between two steps of Python code. From the handler's return to the end of
//! [`Run::call`] there is none, so one that was not delivered by then is taken back in time.

use std::ffi::c_ulong;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::calls;

/// Where a run stands. Only ever looked at with the interpreter lock held.
enum Stage {
    /// Not begun; with what is to be raised at once when it begins.
    Before(Option<Py<PyType>>),
    /// Python code of the handler runs on its thread; whether an exception is on its way there.
    Inside { raised: bool },
    /// The thread waits for something that others can cancel.
    Waiting,
    /// Over.
    After,
}

/// See the module.
#[pyclass(frozen, subclass, module = "manyhands._native")]
pub struct Run {
    thread: c_ulong,
    since: Instant,
    stage: Mutex<Stage>,
}

impl Run {
    /// Puts a stage in place of the one that was.
    fn turn(&self, stage: Stage) -> Stage {
        std::mem::replace(&mut *self.stage.lock().unwrap_or_else(PoisonError::into_inner), stage)
    }

    /// Sends an exception to the thread, or with None takes back one that has not arrived.
    fn send(&self, _py: Python<'_>, exception: Option<&Bound<'_, PyType>>) {
        let exception = exception.map_or(std::ptr::null_mut(), Bound::as_ptr);
        // SAFETY: the interpreter lock is held, and Python takes its own reference to the class.
        unsafe { pyo3::ffi::PyThreadState_SetAsyncExc(self.thread.cast_signed(), exception) };
    }
}

#[pymethods]
impl Run {
    /// On the thread that makes it.
    #[new]
    fn open() -> Run {
        // SAFETY: it asks for nothing.
        let thread = unsafe { pyo3::ffi::PyThread_get_thread_ident() };
        Run { thread, since: Instant::now(), stage: Mutex::new(Stage::Before(None)) }
    }

    /// What threading.get_ident() says there.
    #[getter]
    fn thread(&self) -> c_ulong {
        self.thread
    }

    /// How many seconds ago it was made.
    #[getter]
    fn seconds(&self) -> f64 {
        self.since.elapsed().as_secs_f64()
    }

    /// Calls `function(about)`; what `interrupt` raises meanwhile is raised inside of it. Once.
    fn call<'py>(
        &self,
        py: Python<'py>,
        function: &Bound<'py, PyAny>,
        about: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Stage::Before(Some(exception)) = self.turn(Stage::Inside { raised: false }) {
            self.turn(Stage::After);
            return Err(PyErr::from_value(calls::call_empty(exception.bind(py))?));
        }
        let answer = calls::call(function, about);
        if let Stage::Inside { raised: true } = self.turn(Stage::After) {
            self.send(py, None);
        }
        answer
    }

    /// Inside of `call`, on its thread: calls `function()`, which waits and is cancelled otherwise than by an exception.
    /// None, and not called, when an exception is on its way.
    fn wait<'py>(&self, function: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.turn(Stage::Waiting) {
            Stage::Inside { raised: false } => {}
            other => {
                self.turn(other);
                return Ok(None);
            }
        }
        let answer = calls::call_empty(function);
        self.turn(Stage::Inside { raised: false });
        answer.map(Some)
    }

    /// Raises the class in the handler. False when the thread waits: then it is to be cancelled. None when it is over.
    fn interrupt(&self, py: Python<'_>, exception: &Bound<'_, PyType>) -> Option<bool> {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *stage {
            Stage::Before(first) => *first = Some(exception.clone().unbind()),
            Stage::Inside { raised } => {
                *raised = true;
                self.send(py, Some(exception));
            }
            Stage::Waiting => return Some(false),
            Stage::After => return None,
        }
        Some(true)
    }
}
