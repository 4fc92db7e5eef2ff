//! The queues that a worker serves, and the host's choice among them.

use super::Worker;
use super::strategy::Strategy;
use crate::error::{Code, Error, Result};

impl Worker {
    /// The queues that its entries stand for now, in their order: what an order chooses from. Never a pattern: of a worker on
    /// patterns none before the first [`Worker::next`] has looked them up, and none while nothing matches.
    pub fn serving(&self) -> Vec<String> {
        self.inner("worker_serving").map_or_else(|_| Vec::new(), |inner| inner.shared.serving())
    }

    /// The same, looked up in Redis now: also of a worker that has not begun, whose patterns nobody follows yet.
    ///
    /// # Errors
    /// Those of [`Client::call`](crate::Client::call); `CLOSED` in a forked child.
    pub fn look_up(&self) -> Result<Vec<String>> {
        let shared = &self.inner("worker_look_up")?.shared;
        if !shared.options.follows() {
            return Ok(shared.options.queues.clone());
        }
        let (_, served) = shared.resolve(&mut shared.client.lane()).map_err(|error| error.during("worker_look_up"))?;
        Ok(served.names)
    }

    /// From now on asks these of [`Worker::serving`], in this order; a queue that is absent is not asked. For the strategy
    /// `callback`, whose host sets it whenever a thread is about to take a job.
    ///
    /// # Errors
    /// `WRONG_STATE` under another strategy; `CLOSED` in a forked child.
    pub fn set_order(&self, queues: Vec<String>) -> Result<()> {
        let shared = &self.inner("worker_set_order")?.shared;
        if shared.options.strategy != Strategy::Callback {
            let message = "an order is set under the strategy callback only";
            return Err(Error::new(Code::WrongState, message).during("worker_set_order"));
        }
        shared.set_order(queues);
        Ok(())
    }
}
