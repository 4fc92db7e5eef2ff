//! What a subscription listens to.

use super::event::JobEvent;
use crate::check;
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::options::Options;

/// What can happen to a job, in the order of its life.
const NAMES: [&str; 12] = [
    "put",
    "waiting",
    "scheduled",
    "blocked",
    "throttled",
    "reserved",
    "stalled",
    "completed",
    "failed",
    "cancelled",
    "track",
    "untrack",
];
/// Stands for all of them.
const ALL: &str = "*";

/// What to listen to. See [`Client::events`](crate::Client::events).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsOptions {
    /// Names of events: `put`, `waiting`, `scheduled`, `blocked`, `throttled`, `reserved`, `stalled`, `completed`, `failed`,
    /// `cancelled`, `track`, `untrack`; `*` stands for all. Empty: all, or none when a worker is named.
    pub what: Vec<String>,
    /// Listen to this worker's channel too: what becomes of the jobs it holds, `stalled`, `lost` or `cancelled`, whether
    /// they are tracked or not.
    pub worker: Option<String>,
}

impl EventsOptions {
    /// Reads the options from JSON, `{"what": ["completed"], "worker": "host:1:ab"}`, both optional; an empty text stands
    /// for no options.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option that is wrong or unknown.
    pub fn parse(json: &str) -> Result<EventsOptions> {
        let mut fields = Fields::parse(if json.is_empty() { "{}" } else { json }, "options")?;
        let options = EventsOptions { what: fields.texts("what")?.unwrap_or_default(), worker: fields.text("worker")? };
        fields.end()?;
        options.check()?;
        Ok(options)
    }

    pub(super) fn check(&self) -> Result<()> {
        for (index, what) in self.what.iter().enumerate() {
            if what != ALL && !NAMES.contains(&what.as_str()) {
                return Err(Error::invalid(format!(
                    "options.what[{index}] {} is no event: {} or {ALL}",
                    crate::json::quote(what),
                    NAMES.join(", ")
                )));
            }
        }
        self.worker.as_ref().map_or(Ok(()), |worker| check::name(worker, "options.worker"))
    }

    /// Whether all kinds of events are listened to.
    fn hears_all(&self) -> bool {
        self.what.iter().any(|name| name == ALL) || (self.what.is_empty() && self.worker.is_none())
    }

    /// How often an event of the stream is told to this subscription: as one of its name, and as news for its worker.
    pub(super) fn times_heard(&self, event: &JobEvent) -> usize {
        // Only a worker is told that it has lost a job. When one stalls, all are told the same, and the stream has it once.
        let named = event.event != "lost" && (self.hears_all() || self.what.contains(&event.event));
        let news = self.worker.is_some() && event.worker == self.worker && matches!(&*event.event, "lost" | "stalled");
        usize::from(named) + usize::from(news)
    }

    /// False when the worker may have been told something that the stream does not tell: it names no worker with a job that
    /// was cancelled.
    pub(super) fn hears_as_kept(&self, event: &JobEvent) -> bool {
        self.worker.is_none() || event.event != "cancelled"
    }

    /// The channels to subscribe to, and the pattern if there is one.
    pub(super) fn channels(&self, client: &Options) -> (Vec<String>, Option<String>) {
        let mut names: Vec<&str> = self.what.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let worker = self.worker.as_ref().map(|worker| client.key(&format!("worker-event:{worker}")));
        let pattern = self.hears_all().then(|| client.key("event:*"));
        if pattern.is_some() {
            names.clear();
        }
        let channel = |name: &str| client.key(&format!("event:{name}"));
        (names.into_iter().map(channel).chain(worker).collect(), pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_faults_named() {
        let options = EventsOptions::parse(r#"{"what":["completed","*"],"worker":"w"}"#).unwrap();
        assert_eq!((options.what.len(), options.worker.as_deref()), (2, Some("w")));
        assert_eq!(EventsOptions::parse("").unwrap(), EventsOptions::default());
        let message = |json| EventsOptions::parse(json).unwrap_err().message;
        assert!(
            message(r#"{"what":["put","complete"]}"#).starts_with("options.what[1] \"complete\" is no event: put, ")
        );
        assert_eq!(message(r#"{"worker":""}"#), "options.worker is empty");
        assert_eq!(message(r#"{"jids":[]}"#), "options.jids is unknown");
    }
}
