//! A job: what it has, and where it is.

use std::cmp::Reverse;

use serde_json::{Value as Json, json};

/// Longest history of a job.
const HISTORY: usize = 100;
/// Retries of a job that does not say.
pub const RETRIES: i64 = 5;

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Scheduled,
    Blocked,
    Throttled,
    Running,
    Failed,
    Completed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Scheduled => "scheduled",
            State::Blocked => "blocked",
            State::Throttled => "throttled",
            State::Running => "running",
            State::Failed => "failed",
            State::Completed => "completed",
        }
    }

    pub fn is_running(self) -> bool {
        self == State::Running
    }

    /// It takes part in the limits of its throttles: it has them, or may take them next.
    pub fn claims(self) -> bool {
        matches!(self, State::Waiting | State::Running)
    }

    pub fn is_over(self) -> bool {
        matches!(self, State::Failed | State::Completed)
    }
}

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    pub kind: String,
    pub queue: String,
    pub state: State,
    pub data: Json,
    pub result: Json,
    pub priority: i64,
    pub seq: u64,
    pub retries: i64,
    pub remaining: i64,
    pub snoozes: u32,
    pub put_at: i64,
    pub ready_at: i64,
    pub tags: Vec<String>,
    pub route: Vec<String>,
    pub headers: Json,
    pub timeout: Json,
    pub backoff: Json,
    pub throttles: Vec<String>,
    /// The throttle it waits for, while throttled.
    pub pending: Option<String>,
    pub tracked: bool,
    pub parent: Option<String>,
    pub progress: Json,
    pub failure: Json,
    pub history: Vec<Json>,
    /// The last run: its token (0: none yet), and how it was lost.
    pub token: i64,
    pub lost: Option<&'static str>,
    pub worker: String,
    pub reserved_at: i64,
    pub lease_until: i64,
    pub grace_until: Option<i64>,
    pub group: String,
    pub ended_at: i64,
    /// Its throttles were set anew in the call in progress.
    pub rethrottled: bool,
}

impl Job {
    pub fn new(kind: &str, queue: &str, data: Json, now: i64) -> Job {
        Job {
            kind: kind.into(),
            queue: queue.into(),
            state: State::Waiting,
            data,
            result: Json::Null,
            priority: 0,
            seq: 0,
            retries: RETRIES,
            remaining: RETRIES,
            snoozes: 0,
            put_at: now,
            ready_at: now,
            tags: vec![],
            route: vec![],
            headers: json!({}),
            timeout: Json::Null,
            backoff: Json::Null,
            throttles: vec![],
            pending: None,
            tracked: false,
            parent: None,
            progress: Json::Null,
            failure: Json::Null,
            history: vec![json!({"what": "put", "at_ms": now, "queue": queue})],
            token: 0,
            lost: None,
            worker: String::new(),
            reserved_at: 0,
            lease_until: 0,
            grace_until: None,
            group: String::new(),
            ended_at: 0,
            rethrottled: false,
        }
    }

    /// Its place in line.
    pub fn place(&self) -> (Reverse<i64>, u64) {
        (Reverse(self.priority), self.seq)
    }

    pub fn is_running(&self) -> bool {
        self.state.is_running()
    }

    pub fn is_stalled(&self, now: i64) -> bool {
        self.is_running() && (self.grace_until.is_some() || self.lease_until <= now)
    }

    pub fn set_throttles(&mut self, ids: Vec<String>) {
        self.throttles = ids;
        self.rethrottled = true;
    }

    pub fn note(&mut self, entry: Json) {
        self.history.push(entry);
        if self.history.len() > HISTORY {
            self.history.remove(1); // the first is kept
        }
    }
}
