//! The waiter: the native thread that blocks in Redis while a worker has nothing to do, and fetches what woke it. While a worker
//! has more than enough to do it fetches jobs ahead, beside the runner.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::jitter;
use super::shared::Shared;
use super::shift::Wait;
use crate::client::Lane;
use crate::error::Result;
use crate::ops::{QueueReserve, Reserved};

/// Works until the shift is over.
pub fn run(shared: Arc<Shared>) {
    let _leaving = Leaving(Arc::clone(&shared));
    let lane = shared.lane();
    let mut waiter = Waiter { shared, lane, unanswered: None };
    while let Some(wait) = waiter.next_wait() {
        match wait {
            Wait::Block => waiter.wait_for_token(),
            Wait::Fetch(asked) => waiter.fetch(asked),
            Wait::Repeat => waiter.repeat(),
            Wait::Rest | Wait::Leave => {}
        }
    }
}

/// Tells the runner that the waiter has left, also when it leaves by a panic.
struct Leaving(Arc<Shared>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.shift().waiter_left();
        for bell in [&self.0.end, &self.0.runner] {
            bell.ring_all();
        }
    }
}

struct Waiter {
    shared: Arc<Shared>,
    lane: Lane,
    /// The reserve that was sent and not answered; its number is the lane's last.
    unanswered: Option<QueueReserve>,
}

impl Waiter {
    /// Sleeps until there is something to do; None when it is time to leave.
    fn next_wait(&self) -> Option<Wait> {
        let mut shift = self.shared.shift();
        loop {
            match shift.wait(Instant::now()) {
                Wait::Rest => shift = self.shared.waiter.wait(shift, None),
                Wait::Leave => return None,
                wait => return Some(wait),
            }
        }
    }

    fn fetch(&mut self, asked: QueueReserve) {
        let answer = self.lane.send(&asked);
        self.note(asked, answer);
    }

    fn repeat(&mut self) {
        if let Some(asked) = self.unanswered.take() {
            let answer = self.lane.send_again(&asked);
            self.note(asked, answer);
        }
    }

    /// Blocks for a token and reserves, which also makes up for a lost one. A token that came when nobody wants
    /// a job any more is passed on by a reserve of none.
    fn wait_for_token(&mut self) {
        let wakes = self.shared.wakes();
        let popped = self.block(&wakes.keys);
        let now = Instant::now();
        let mut shift = self.shared.shift();
        match popped {
            Ok(None) if !shift.wants_try() => {}
            Ok(Some(key)) if wakes.queue_of(&key).is_none() => {
                shift.outdate();
                self.shared.announce(shift, 0);
            }
            Ok(popped) => {
                // Of queues that are served no longer a token says nothing.
                let current = Arc::ptr_eq(&wakes, &self.shared.wakes());
                let woken_by = popped.filter(|_| current).and_then(|key| wakes.queue_of(&key));
                let asked = shift.reserve(now, woken_by);
                drop(shift);
                self.fetch(asked);
            }
            Err(error) => {
                shift.failed(error, now);
                self.shared.announce(shift, 0);
            }
        }
    }

    /// The list a token came from; None when none came in time.
    fn block(&mut self, keys: &[String]) -> Result<Option<String>> {
        let connection = self.lane.client_id()?;
        self.shared.blocked.store(connection, Ordering::Release);
        let wait = self.shared.shift().fetch.longest_wait(jitter::draw());
        self.lane.block_pop(keys, wait)
    }

    fn note(&mut self, asked: QueueReserve, answer: Result<Reserved>) {
        let now = Instant::now();
        let mut shift = self.shared.shift();
        let mut came = 0;
        match answer {
            Ok(reserved) => came = shift.waiter_reserved(&asked, reserved, now),
            Err(error) => {
                if shift.waiter_failed(&asked, error, now) {
                    self.unanswered = Some(asked);
                }
            }
        }
        self.shared.announce(shift, came);
    }
}
