//! News for the host: it need not look for what it takes, but is called when there is some.

use std::os::fd::OwnedFd;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::net::SendFlags;

use super::Worker;
use super::hand::Hand;
use super::shared::Shared;
use crate::error::Result;

/// Where the host listens.
#[derive(Default)]
pub struct News(OnceLock<OwnedFd>);

impl News {
    /// Calls the host. What has no room is one of many calls that it has not heard yet.
    pub fn ring(&self) {
        if let Some(socket) = self.0.get() {
            let _ = rustix::net::send(socket, b"\0", SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
        }
    }
}

impl Worker {
    /// From now on a byte 0 is sent to this socket when the host has something to look at: [`Worker::take_interrupt`],
    /// [`Worker::take_signal`], [`Worker::take_refused`], [`Worker::ordered`], [`Worker::is_paused`], or an earlier
    /// [`Worker::next_look`]. Once; a second socket is closed.
    ///
    /// # Errors
    /// `CLOSED` in a forked child.
    pub fn ring_on_news(&self, socket: OwnedFd) -> Result<()> {
        // A socket that comes too late is dropped.
        let _ = self.inner("worker_ring_on_news")?.shared.news.0.set(socket);
        Ok(())
    }

    /// How long until the host must look without being called: for [`Worker::take_interrupt`] or [`Worker::is_stuck`], when a
    /// handler's time is over. None: until it is called. Who asks this first and then looks misses nothing.
    pub fn next_look(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut shift = self.inner("worker_next_look").ok()?.shared.shift();
        shift.hand.next_look(now).map(|at| at.saturating_duration_since(now))
    }
}

impl Shared {
    /// Calls the host when a job that has just begun ends its sleep sooner.
    pub fn ring_if_sooner(&self, hand: &mut Hand) {
        if hand.is_sooner() {
            self.news.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::AtomicBool;

    use super::super::hand::tests::job;
    use super::super::supervisor::Signal;
    use super::*;
    use crate::client::Client;

    #[test]
    fn the_host_is_called_for_what_it_takes() {
        let client = Client::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
        let worker = Worker::open(&client, r#"{"queues":["q"],"timeout_ms":60000}"#).unwrap();
        let (mut heard, rung) = UnixStream::pair().unwrap();
        heard.set_nonblocking(true).unwrap();
        worker.ring_on_news(rung.into()).unwrap();
        let shared = &worker.inner("test").unwrap().shared;
        let mut rings = || heard.read(&mut [0; 16]).unwrap_or(0);
        let now = Instant::now();
        assert_eq!((rings(), worker.next_look()), (0, None));

        shared.shift().hand.receive(vec![job("a", "k"), job("b", "k")], now);
        Worker::take(shared, Duration::MAX, &AtomicBool::new(false)).unwrap();
        assert_eq!(rings(), 1, "its time is over sooner than never");
        assert!(worker.next_look().is_some());
        Worker::take(shared, Duration::MAX, &AtomicBool::new(false)).unwrap();
        assert_eq!(rings(), 0, "its time is over later than that of the first");

        assert_eq!(worker.next_in_hand().unwrap(), None);
        assert_eq!(shared.shift().fetch.waiting(), 0, "nobody asks for more");
        shared.shift().hand.receive(vec![job("c", "k"), job("d", "k")], now);
        assert_eq!(worker.next_in_hand().unwrap().map(|job| job.jid).as_deref(), Some("c"));
        assert_eq!(worker.running(), 3);

        worker.pause();
        assert_eq!(worker.next_in_hand().unwrap(), None, "it takes none");
        worker.kill_running();
        shared.obey(Signal::Ttin);
        assert_eq!(rings(), 3);
        worker.take_interrupts();
        shared.announce(shared.shift(), 0);
        assert_eq!(rings(), 0);
        let lease = shared.shift().leases().pop().unwrap();
        shared.shift().hand.lose(&lease, "expired");
        shared.announce(shared.shift(), 0);
        assert_eq!(rings(), 1);
    }
}
