//! The core's errors as Python exceptions; the classes themselves are made in `manyhands/errors.py`.

use manyhands::{Code, Error};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::calls;

/// Number, name, class and `retryable` of every code.
pub fn codes() -> Vec<(u16, &'static str, &'static str, bool)> {
    Code::ALL.iter().map(|code| (code.number(), code.name(), code.class(), code.retryable())).collect()
}

/// The exception of one error.
pub fn exception(py: Python<'_>, error: Error) -> PyErr {
    static BUILD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let build = BUILD.get_or_try_init(py, || calls::function(py, c"manyhands.errors", "build").map(Bound::unbind));
    let about = (error.code.number(), error.message, error.operation, error.jid, error.reason);
    let built = build.and_then(|build| calls::call_with(build.bind(py), about));
    built.map_or_else(|fault| fault, PyErr::from_value)
}
