//! The log: a line on standard error for every job that ends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::hooks::{Hooks, Run};
use super::lines::Lines;
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::worker::Outcome;

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `2026-01-31T12:00:00.000Z info end queue=mail …`
    Text,
    /// One JSON object.
    Json,
}

impl Format {
    /// Takes the options `log` and `logged` from a worker's options; None: no log.
    pub fn take(options: &mut Fields) -> Result<Option<Format>> {
        let chosen = match options.text("log")?.as_deref() {
            None | Some("off") => None,
            Some("text") => Some(Format::Text),
            Some("json") => Some(Format::Json),
            Some(other) => {
                return Err(Error::invalid(format!("options.log {other} is unknown; known are off, text, json")));
            }
        };
        let logged = options.boolean("logged")?.unwrap_or(false);
        Ok(chosen.or(logged.then_some(Format::Text)))
    }
}

/// Writes a line when a job ends or is lost, and, if `verbose`, when it starts.
pub struct Log {
    format: Format,
    verbose: bool,
    lines: Lines,
}

impl Log {
    pub fn new(format: Format, verbose: bool, lines: Lines) -> Log {
        Log { format, verbose, lines }
    }

    fn write(&self, level: &str, event: &str, fields: &[(&str, Value)]) {
        let mut line = match self.format {
            Format::Text => text(level, event, fields),
            Format::Json => json_line(level, event, fields),
        };
        line.push('\n');
        self.lines.say(line);
    }
}

impl Hooks for Log {
    fn before_perform(&self, run: &Run<'_>) {
        if self.verbose {
            self.write("debug", "start", &about(run));
        }
    }

    fn after_perform(&self, run: &Run<'_>, outcome: &Outcome, took: Duration) {
        let mut fields = about(run).to_vec();
        fields.push(("outcome", outcome.name().into()));
        fields.push(("duration_ms", json!(took.as_micros() as f64 / 1000.0)));
        if let Some(message) = outcome.message().filter(|message| !message.is_empty()) {
            fields.push(("message", message.into()));
        }
        let level = match outcome {
            Outcome::Fail { .. } | Outcome::UnknownKind => "error",
            Outcome::Error { .. } | Outcome::Retry { .. } => "warn",
            Outcome::Complete { .. } | Outcome::Snooze { .. } | Outcome::Release => "info",
        };
        self.write(level, "end", &fields);
    }

    fn on_lock_lost(&self, worker: &str, jid: &str, _token: &str, reason: &str) {
        let pid = std::process::id();
        let fields = [("worker", worker.into()), ("pid", pid.into()), ("jid", jid.into()), ("reason", reason.into())];
        self.write("warn", "lost", &fields);
    }
}

fn about(run: &Run<'_>) -> [(&'static str, Value); 6] {
    [
        ("worker", run.worker.into()),
        ("pid", std::process::id().into()),
        ("queue", run.queue.into()),
        ("kind", run.kind.into()),
        ("jid", run.jid.into()),
        ("attempt", run.attempt.into()),
    ]
}

fn json_line(level: &str, event: &str, fields: &[(&str, Value)]) -> String {
    let head = [("time", now().into()), ("level", level.into()), ("event", event.into())];
    let all = head.iter().chain(fields).map(|(name, value)| ((*name).to_owned(), value.clone()));
    Value::Object(Map::from_iter(all)).to_string()
}

fn text(level: &str, event: &str, fields: &[(&str, Value)]) -> String {
    let mut line = format!("{} {level} {event}", now());
    for (name, value) in fields {
        let plain = value.as_str().filter(|text| {
            !text.is_empty() && text.chars().all(|c| !c.is_whitespace() && !c.is_control() && c != '"' && c != '=')
        });
        line.push_str(&format!(" {name}={}", plain.map_or_else(|| value.to_string(), str::to_owned)));
    }
    line
}

fn now() -> String {
    // A clock that stands before 1970 has no year that could be written.
    let now = SystemTime::now().max(UNIX_EPOCH);
    humantime::format_rfc3339_millis(now).to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    use std::time::Instant;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    const RUN: Run<'_> = Run { worker: "w", jid: "j1", token: "7", kind: "send mail", queue: "q", attempt: 2 };

    fn lines(format: Format, verbose: bool) -> Vec<String> {
        let written = Written::default();
        let lines = Lines::to(written.clone());
        let log = Log::new(format, verbose, lines.clone());
        log.before_perform(&RUN);
        log.after_perform(&RUN, &Outcome::DONE, Duration::from_micros(1_500));
        log.after_perform(&RUN, &Outcome::thrown("E", "two\nlines"), Duration::ZERO);
        log.on_lock_lost("w", "j1", "7", "expired");
        lines.flush(Instant::now() + Duration::from_secs(20));
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_is_json_with_everything_there_is_to_know() {
        let lines = lines(Format::Json, true);
        let parsed: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told = |name: &str| parsed.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
        assert_eq!(told("event"), ["start", "end", "end", "lost"]);
        assert_eq!(told("level"), ["debug", "info", "warn", "warn"]);
        assert_eq!(told("outcome"), [Value::Null, "complete".into(), "error".into(), Value::Null]);
        assert_eq!((&parsed[1]["duration_ms"], &parsed[2]["message"]), (&json!(1.5), &json!("two\nlines")));
        let same = json!({"worker":"w","pid":std::process::id(),"queue":"q","kind":"send mail","jid":"j1","attempt":2});
        assert!(same.as_object().unwrap().iter().all(|(name, value)| parsed[1][name] == *value), "{}", lines[1]);
    }

    #[test]
    fn a_line_of_text_quotes_what_has_spaces() {
        let lines = lines(Format::Text, false);
        assert_eq!(lines.len(), 3, "starts are told to the verbose only");
        let pid = std::process::id();
        let (time, rest) = lines[0].split_once(' ').unwrap();
        assert_eq!((time.len(), time.ends_with('Z')), (24, true), "UTC, in milliseconds: {time}");
        assert_eq!(
            rest,
            format!(
                "info end worker=w pid={pid} queue=q kind=\"send mail\" jid=j1 attempt=2 outcome=complete duration_ms=1.5"
            )
        );
        assert!(lines[1].ends_with(r#"outcome=error duration_ms=0.0 message="two\nlines""#), "{}", lines[1]);
    }
}
