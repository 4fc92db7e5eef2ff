//! What a service manager wants to know (`sd_notify`): that the service is up, how it does, and that it still lives.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// What a service manager says to the process it has started, and to no other.
pub const VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

/// How long a manager that has much to read is waited for: the processes need looking after.
const PATIENCE: Duration = Duration::from_millis(100);

/// Where news goes; nowhere when no service manager asked.
pub struct Notify {
    manager: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
    alive_at: Instant,
}

impl Notify {
    /// To whom the environment says.
    pub fn from_environment(now: Instant) -> Notify {
        let variable = |name| std::env::var_os(name);
        let manager = variable("NOTIFY_SOCKET").and_then(|path| manager(&path));
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|span| ours && *span > 0).map(Duration::from_micros);
        Notify { manager, watchdog, alive_at: now }
    }

    /// One or more assignments, a line each. Nobody waits for an answer, nor for long until somebody listens.
    pub fn tell(&self, news: &str) {
        if let Some((socket, address)) = &self.manager {
            let _ = socket.send_to_addr(news.as_bytes(), address);
        }
    }

    /// Says that we live, twice within the time the manager allows. Answers when next.
    pub fn live(&mut self, now: Instant) -> Option<Instant> {
        let every = self.watchdog? / 2;
        if self.alive_at <= now {
            self.tell("WATCHDOG=1");
            self.alive_at = now + every;
        }
        Some(self.alive_at)
    }
}

fn manager(path: &OsStr) -> Option<(UnixDatagram, SocketAddr)> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    Some((socket, address(path)?))
}

/// A path, or a name in the abstract namespace after an `@`.
fn address(path: &OsStr) -> Option<SocketAddr> {
    match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        _ => SocketAddr::from_pathname(path).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_reaches_the_manager_and_the_watchdog_twice_within_its_time() {
        let name = format!("mh-notify-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let now = Instant::now();
        let to = super::manager(OsStr::new(&format!("@{name}")));
        let mut notify = Notify { manager: to, watchdog: Some(Duration::from_secs(10)), alive_at: now };
        let heard = || {
            let mut buffer = [0; 64];
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        notify.tell("READY=1");
        assert_eq!(heard(), "READY=1");
        assert_eq!(notify.live(now), Some(now + Duration::from_secs(5)));
        assert_eq!(heard(), "WATCHDOG=1");
        assert_eq!(notify.live(now + Duration::from_secs(4)), Some(now + Duration::from_secs(5)));
        manager.set_nonblocking(true).unwrap();
        assert!(manager.recv(&mut [0; 8]).is_err());
    }

    #[test]
    fn a_manager_that_does_not_listen_holds_nobody_up() {
        let name = format!("mh-notify-deaf-{}", std::process::id());
        let to = SocketAddr::from_abstract_name(&name).unwrap();
        let _manager = UnixDatagram::bind_addr(&to).unwrap();
        let others = UnixDatagram::unbound().unwrap();
        others.set_nonblocking(true).unwrap();
        while others.send_to_addr(b"news", &to).is_ok() {}
        let (told, done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let manager = manager(OsStr::new(&format!("@{name}")));
            Notify { manager, watchdog: None, alive_at: Instant::now() }.tell("STATUS=busy");
            told.send(()).unwrap();
        });
        done.recv_timeout(Duration::from_secs(20)).expect("it waits for somebody who does not listen");
    }

    #[test]
    fn without_a_manager_nothing_is_said() {
        let now = Instant::now();
        let mut notify = Notify { manager: None, watchdog: None, alive_at: now };
        notify.tell("READY=1");
        assert_eq!(notify.live(now), None);
    }
}
