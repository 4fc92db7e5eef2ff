//! What the engine tells of one job.

use redis::{PushKind, Value};

use crate::json::Fields;
use crate::ops::reply;

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobEvent {
    /// What happened, one of the names of [`EventsOptions::what`](crate::EventsOptions::what); on a worker's channel `stalled`,
    /// `lost` or `cancelled`.
    pub event: String,
    /// To which job.
    pub jid: String,
    /// The queue it is in now.
    pub queue: String,
    /// The name of its handler.
    pub kind: String,
    /// Who holds it now; on a worker's channel, that worker. None: nobody.
    pub worker: Option<String>,
    /// When, in ms since 1970 by Redis's clock.
    pub at_ms: i64,
}

impl JobEvent {
    /// Reads what was published; None when a stranger published it.
    pub(super) fn read(json: &str) -> Option<JobEvent> {
        let mut fields = Fields::parse(json, "event").ok()?;
        Some(JobEvent {
            event: fields.required_text("event").ok()?,
            jid: fields.required_text("jid").ok()?,
            queue: fields.required_text("queue").ok()?,
            kind: fields.required_text("kind").ok()?,
            worker: fields.text("worker").ok()?,
            at_ms: fields.integer("at_ms").ok()??,
        })
    }

    /// The event as JSON: `event`, `jid`, `queue`, `kind`, `worker` (or null), `at_ms`.
    pub fn to_json(&self) -> String {
        serde_json::json!({
            "event": self.event,
            "jid": self.jid,
            "queue": self.queue,
            "kind": self.kind,
            "worker": self.worker,
            "at_ms": self.at_ms,
        })
        .to_string()
    }
}

/// The event in a message of the server's, and how it was told; None for anything else.
pub(super) fn published(value: Value) -> Option<(JobEvent, String)> {
    let Value::Push { kind: PushKind::Message | PushKind::PMessage, mut data } = value else { return None };
    let told = reply::text(data.pop()?).ok()?;
    Some((JobEvent::read(&told)?, told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_and_written() {
        let json = r#"{"at_ms":5,"event":"put","jid":"a","kind":"k","queue":"q","worker":null}"#;
        let event = JobEvent::read(json).unwrap();
        assert_eq!((event.event.as_str(), event.at_ms, event.worker.as_deref()), ("put", 5, None));
        assert_eq!(event.to_json(), json);
        assert_eq!(JobEvent::read("hello"), None);
        assert_eq!(JobEvent::read("{}"), None);
    }
}
