//! The worker runtime. (Signatures only, until the runtime lands.)

use std::time::Duration;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::ops::{Answer, Job};

/// A worker of this process.
#[derive(Clone)]
pub struct Worker {}

/// What [`Worker::next`] found.
#[derive(Clone, Debug)]
pub enum Next {
    /// A job to perform.
    Job(Job),
    /// Nothing within the time.
    Empty,
    /// The worker is stopping; no more jobs will come.
    Stopped,
}

/// How a handler ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The run succeeded.
    Complete { result: Option<String>, data: Option<String>, queue: Option<String>, delay_ms: u64 },
    /// The job is given up.
    Fail { group: String, message: String, trace: String },
    /// Again, spending a retry.
    Retry { delay_ms: u64 },
    /// Again, spending nothing.
    Snooze { delay_ms: u64 },
    /// The handler raised an error.
    Error { class: String, message: String, trace: String },
    /// Not started.
    Release,
    /// No handler for the kind.
    UnknownKind,
}

impl Outcome {
    /// Reads `{"complete": {…}}` and its like.
    pub fn from_json(_json: &str) -> Result<Outcome> {
        Err(Error::internal("not built yet"))
    }
}

/// An outcome the engine refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The job.
    pub jid: String,
    /// The operation refused.
    pub operation: String,
    /// Why.
    pub reason: String,
}

impl Worker {
    /// Opens a worker.
    pub fn open(_client: &Client, _options_json: &str) -> Result<Worker> {
        Err(Error::internal("not built yet"))
    }
    /// The next job.
    pub fn next(&self, _timeout: Duration) -> Result<Next> {
        Err(Error::internal("not built yet"))
    }
    /// Hands an outcome in.
    pub fn finish(&self, _jid: &str, _token: &str, _outcome: Outcome) -> Result<()> {
        Err(Error::internal("not built yet"))
    }
    /// Hands an outcome in and waits for the answer.
    pub fn finish_wait(&self, _jid: &str, _token: &str, _outcome: Outcome) -> Result<Answer> {
        Err(Error::internal("not built yet"))
    }
    /// Renews a lease.
    pub fn heartbeat(&self, _jid: &str, _token: &str) -> Result<u64> {
        Err(Error::internal("not built yet"))
    }
    /// Why a lease is lost, if it is.
    pub fn lost(&self, _jid: &str, _token: &str) -> Option<String> {
        None
    }
    /// Outcomes refused since the last call.
    pub fn take_refused(&self) -> Vec<Refused> {
        Vec::new()
    }
    /// No new jobs.
    pub fn quiet(&self) {}
    /// Stops.
    pub fn stop(&self, _timeout: Duration) -> Result<()> {
        Ok(())
    }
    /// The worker's name.
    pub fn name(&self) -> &str {
        ""
    }
    /// Jobs being performed.
    pub fn running(&self) -> usize {
        0
    }
}
