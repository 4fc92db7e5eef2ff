//! Pause and resume: a worker that takes no jobs for a while.

use super::Worker;

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
        self.inner("worker_paused").is_ok_and(|inner| inner.shared.shift().is_paused())
    }

    fn set_paused(&self, call: &str, paused: bool) {
        let Ok(inner) = self.inner(call) else { return };
        let shared = &inner.shared;
        shared.shift().pause(paused);
        for bell in [&shared.hosts, &shared.runner, &shared.waiter] {
            bell.ring_all();
        }
    }
}
