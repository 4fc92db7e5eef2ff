//! The same as JSON, for every language but this one.

use super::Outcome;
use crate::check;
use crate::error::{Error, Result};
use crate::json::{self, Fields};
use crate::ops::{JobComplete, JobFail, JobRelease, JobRetry, JobSnooze};
use crate::request::Request;

/// Every outcome as JSON names it, and the operation that does the same.
const VERBS: [(&str, &str); 7] = [
    ("complete", JobComplete::OPERATION),
    ("fail", JobFail::OPERATION),
    ("retry", JobRetry::OPERATION),
    ("snooze", JobSnooze::OPERATION),
    ("error", JobRetry::OPERATION),
    ("release", JobRelease::OPERATION),
    ("unknown_kind", JobSnooze::OPERATION),
];

impl Outcome {
    /// Done, with a result (one JSON value) and options `{"data"?,"queue"?,"delay_ms"?,"dependencies"?}`; an empty text stands for no options.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option that is wrong or unknown.
    pub fn completed(result: Option<&str>, options_json: &str) -> Result<Outcome> {
        let result = result.map(str::to_owned);
        if options_json.is_empty() {
            return Ok(Outcome::done(result));
        }
        let mut options = Fields::parse(options_json, "options")?;
        let outcome = Outcome::take_complete(result, &mut options)?;
        options.end()?;
        Ok(outcome)
    }

    fn take_complete(result: Option<String>, fields: &mut Fields) -> Result<Outcome> {
        Ok(Outcome::Complete {
            result,
            data: fields.raw("data")?,
            queue: fields.text("queue")?,
            delay_ms: delay_ms(fields)?,
            dependencies: fields.texts("dependencies")?.unwrap_or_default(),
        })
    }

    /// Reads `{"complete":{"result"?,"data"?,"queue"?,"delay_ms"?,"dependencies"?}}`, `{"fail":{"group","message"?,"trace"?}}`,
    /// `{"retry":{"delay_ms"?,"group"?,"message"?,"trace"?}}`, `{"snooze":{"delay_ms"?}}`,
    /// `{"error":{"class","message"?,"trace"?}}`, `{"release":{}}` or `{"unknown_kind":{}}`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the member that is missing, wrong or unknown, during the operation that does the same.
    pub fn from_json(text: &str) -> Result<Outcome> {
        let mut outcome = Fields::parse(text, "outcome")?;
        let mut given = None;
        for (verb, operation) in VERBS {
            if let Some(members) = outcome.object(verb).map_err(|error| error.during(operation))?
                && let Some((first, ..)) = given.replace((verb, operation, members))
            {
                return Err(Error::invalid(format!("outcome has both {first} and {verb}")));
            }
        }
        outcome.end()?;
        let (verb, operation, members) = given.ok_or_else(|| {
            let verbs = VERBS.map(|(verb, _)| verb).join(", ");
            Error::invalid(format!("outcome is empty; one of {verbs} is needed"))
        })?;
        Outcome::take(verb, members.unplaced()).map_err(|error| error.during(operation))
    }

    /// The JSON that [`Outcome::from_json`] reads, without members that say nothing.
    pub fn to_json(&self) -> String {
        let text = |text: &String| (!text.is_empty()).then(|| json::quote(text));
        let span = |ms: &u64| (*ms > 0).then(|| ms.to_string());
        let members = match self {
            Outcome::Complete { result, data, queue, delay_ms, dependencies } => vec![
                ("result", result.clone()),
                ("data", data.clone()),
                ("queue", queue.as_ref().map(|queue| json::quote(queue))),
                ("delay_ms", span(delay_ms)),
                ("dependencies", (!dependencies.is_empty()).then(|| serde_json::json!(dependencies).to_string())),
            ],
            Outcome::Fail { group, message, trace } => {
                vec![("group", Some(json::quote(group))), ("message", text(message)), ("trace", text(trace))]
            }
            Outcome::Retry { delay_ms, group, message, trace } => vec![
                ("delay_ms", span(delay_ms)),
                ("group", text(group)),
                ("message", text(message)),
                ("trace", text(trace)),
            ],
            Outcome::Snooze { delay_ms } => vec![("delay_ms", span(delay_ms))],
            Outcome::Error { class, message, trace } => {
                vec![("class", Some(json::quote(class))), ("message", text(message)), ("trace", text(trace))]
            }
            Outcome::Release | Outcome::UnknownKind => Vec::new(),
        };
        let said = members.into_iter().filter_map(|(name, value)| Some(format!("\"{name}\":{}", value?)));
        format!("{{\"{}\":{{{}}}}}", self.name(), said.collect::<Vec<_>>().join(","))
    }

