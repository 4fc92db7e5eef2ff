//! What running handlers must be told: their lease is lost, their time is over, or somebody wants them to end.

use std::collections::VecDeque;
use std::time::Instant;

use super::Worker;
use super::hand::Hand;
use crate::ops::Lease;

/// The reason of an interrupt that somebody asked for.
pub const KILLED: &str = "killed";

/// News for a running handler: it should end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interrupt {
    /// The job whose handler runs.
    pub jid: String,
    /// The token it runs under.
    pub token: String,
    /// Why: that of a lost lease (`expired`, `cancelled`, `replaced`, `finished` or `unknown`: whatever ends the run is refused),
    /// `timeout` (the option `timeout_ms`; ending the run is to spend a retry), or `killed` (see [`Worker::kill_running`]).
    pub reason: String,
}

/// Interrupts nobody has taken yet.
#[derive(Default)]
pub struct Interrupts {
    untold: VecDeque<(Lease, String)>,
}

impl Interrupts {
    /// This handler must be told that.
    pub fn push(&mut self, lease: &Lease, reason: &str) {
        self.untold.push_back((lease.clone(), reason.to_owned()));
    }

    /// The oldest of a handler that still runs, once.
    fn take(hand: &mut Hand, now: Instant) -> Option<Interrupt> {
        hand.time_out(now);
        loop {
            let (lease, reason) = hand.interrupts.untold.pop_front()?;
            if hand.is_started(&lease) {
                return Some(Interrupt { jid: lease.jid, token: lease.token, reason });
            }
        }
    }
}

impl Worker {
    /// What running handlers must be told since the last call, oldest first. Whoever performs the jobs asks every 100 ms or so;
    /// nothing is sent for it.
    pub fn take_interrupts(&self) -> Vec<Interrupt> {
        std::iter::from_fn(|| self.take_interrupt()).collect()
    }

    /// The oldest of them; None when there are no more.
    pub fn take_interrupt(&self) -> Option<Interrupt> {
        Interrupts::take(&mut self.inner("worker_interrupts").ok()?.shared.shift().hand, Instant::now())
    }

    /// Why the handler of a job in hand should end, for one that looks itself: the reason of its interrupt, taken or not. None
    /// while it may go on.
    pub fn interrupted(&self, jid: &str, token: &str) -> Option<String> {
        let lease = Lease { jid: jid.to_owned(), token: token.to_owned() };
        let shift = self.inner("worker_interrupted").ok()?.shared.shift();
        shift.hand.interrupted(&lease, Instant::now()).map(str::to_owned)
    }

    /// Every handler that runs gets an interrupt `killed`, once. Its job is still in hand: when the handler has returned, end
    /// the run with [`Outcome::Release`](super::Outcome::Release), which spends no retry, unless it came to its end by itself.
    pub fn kill_running(&self) {
        if let Ok(inner) = self.inner("worker_kill_running") {
            inner.shared.shift().hand.kill_started();
        }
    }
}
