//! Pause and resume: a worker that takes no jobs for a while.

use super::Worker;
use crate::client::Order;

impl Worker {
    /// No new jobs until [`Worker::resume`]: unstarted ones go back, [`Worker::next`] waits on, and started ones are finished as
    /// ever.
    pub fn pause(&self) {
        self.set_paused("worker_pause", true);
    }

    /// Takes jobs again after a [`Worker::pause`].
    pub fn resume(&self) {
        self.set_paused("worker_resume", false);
    }

    /// True between a pause and the next resume.
    pub fn is_paused(&self) -> bool {
        self.inner("worker_paused").is_ok_and(|inner| inner.shared.shift().duty.is_paused())
    }

    /// What an operator asked of this worker last ([`crate::Client::order`]); a stop is not taken back. The worker does by itself
    /// what it can; whoever runs it should look now and then, and end it on [`Order::Stop`] as on a QUIT: with
    /// [`Worker::stop`] and [`Worker::shutdown_timeout`]. After [`Order::Quiet`] it lives on like a paused one, until it is stopped:
    /// no resume takes that back.
    pub fn ordered(&self) -> Option<Order> {
        self.inner("worker_ordered").ok()?.shared.shift().duty.ordered()
    }

    fn set_paused(&self, call: &str, paused: bool) {
        let Ok(inner) = self.inner(call) else { return };
        let shared = &inner.shared;
        shared.shift().pause(paused);
        for bell in [&shared.hosts, &shared.runner, &shared.waiter] {
            bell.ring_all();
        }
        shared.news.ring();
    }
}
