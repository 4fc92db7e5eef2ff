//! What a subscription listens to.

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

/// What to listen to. See [`Client::events`].
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

    /// The channels to subscribe to, and the pattern if there is one.
    pub(super) fn channels(&self, client: &Options) -> (Vec<String>, Option<String>) {
        let mut names: Vec<&str> = self.what.iter().map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        let worker = self.worker.as_ref().map(|worker| client.key(&format!("worker-event:{worker}")));
        let all = names.first() == Some(&ALL) || (names.is_empty() && worker.is_none());
        let pattern = all.then(|| client.key("event:*"));
        if all {
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
