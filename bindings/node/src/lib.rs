//! The native half of the Node package: text in, text out, and promises that are kept by threads of its own.
//!
//! Everything a JavaScript program sees is in `lib/*.ts`; this half has no defaults and no opinions.

mod client;
mod delivery;
mod errors;
mod events;
mod exchange;
mod job;
mod news;
mod pool;
mod supervisor;
mod worker;

use manyhands::ops::QueuePut;
use napi_derive::napi;

// Who lints without Node's registration of it sees no other user.
pub use errors::codes;
pub use supervisor::{work_settings, work_settings_table};

/// The version of the workspace.
#[napi(catch_unwind)]
pub fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Refuses what a put of the jobs of this JSON list would refuse before it asks Redis. Its errors are said to have happened during
/// `operation`.
#[napi(catch_unwind)]
pub fn check_puts(jobs: String, operation: Option<String>) -> napi::Result<()> {
    let parts = QueuePut::from_list(&jobs, None).and_then(QueuePut::split);
    parts.map(drop).map_err(|error| errors::thrown(manyhands::Error { operation, ..error }))
}
