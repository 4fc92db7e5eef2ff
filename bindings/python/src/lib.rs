//! The native module under the Python package `manyhands`: it passes calls to the core and holds what owns memory.
//!
//! Everything a Python program sees is in `manyhands/*.py`; this module has no defaults and no opinions.

mod bell;
mod calls;
mod client;
mod errors;
mod events;
mod job;
mod run;
mod supervisor;
mod wait;
mod worker;

#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::bell::Bell;
    #[pymodule_export]
    use super::client::Client;
    #[pymodule_export]
    use super::events::Events;
    #[pymodule_export]
    use super::job::{check_put, elements, members};
    #[pymodule_export]
    use super::run::Run;
    #[pymodule_export]
    use super::supervisor::{Supervisor, work_settings, work_settings_table};
    #[pymodule_export]
    use super::worker::{Worker, end_at_exit};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("CODES", super::errors::codes())?;
        module.add("MAX_SPAN_MS", manyhands::MAX_SPAN_MS)?;
        module.add("MAX_TIMEOUT_MS", manyhands::MAX_TIMEOUT_MS)?;
        module.add("VERSION", env!("CARGO_PKG_VERSION"))
    }
}
