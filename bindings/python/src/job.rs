//! Jobs on their way to Python: plain values, the payload as the text it is.

use std::collections::BTreeMap;

use manyhands::ops::{Placed, QueuePut};
use manyhands::{Backoff, Job, Put};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use serde_json::value::RawValue;

use crate::errors::exception;

/// A reserved job as the dict from which `manyhands.Job` is made. The two that few jobs have are there only for these.
pub fn fields<'py>(py: Python<'py>, job: &Job) -> PyResult<Bound<'py, PyDict>> {
    let fields = PyDict::new(py);
    fields.set_item(intern!(py, "jid"), &job.jid)?;
    fields.set_item(intern!(py, "kind"), &job.kind)?;
    fields.set_item(intern!(py, "queue"), &job.queue)?;
    fields.set_item(intern!(py, "data"), &job.data)?;
    fields.set_item(intern!(py, "priority"), job.priority)?;
    fields.set_item(intern!(py, "retries"), job.retries)?;
    fields.set_item(intern!(py, "remaining"), job.remaining)?;
    fields.set_item(intern!(py, "token"), &job.token)?;
    fields.set_item(intern!(py, "worker"), &job.worker)?;
    fields.set_item(intern!(py, "put_at_ms"), job.put_at_ms)?;
    fields.set_item(intern!(py, "tags"), &job.tags)?;
    fields.set_item(intern!(py, "route"), &job.route)?;
    fields.set_item(intern!(py, "throttles"), &job.throttles)?;
    fields.set_item(intern!(py, "headers"), &job.headers)?;
    fields.set_item(intern!(py, "parent"), &job.parent)?;
    fields.set_item(intern!(py, "tracked"), job.tracked)?;
    if job.timeout_ms.is_some() || job.backoff.is_some() {
        let backoff = job.backoff.as_ref().map_or_else(|| "null".to_owned(), Backoff::to_json);
        fields.set_item(intern!(py, "timeout_ms"), job.timeout_ms)?;
        fields.set_item(intern!(py, "backoff_ms"), backoff)?;
    }
    Ok(fields)
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
