//! StatsD: counters and timings of the jobs that end, by UDP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use super::hooks::{Hooks, Run};
use super::lines::Lines;
use crate::check;
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::native;
use crate::worker::Outcome;

/// The prefix when nobody says.
pub const DEFAULT_KEY: &str = "manyhands";

/// The wait before a name is looked up a second time; it doubles, up to a minute.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// Where the figures go, and what their names begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatsdOptions {
    host: String,
    port: u16,
    key: String,
}

impl StatsdOptions {
    /// Takes the option `statsd` from a worker's options.
    pub fn take(options: &mut Fields) -> Result<Option<StatsdOptions>> {
        let Some(mut given) = options.object("statsd")? else { return Ok(None) };
        let host = given.required_text("host")?;
        check::name(&host, "options.statsd.host")?;
        let port = given.integer_in("port", 1, i64::from(u16::MAX))?.unwrap_or(8_125) as u16;
        let key = given.text("key")?.unwrap_or_else(|| DEFAULT_KEY.to_owned());
        check_key(&key, "options.statsd.key")?;
        given.end()?;
        Ok(Some(StatsdOptions { host, port, key }))
    }
}

/// Refuses what cannot be a part of a figure's name.
pub fn check_key(key: &str, name: &str) -> Result<()> {
    if clean(key) == key {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} {key} has characters other than letters, digits, _, - and .")))
}

/// Sends `<key>.<kind>.count`, `<key>.<kind>.<outcome>` and `<key>.<kind>.time` (milliseconds) for every job that ends. What
/// cannot be sent at once is dropped; it costs no job anything.
pub struct Statsd {
    options: StatsdOptions,
    /// Connected; there once the host's address is known.
    socket: Arc<OnceLock<UdpSocket>>,
    lines: Lines,
}

impl Statsd {
    pub fn new(options: StatsdOptions, lines: Lines) -> Statsd {
        Statsd { options, socket: Arc::default(), lines }
    }

    fn look_up(&self) {
        let StatsdOptions { host, port, .. } = self.options.clone();
        if let Ok(address) = host.trim_matches(['[', ']']).parse::<IpAddr>() {
            keep(&self.socket, SocketAddr::new(address, port));
            return;
        }
        // A name may take seconds: no job waits for that, and what ends meanwhile is not counted.
        let (place, lines) = (Arc::downgrade(&self.socket), self.lines.clone());
        let look_up = move || {
            let address = || (host.as_str(), port).to_socket_addrs().ok()?.next();
            let told_later = |tries: u32| {
                if tries == 0 {
                    lines.say(format!("manyhands: StatsD host {host} has no address; tried again\n"));
                }
                thread::sleep(FIRST_WAIT.saturating_mul(1 << tries.min(6)));
            };
            keep_when_known(&place, address, told_later);
        };
        // Without a thread there are no figures.
        let _ = native::begin("mh-statsd", look_up);
    }
}

/// Looks for the address until it is known, or the worker is gone: names are often unknown while a machine starts.
fn keep_when_known(
    place: &Weak<OnceLock<UdpSocket>>,
    mut address: impl FnMut() -> Option<SocketAddr>,
    mut wait: impl FnMut(u32),
) {
    for tries in 0.. {
        let found = address();
        let Some(place) = place.upgrade() else { return };
        if let Some(found) = found {
            return keep(&place, found);
        }
        drop(place);
        wait(tries);
    }
}

fn keep(place: &OnceLock<UdpSocket>, to: SocketAddr) {
    let any = if to.is_ipv4() { IpAddr::from(Ipv4Addr::UNSPECIFIED) } else { Ipv6Addr::UNSPECIFIED.into() };
    let connected = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect(to)?;
        Ok(socket)
    });
    if let Ok(socket) = connected {
        let _ = place.set(socket);
    }
}

impl Hooks for Statsd {
    fn on_start(&self, _worker: &str) {
        self.look_up();
    }

    fn after_perform(&self, run: &Run<'_>, outcome: &Outcome, took: Duration) {
        if let Some(socket) = self.socket.get() {
            // Full buffers and absent receivers cost figures, not jobs.
            let _ = socket.send(figures(&self.options.key, run.kind, outcome, took).as_bytes());
        }
    }
}

fn figures(key: &str, kind: &str, outcome: &Outcome, took: Duration) -> String {
    let dot = if key.is_empty() { "" } else { "." };
    let name = format!("{key}{dot}{}", clean(kind));
    format!("{name}.count:1|c\n{name}.{}:1|c\n{name}.time:{}|ms", outcome.name(), took.as_millis())
}

/// A text as part of a figure's name: `:`, `|`, `@` and blanks would end it.
fn clean(text: &str) -> String {
    text.replace(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c), "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(json: &str) -> Result<Option<StatsdOptions>> {
        let json = format!("{{\"statsd\":{json}}}");
        StatsdOptions::take(&mut Fields::parse(&json, "options").unwrap())
    }

    #[test]
    fn figures_are_named_by_key_and_kind() {
        let took = Duration::from_micros(12_700);
        assert_eq!(
            figures("app.jobs", "Send::Mail", &Outcome::DONE, took),
            "app.jobs.Send__Mail.count:1|c\napp.jobs.Send__Mail.complete:1|c\napp.jobs.Send__Mail.time:12|ms"
        );
        assert!(figures("", "k", &Outcome::UnknownKind, took).contains("\nk.unknown_kind:1|c\n"));
    }

    #[test]
    fn a_name_that_has_no_address_yet_is_looked_up_again() {
        let socket = Arc::default();
        let (mut tried, mut waited) = (0, Vec::new());
        let address = || {
            tried += 1;
            (tried == 3).then(|| SocketAddr::from(([127, 0, 0, 1], 8_125)))
        };
        keep_when_known(&Arc::downgrade(&socket), address, |tries| waited.push(tries));
        assert_eq!((waited, socket.get().is_some()), (vec![0, 1], true));
        let gone = Weak::new();
        keep_when_known(&gone, || None, |_| panic!("nobody is left to wait for"));
    }

    #[test]
    fn options_have_defaults_and_are_checked() {
        let found = options(r#"{"host":"localhost"}"#).unwrap().unwrap();
        assert_eq!((found.port, found.key.as_str()), (8_125, "manyhands"));
        assert_eq!(options("null").unwrap(), None);
        let message = |json| options(json).unwrap_err().message;
        assert_eq!(message("{}"), "options.statsd.host is missing");
        assert_eq!(message(r#"{"host":"h","port":0}"#), "options.statsd.port 0 is outside 1..65535");
        assert!(message(r#"{"host":"h","key":"a b"}"#).starts_with("options.statsd.key a b has characters"));
        assert_eq!(message(r#"{"host":"h","ky":""}"#), "options.statsd.ky is unknown");
    }
}
