//! Python code that native code calls, and the end of the interpreter meanwhile.
//!
//! CPython before 3.14 ends a thread that wants the interpreter lock when the interpreter has begun to end: by
//! `pthread_exit`, which unwinds its stack. Unwinding from what Rust takes for a C function that never unwinds aborts
//! the process, without a word. Where pyo3 takes the lock it lets such a thread wait for ever instead, as CPython 3.14
//! does. Here is the same for Python code that this module calls.
//!
//! Not covered are finalizers (`__del__`, the callback of a weak reference), which nobody calls. Before Python 3.12 a
//! container that native code makes may start the garbage collector, and later too native code may let go of the last
//! reference to something. A finalizer that then runs at the very moment of the interpreter's end still aborts the process.

use std::ffi::{CStr, c_char};
use std::hint::black_box;
use std::mem;
use std::ptr;
use std::thread;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// A function of `pyo3::ffi` as one that may unwind. The compiler must not see which: one that is declared not to unwind
/// anywhere in this library does so nowhere.
macro_rules! unwinding {
    ($function:path: $arguments:tt $(-> $answer:ty)?) => {{
        type Declared = unsafe extern "C" fn $arguments $(-> $answer)?;
        type Unwinding = unsafe extern "C-unwind" fn $arguments $(-> $answer)?;
        mem::transmute::<Declared, Unwinding>(black_box($function as Declared))
    }};
}

/// Calls `function(argument)`.
pub fn call<'py>(function: &Bound<'py, PyAny>, argument: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: both live until it returns, and null ends the list; it answers a new reference or null with an exception.
    unsafe {
        answered(function.py(), || {
            let call = unwinding!(ffi::PyObject_CallFunctionObjArgs: (*mut PyObject, ...) -> *mut PyObject);
            call(function.as_ptr(), argument.as_ptr(), ptr::null_mut::<PyObject>())
        })
    }
}

/// Calls `function()`.
pub fn call_empty<'py>(function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: it lives until it returns, and null stands for no arguments; the answer is that of `call_object`.
    unsafe { answered(function.py(), || call_object(function.as_ptr(), ptr::null_mut())) }
}

/// Calls `function(*arguments)`.
pub fn call_with<'py>(
    function: &Bound<'py, PyAny>,
    arguments: impl IntoPyObject<'py, Target = PyTuple, Output = Bound<'py, PyTuple>, Error = PyErr>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let arguments = arguments.into_pyobject(py)?;
    // SAFETY: both live until it returns, and the arguments are a tuple; the answer is that of `call_object`.
    unsafe { answered(py, || call_object(function.as_ptr(), arguments.as_ptr())) }
}

/// A new reference, or null with an exception.
///
/// # Safety
/// The interpreter lock is held; both live until it returns, and the arguments are a tuple or null.
unsafe fn call_object(function: *mut PyObject, arguments: *mut PyObject) -> *mut PyObject {
    // SAFETY: the caller's; only what Rust knows of unwinding is another.
    unsafe {
        unwinding!(ffi::PyObject_CallObject: (*mut PyObject, *mut PyObject) -> *mut PyObject)(function, arguments)
    }
}

/// A function of a module, which is imported when it is not yet.
pub fn function<'py>(py: Python<'py>, module: &CStr, name: &str) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the name ends with a zero; the import answers a new reference or null with an exception.
    let module = unsafe {
        answered(py, || unwinding!(ffi::PyImport_ImportModule: (*const c_char) -> *mut PyObject)(module.as_ptr()))?
    };
    module.getattr(name)
}

/// What `call` answers.
///
/// # Safety
/// It answers a reference that is nobody else's to give back, or null with an exception raised.
unsafe fn answered<'py>(py: Python<'py>, call: impl FnOnce() -> *mut PyObject) -> PyResult<Bound<'py, PyAny>> {
    let stays = Stays;
    let answer = call();
    if answer.is_null() {
        // SAFETY: the interpreter lock is held.
        unsafe { make_instance() };
    }
    mem::forget(stays);
    // SAFETY: the caller's; who got null still has its exception.
    unsafe { Bound::from_owned_ptr_or_err(py, answer) }
}

/// Makes an instance of the exception that is raised, which before Python 3.12 may be a class and what to call it with.
#[allow(deprecated, reason = "in Python 3.12 it is an instance, and this leaves it as it is")]
unsafe fn make_instance() {
    let (mut class, mut error, mut trace) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    // SAFETY: the interpreter lock is held, and what is taken is put back.
    unsafe {
        ffi::PyErr_Fetch(&raw mut class, &raw mut error, &raw mut trace);
        let normalize =
            unwinding!(ffi::PyErr_NormalizeException: (*mut *mut PyObject, *mut *mut PyObject, *mut *mut PyObject));
        normalize(&raw mut class, &raw mut error, &raw mut trace);
        ffi::PyErr_Restore(class, error, trace);
    }
}

/// A thread that is to be unwound past this stays here for ever; it has no lock of Python's any more.
struct Stays;

impl Drop for Stays {
    fn drop(&mut self) {
        loop {
            thread::park();
        }
    }
}