    fn take(verb: &str, mut fields: Fields) -> Result<Outcome> {
        let outcome = match verb {
            "complete" => {
                let result = fields.raw("result")?;
                Outcome::take_complete(result, &mut fields)?
            }
            "fail" => Outcome::Fail {
                group: fields.required_text("group")?,
                message: fields.text("message")?.unwrap_or_default(),
                trace: fields.text("trace")?.unwrap_or_default(),
            },
            "retry" => Outcome::Retry {
                delay_ms: delay_ms(&mut fields)?,
                group: fields.text("group")?.unwrap_or_default(),
                message: fields.text("message")?.unwrap_or_default(),
                trace: fields.text("trace")?.unwrap_or_default(),
            },
            "snooze" => Outcome::Snooze { delay_ms: delay_ms(&mut fields)? },
            "error" => Outcome::Error {
                class: fields.required_text("class")?,
                message: fields.text("message")?.unwrap_or_default(),
                trace: fields.text("trace")?.unwrap_or_default(),
            },
            "release" => Outcome::Release,
            _ => Outcome::UnknownKind,
        };
        fields.end()?;
        Ok(outcome)
    }
}

fn delay_ms(fields: &mut Fields) -> Result<u64> {
    let Some(given) = fields.integer("delay_ms")? else { return Ok(0) };
    check::span_ms(given, &fields.path("delay_ms")).map(|()| given as u64)
}

#[cfg(test)]
mod tests {
    use super::super::failure_group;
    use super::*;
    use crate::ops::{Again, Completion, Ending, Failure, Pause};

    fn message(json: &str) -> String {
        Outcome::from_json(json).unwrap_err().message
    }

    fn ending(json: &str) -> Ending {
        Outcome::from_json(json).unwrap().into_ending("resize", 2)
    }

