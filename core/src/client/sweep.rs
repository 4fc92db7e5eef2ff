//! What falls due when nobody asks for it.

use super::ask::{Arguments, natural, natural_or_none};
use super::blocking::Client;
use crate::error::Result;

/// What one step of the sweep did. See [`Client::sweep`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Jobs that went from one place to another.
    pub moved: u64,
    /// Completed jobs that were forgotten.
    pub trimmed: u64,
    /// Milliseconds until something is due; None when nothing is.
    pub next_due_ms: Option<u64>,
}

impl Client {
    /// One bounded step of the sweep: at most `limit` jobs, 1 to 100.
    ///
    /// # Errors
    /// [`crate::Code::InvalidArgument`] for another limit, and what keeps Redis from answering.
    ///
    /// Source: core/src/engine/ops/sweep.lua
    pub fn sweep(&self, limit: u32) -> Result<Swept> {
        self.ask("sweep", Arguments::new().with("limit", limit))?.read(|mut fields| {
            Ok(Swept {
                moved: natural(&mut fields, "moved")?,
                trimmed: natural(&mut fields, "trimmed")?,
                next_due_ms: natural_or_none(&mut fields, "next_due_ms")?,
            })
        })
    }
}
