//! What running handlers must be told: their lease is lost, their time is over, or somebody wants them to end.

use std::collections::VecDeque;
use std::time::Instant;

use super::Worker;
use super::hand::Hand;
use crate::ops::Lease;

/// The reason of an interrupt that somebody asked for.
pub const KILLED: &str = "killed";

/// Most interrupts of one run: it is lost, late and to be killed.
const MOST_EACH: usize = 3;

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

    /// True while there are some.
    pub fn are_any(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Drops those of handlers that have ended, when there are so many that some must have: maybe nobody ever takes them.
    pub fn tidy(&mut self, running: usize, runs: impl Fn(&Lease) -> bool) {
        if self.untold.len() > MOST_EACH * running {
            self.untold.retain(|(lease, _)| runs(lease));
        }
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
    /// What running handlers must be told since the last call, oldest first. Whoever performs the jobs asks every 100 ms or so,
    /// or when it is called (see [`Worker::ring_on_news`]); nothing is sent for it.
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
            inner.shared.news.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::super::Next;
    use super::super::hand::tests::job;
    use super::*;
    use crate::client::Client;

    #[test]
    fn a_host_interrupts_a_thread_that_waits_for_a_job() {
        let client = Client::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
        let worker = Worker::open(&client, r#"{"queues":["q"]}"#).unwrap();
        let interrupted = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let next = scope.spawn(|| worker.next_unless(Duration::MAX, &interrupted));
            interrupted.store(true, Ordering::Relaxed);
            worker.wake_hosts();
            assert_eq!(next.join().unwrap().unwrap(), Next::Empty);
        });
    }

    #[test]
    fn what_nobody_takes_is_dropped_with_its_handler() {
        let (mut hand, now) = (Hand::default(), Instant::now());
        hand.receive(vec![job("long", "k")], now);
        hand.start(now).unwrap();
        for number in 0..100 {
            hand.receive(vec![job(&number.to_string(), "k")], now);
            let job = hand.start(now).unwrap();
            let lease = Lease { jid: job.jid, token: job.token };
            hand.kill_started();
            hand.lose(&lease, "expired");
            hand.finish(&lease, now).unwrap();
        }
        assert!(hand.interrupts.untold.len() <= 3, "{} are kept", hand.interrupts.untold.len());
        let told = Interrupts::take(&mut hand, now).unwrap();
        assert_eq!((told.jid.as_str(), told.reason.as_str()), ("long", KILLED));
        assert_eq!(Interrupts::take(&mut hand, now), None);
    }
}
