//! What the main thread of a worker waits for: a socket into which whoever has something for it sends a byte.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use pyo3::prelude::*;

/// Rings from any thread, from signal handlers, and from the core. Its sockets live as long as somebody may use them.
#[pyclass(frozen, module = "manyhands._native")]
pub struct Bell {
    heard: UnixStream,
    pub rung: UnixStream,
}

#[pymethods]
impl Bell {
    #[new]
    fn open() -> PyResult<Bell> {
        let (heard, rung) = UnixStream::pair()?;
        heard.set_nonblocking(true)?;
        rung.set_nonblocking(true)?;
        Ok(Bell { heard, rung })
    }

    /// What can be read when it has rung.
    fn fileno(&self) -> i32 {
        self.heard.as_raw_fd()
    }

    /// Where a byte may be written, for `signal.set_wakeup_fd`.
    #[getter]
    fn wakeup_fd(&self) -> i32 {
        self.rung.as_raw_fd()
    }

    /// Rings. What has no room is one of many rings that nobody has heard.
    fn ring(&self) {
        let _ = (&self.rung).write(&[0]);
    }

    /// Takes all rings that came.
    fn hush(&self) {
        let mut rings = [0; 256];
        while (&self.heard).read(&mut rings).is_ok_and(|length| length == rings.len()) {}
    }
}