    #[test]
    fn json_becomes_what_the_engine_is_told() {
        let complete = |result: Option<&str>| {
            Ending::Complete(Completion { result: result.map(String::from), ..Completion::default() })
        };
        assert_eq!(ending(r#"{"complete":{}}"#), complete(None));
        assert_eq!(ending(r#"{"complete":{"result": {"b": 1.0}}}"#), complete(Some(r#"{"b": 1.0}"#)));
        assert_eq!(ending(r#"{"complete":{"result":null}}"#), complete(Some("null")));
        assert_eq!(
            ending(r#"{"complete":{"data":{"a": 1},"queue":"next","delay_ms":5,"dependencies":["other"]}}"#),
            Ending::Complete(Completion {
                result: None,
                data: Some(r#"{"a": 1}"#.into()),
                queue: Some("next".into()),
                delay_ms: 5,
                dependencies: vec!["other".into()]
            })
        );
        assert_eq!(
            ending(r#"{"fail":{"group":"bad input","message":"no"}}"#),
            Ending::Fail(Failure { group: "bad input".into(), message: "no".into(), trace: String::new() })
        );
        assert_eq!(ending(r#"{"retry":{"delay_ms":7}}"#), Ending::Retry(Again { delay_ms: 7, ..Again::default() }));
        assert_eq!(
            ending(r#"{"retry":{"group":"g","message":"m","trace":"t"}}"#),
            Ending::Retry(Again { delay_ms: 0, group: "g".into(), message: "m".into(), trace: "t".into() })
        );
        assert_eq!(ending(r#"{"snooze":{}}"#), Ending::Snooze(Pause { delay_ms: 0 }));
        assert_eq!(ending(r#"{"release":{}}"#), Ending::Release);
        assert_eq!(ending(r#"{"unknown_kind":{}}"#), Ending::UnknownKind);
    }

    #[test]
    fn to_json_is_what_from_json_reads() {
        for json in [
            r#"{"complete":{}}"#,
            r#"{"complete":{"result":[1.50],"data":{"a": 1},"queue":"q\"","delay_ms":5,"dependencies":["a"]}}"#,
            r#"{"fail":{"group":"g","message":"m","trace":"t"}}"#,
            r#"{"retry":{"delay_ms":7,"group":"g","message":"m","trace":"t"}}"#,
            r#"{"snooze":{"delay_ms":9}}"#,
            r#"{"error":{"class":"C","message":"m"}}"#,
            r#"{"release":{}}"#,
            r#"{"unknown_kind":{}}"#,
        ] {
            assert_eq!(Outcome::from_json(json).unwrap().to_json(), json);
        }
    }

    #[test]
    fn an_error_is_a_retry_with_backoff_and_a_group() {
        let Ending::Retry(again) = ending(r#"{"error":{"class":"Key\nError","message":"x","trace":"y"}}"#) else {
            panic!("an error retries")
        };
        assert!((3_600..=4_400).contains(&again.delay_ms), "{}", again.delay_ms);
        assert_eq!((again.message.as_str(), again.trace.as_str()), ("x", "y"));
        assert_eq!(again.group, "resize:Key Error");
        assert_eq!(failure_group("k", &"é".repeat(200)), "k:".to_owned() + &"é".repeat(126));
    }

    #[test]
    fn errors_name_the_member() {
        assert_eq!(message(r#"{"completed":{}}"#), "outcome.completed is unknown");
        assert_eq!(message(r#"{"fail":{}}"#), "group is missing");
        assert_eq!(message(r#"{"retry":{"delay":1}}"#), "delay is unknown");
        assert_eq!(message(r#"{"snooze":{"delay_ms":-1}}"#), "delay_ms -1 is negative");
        assert_eq!(message(r#"{"complete":[]}"#).split(':').next(), Some("outcome.complete must be a JSON object"));
        assert_eq!(message(r#"{"retry":{},"snooze":{}}"#), "outcome has both retry and snooze");
        assert!(message("{}").starts_with("outcome is empty; one of complete, "));
    }

    #[test]
    fn errors_say_during_which_operation() {
        for (verb, operation) in VERBS {
            let error =
                Outcome::from_json(&format!(r#"{{"{verb}":{{"colour":1,"group":"g","class":"c"}}}}"#)).unwrap_err();
            assert_eq!(error.operation.as_deref(), Some(operation), "{error}");
            let members = if verb == "fail" { r#""group":"g""# } else { "" };
            let members = if verb == "error" { r#""class":"c""# } else { members };
            let outcome = Outcome::from_json(&format!(r#"{{"{verb}":{{{members}}}}}"#)).unwrap();
            assert_eq!(outcome.operation(), operation);
        }
    }

    #[test]
    fn a_completion_has_its_result_beside_its_options() {
        let completed = |result, options| Outcome::completed(result, options);
        assert_eq!(completed(None, "").unwrap(), Outcome::DONE);
        assert_eq!(
            completed(Some("[1.0]"), r#"{"data":{"a": 1},"queue":"next","delay_ms":5,"dependencies":["other"]}"#)
                .unwrap(),
            Outcome::from_json(
                r#"{"complete":{"result":[1.0],"data":{"a": 1},"queue":"next","delay_ms":5,"dependencies":["other"]}}"#
            )
            .unwrap()
        );
        let message = |options| completed(None, options).unwrap_err().message;
        assert_eq!(message(r#"{"delay_ms":-5}"#), "options.delay_ms -5 is negative");
        assert_eq!(message(r#"{"result":1}"#), "options.result is unknown");
    }
}
