//! Jobs on their way to Python: plain values, the payload as the text it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use manyhands::ops::{Placed, QueuePut};
use manyhands::{Backoff, Job, Put};
use pyo3::types::{PyList, PyString, PyTuple};
use pyo3::{IntoPyObjectExt, intern, prelude::*};
use serde_json::value::RawValue;

use crate::errors::exception;

/// The texts that a job mostly has in common with the job before, which share them.
#[derive(Default)]
pub struct Repeated {
    kind: Text,
    queue: Text,
    worker: Text,
    token: Text,
}

#[derive(Default)]
struct Text {
    last: String,
    made: Option<Py<PyString>>,
}

impl Text {
    fn text<'py>(&mut self, py: Python<'py>, text: &str) -> Bound<'py, PyAny> {
        match &self.made {
            Some(made) if self.last == text => made.bind(py).clone().into_any(),
            _ => {
                let made = PyString::new(py, text);
                (self.last, self.made) = (text.to_owned(), Some(made.clone().unbind()));
                made.into_any()
            }
        }
    }
}

impl Repeated {
    /// Kind, queue, worker and token of a job. Nothing of this runs Python code, which might let go of the interpreter
    /// lock: whoever waits for these may hold that.
    fn texts<'py>(&mut self, py: Python<'py>, job: &Job) -> [Bound<'py, PyAny>; 4] {
        [
            self.kind.text(py, &job.kind),
            self.queue.text(py, &job.queue),
            self.worker.text(py, &job.worker),
            self.token.text(py, &job.token),
        ]
    }
}

/// A reserved job as the tuple of which `manyhands.Job` is made, in the order of `Row` in manyhands/_row.py: its limits,
/// as few jobs have any, are one member.
pub fn row<'py>(py: Python<'py>, job: &Job, repeated: &Mutex<Repeated>) -> PyResult<Bound<'py, PyTuple>> {
    let [kind, queue, worker, token] = repeated.lock().unwrap_or_else(PoisonError::into_inner).texts(py, job);
    let backoff = || job.backoff.as_ref().map_or_else(|| "null".to_owned(), Backoff::to_json);
    let limits = (job.timeout_ms.is_some() || job.backoff.is_some()).then(|| (job.timeout_ms, backoff()));
    let members = [
        job.jid.as_str().into_bound_py_any(py)?,
        kind,
        queue,
        job.data.as_str().into_bound_py_any(py)?,
        job.priority.into_bound_py_any(py)?,
        job.retries.into_bound_py_any(py)?,
        job.remaining.into_bound_py_any(py)?,
        worker,
        token,
        job.tags.as_slice().into_bound_py_any(py)?,
        job.route.as_slice().into_bound_py_any(py)?,
        job.throttles.as_slice().into_bound_py_any(py)?,
        (&job.headers).into_bound_py_any(py)?,
        job.parent.as_deref().into_bound_py_any(py)?,
        job.tracked.into_bound_py_any(py)?,
        (job.put_at_ms as f64 / 1_000.0).into_bound_py_any(py)?,
        limits.into_bound_py_any(py)?,
    ];
    PyTuple::new(py, members)
}

/// What became of puts, each as the tuple of which `manyhands.Placed` is made.
pub fn placed<'py>(py: Python<'py>, placed: &[Placed]) -> PyResult<Bound<'py, PyList>> {
    let (put, none) = (intern!(py, "put"), PyTuple::empty(py));
    let rows = placed.iter().map(|placed| {
        let outcome = if placed.outcome == "put" { put.clone() } else { PyString::new(py, &placed.outcome) };
        let satisfied = if placed.satisfied.is_empty() { none.clone() } else { PyTuple::new(py, &placed.satisfied)? };
        (&placed.jid, outcome, satisfied).into_pyobject(py)
    });
    PyList::new(py, rows.collect::<PyResult<Vec<_>>>()?)
}

/// Refuses what a put of this job would refuse before it asks Redis.
#[pyfunction]
pub fn check_put(py: Python<'_>, queue: &str, kind: &str, options: &str) -> PyResult<()> {
    let put = Put::new(kind).queue(queue).with_options(options);
    put.and_then(|put| QueuePut::new(vec![put]).split())
        .map(drop)
        .map_err(|error| exception(py, error.renamed(&[("options.", "")])))
}

/// The members of a JSON object, each as the text it is.
#[pyfunction]
pub fn members(text: &str) -> PyResult<BTreeMap<String, &str>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)
        .map_err(|error| pyo3::exceptions::PyValueError::new_err(format!("not a JSON object: {error}")))?;
    Ok(members.into_iter().map(|(name, value)| (name, value.get())).collect())
}

/// The elements of a JSON list, each as the text it is.
#[pyfunction]
pub fn elements(text: &str) -> PyResult<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(text)
        .map_err(|error| pyo3::exceptions::PyValueError::new_err(format!("not a JSON list: {error}")))?;
    Ok(elements.into_iter().map(RawValue::get).collect())
}
