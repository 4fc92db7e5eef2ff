//! What dead workers held, until the engine has taken all of it back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::super::marks::Left;
use crate::client::{Client, Lane};
use crate::error::Result;
use crate::ops::{Operation, reply};

/// Between two tries while Redis is away.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a master waits for Redis at a time: it has processes to look after.
const PATIENCE: Duration = Duration::from_millis(500);

/// Dead workers whose jobs have not all gone back.
pub struct Debts {
    lane: Lane,
    owed: Vec<Left>,
    again_at: Option<Instant>,
    /// The log knows that something is owed.
    told: bool,
}

impl Debts {
    pub fn new(client: &Client) -> Debts {
        Debts { lane: client.lane().with_timeout(PATIENCE), owed: Vec::new(), again_at: None, told: false }
    }

    pub fn add(&mut self, left: Left) {
        self.owed.push(left);
        self.again_at.get_or_insert_with(Instant::now);
    }

    /// When to settle; None when nothing is owed.
    pub fn due_at(&self) -> Option<Instant> {
        self.again_at
    }

    /// Has the engine take back what is due. Answers a line for the log when that fails for the first time.
    pub fn settle(&mut self, now: Instant) -> Option<String> {
        if self.again_at.is_none_or(|at| now < at) {
            return None;
        }
        while let Some(left) = self.owed.last() {
            if let Err(error) = settle(&mut self.lane, left) {
                self.again_at = Some(Instant::now() + AGAIN);
                let line = format!("the jobs of worker {} go back later: {error}", left.worker);
                return (!std::mem::replace(&mut self.told, true)).then_some(line);
            }
            self.owed.pop();
        }
        (self.again_at, self.told) = (None, false);
        None
    }
}

/// Has the engine take back what this worker held, of which what had begun spends a retry when `left` names it.
pub fn settle(lane: &mut Lane, left: &Left) -> Result<()> {
    let operation = Operation::named("worker_lost")?;
    let asked = serde_json::json!({ "worker": left.worker, "started": left.started }).to_string();
    loop {
        let answer = lane.transmit(operation, |args| {
            args.text(&asked);
            Ok(())
        })?;
        let mut counts = String::new();
        reply::to_json(&answer, &mut counts)?;
        let counts: Counts = serde_json::from_str(&counts).unwrap_or_default();
        // A bounded number a call, until none is left.
        if counts.values().all(|count| *count == 0) {
            return Ok(());
        }
    }
}

/// How many jobs were lost, and how many released.
type Counts = HashMap<String, u64>;
