//! Plays one scenario on one host, up to its first failure.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use crate::host::{Answer, Host, Request};
use crate::matcher::{compare, shortened};
use crate::scenario::{Action, Call, Clock, Expectation, Rule, Scenario, Step};
use crate::server::Server;
use crate::template::{Captures, expand_text, interpolate};

/// Where and how a scenario failed.
pub struct Failure {
    /// The scenario's file.
    pub path: PathBuf,
    /// The line that does not hold.
    pub line: usize,
    /// The host it was played on.
    pub host: String,
    /// What was called, expected and found.
    pub problem: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { path, line, host, problem } = self;
        let here = std::env::current_dir().unwrap_or_default();
        let path = path.strip_prefix(here).unwrap_or(path);
        write!(f, "{}:{line} × {host}: {problem}", path.display())
    }
}

/// Plays those of the scenarios that are for this host, until the host breaks. Returns how many held, and the others'
/// failures.
pub fn play_all<'a>(
    scenarios: impl IntoIterator<Item = &'a Scenario>,
    host: &mut dyn Host,
    server: &Server,
) -> (usize, Vec<Failure>) {
    let (mut passed, mut failures) = (0, Vec::new());
    for scenario in scenarios {
        if !scenario.is_for(host.name()) {
            continue;
        }
        match play(scenario, host, server) {
            Ok(()) => passed += 1,
            Err(failure) => failures.push(failure),
        }
        if host.is_gone() {
            break;
        }
    }
    (passed, failures)
}

/// Plays the scenario in namespaces of its own; a scenario that commands the server gets its own server.
///
/// # Errors
/// The first line that does not hold.
pub fn play(scenario: &Scenario, host: &mut dyn Host, shared: &Server) -> Result<(), Failure> {
    let failure =
        |host: &str, (line, problem)| Failure { path: scenario.path.clone(), line, host: host.to_owned(), problem };
    let commands = scenario.steps.iter().any(|step| matches!(step.action, Action::Server(..)));
    let own = commands.then(Server::start).transpose();
    let own = own.map_err(|error| failure(host.name(), (1, error.to_string())))?;
    let mut player = Player::new(&scenario.name, own.as_ref().unwrap_or(shared), host.name());
    let played = player.play_steps(host, &scenario.steps).and_then(|()| match host.name() {
        "door" => {
            player.use_client("check", &json!({}));
            player.check(host).map_err(|problem| (1, format!("at the end, {problem}")))
        }
        _ => Ok(()),
    });
    player.close_all(host);
    played.map_err(|stopped| failure(host.name(), stopped))
}

/// The line that does not hold, and why.
type Stopped = (usize, String);

/// What a scenario has set up so far.
struct Player<'a> {
    server: &'a Server,
    /// Root of client labels and namespaces: no two scenarios or hosts meet.
    root: String,
    client: String,
    options: Json,
    opened: Vec<(String, String)>,
    captures: Captures,
    clock: Option<i64>,
}

impl<'a> Player<'a> {
    fn new(scenario: &str, server: &'a Server, host: &str) -> Player<'a> {
        let mut player = Player {
            server,
            root: format!("{scenario}-{host}"),
            client: String::new(),
            options: Json::Null,
            opened: Vec::new(),
            captures: Captures::new(),
            clock: None,
        };
        player.use_client("main", &json!({}));
        player
    }

    fn play_steps(&mut self, host: &mut dyn Host, steps: &[Step]) -> Result<(), Stopped> {
        for step in steps {
            let stopped = |problem: String| (step.line, problem);
            match &step.action {
                Action::Call(Call { operation, arguments, expected }) => {
                    let arguments = expand_text(arguments, &self.captures).map_err(stopped)?;
                    let answer = self.call(host, operation, &arguments).map_err(stopped)?;
                    let shown = format!("{operation} {}", shortened(&arguments));
                    self.judge(operation, &answer, expected, step.line)
                        .map_err(|(line, problem)| (line, format!("{shown}\n    {problem}")))?;
                }
                Action::Clock(clock) => self.set_clock(host, clock).map_err(stopped)?,
                Action::Client(label, options) => self.use_client(label, options),
                Action::Close => match self.call(host, "close", "{}").map_err(stopped)? {
                    Ok(_) => (),
                    Err(error) => return Err(stopped(format!("close answered {error}"))),
                },
                Action::Agrees => self.check(host).map_err(stopped)?,
                Action::Server(words, expected) => {
                    let namespace = self.options["namespace"].as_str().unwrap_or_default();
                    let words: Vec<_> =
                        words.iter().map(|word| word.replace("{ns}", &format!("{{{namespace}}}"))).collect();
                    let answer = Ok(self.server.command(&words).map_err(stopped)?.to_string());
                    self.judge("server", &answer, expected, step.line)
                        .map_err(|(line, problem)| (line, format!("server {}\n    {problem}", words.join(" "))))?;
                }
                Action::Repeat(count, steps) => {
                    let before = self.captures.clone();
                    for index in 0..*count {
                        self.captures.insert("i".into(), index.into());
                        self.play_steps(host, steps)?;
                        self.captures.clone_from(&before);
                    }
                }
            }
        }
        Ok(())
    }

    /// Clients of one label and options are one; `url` may name `{socket}`, and a namespace is put under the root.
    fn use_client(&mut self, label: &str, options: &Json) {
        let url = options["url"].as_str().unwrap_or("unix://{socket}").replace("{socket}", &self.server.socket());
        let namespace = match options["namespace"].as_str() {
            Some(name) => format!("{}-{name}", self.root),
            None => self.root.clone(),
        };
        self.client = format!("{}/{label}", self.root);
        self.options = options.clone();
        self.options["url"] = url.into();
        self.options["namespace"] = namespace.into();
    }

    /// Whether everything agrees with the jobs' records. At the end it must, whatever was played; the engine is the same for
    /// every host: there it is enough to ask through one.
    fn check(&mut self, host: &mut dyn Host) -> Result<(), String> {
        let mut cursor = String::new();
        loop {
            let arguments = json!({"limit": 250, "cursor": cursor}).to_string();
            let answer = self.call(host, "check", &arguments)?;
            let reply = answer.map_err(|error| format!("check answered {error}"))?;
            let reply: Json = serde_json::from_str(&reply).map_err(|error| error.to_string())?;
            if reply["violations"] != json!([]) {
                return Err(format!("check finds {}", reply["violations"]));
            }
            cursor = reply["cursor"].as_str().unwrap_or_default().to_owned();
            if cursor.is_empty() {
                return Ok(());
            }
        }
    }

    fn call(&mut self, host: &mut dyn Host, operation: &str, arguments: &str) -> Result<Answer, String> {
        let options = self.options.to_string();
        let opened = (self.client.clone(), options.clone());
        if !self.opened.contains(&opened) {
            self.opened.push(opened);
        }
        let answer = host.call(&Request { client: &self.client, options: &options, operation, arguments })?;
        Ok(answer.and_then(|reply| match sole_refusal(&reply) {
            Some(error) => Err(error),
            None => Ok(reply),
        }))
    }

    /// A driver lives on after the scenario: it must not collect connections.
    fn close_all(&mut self, host: &mut dyn Host) {
        for (client, options) in std::mem::take(&mut self.opened) {
            // What could not be opened cannot be closed; the scenario has said so where it matters.
            let _ = host.call(&Request { client: &client, options: &options, operation: "close", arguments: "{}" });
        }
    }

    /// The clock is a setting of the engine, so that no client needs one.
    fn set_clock(&mut self, host: &mut dyn Host, clock: &Clock) -> Result<(), String> {
        let now = match (clock, self.clock) {
            (Clock::At(instant), _) => *instant,
            (Clock::Plus(span), Some(now)) => now + span,
            (Clock::Plus(_), None) => return Err("clock + needs a clock".into()),
        };
        self.clock = Some(now);
        let set = json!({"name": "test-clock", "value": now}).to_string();
        self.call(host, "config_set", &set)?.map(drop).map_err(|error| format!("the clock was not set: {error}"))
    }

    fn judge(
        &mut self,
        operation: &str,
        answer: &Answer,
        expected: &[Expectation],
        line: usize,
    ) -> Result<(), Stopped> {
        if expected.is_empty() {
            let unexpected = |error: &Json| (line, format!("expected a reply\n    actual   {error}"));
            return answer.as_ref().map(drop).map_err(unexpected);
        }
        for Expectation { line, rule } in expected {
            self.judge_rule(operation, answer, rule).map_err(|problem| (*line, problem))?;
        }
        Ok(())
    }

    fn judge_rule(&mut self, operation: &str, answer: &Answer, rule: &Rule) -> Result<(), String> {
        let differs = |expected: &str, actual: &dyn fmt::Display| {
            Err(format!("expected {expected}\n    actual   {}", shortened(&actual.to_string())))
        };
        match (rule, answer) {
            (Rule::Reply(expected), Ok(reply)) => {
                let actual =
                    serde_json::from_str(reply).map_err(|error| format!("{operation} answered {reply}: {error}"))?;
                compare(expected, &actual, &mut self.captures).map_err(|mismatch| mismatch.to_string())
            }
            (Rule::Text(piece), Ok(reply)) if reply.contains(&interpolate(piece, &self.captures)?) => Ok(()),
            (Rule::Text(piece), Ok(reply)) => differs(piece, reply),
            (Rule::Error(code, words), Err(error)) => {
                let said = format!("{} {}", error["message"].as_str().unwrap_or_default(), error["reason"]);
                match error["name"] == code.name() && words.iter().all(|word| said.contains(word.as_str())) {
                    true => Ok(()),
                    false => differs(&format!("{code} {}", words.join(" ")), error),
                }
            }
            (Rule::ErrorFields(expected), Err(error)) => {
                compare(expected, error, &mut self.captures).map_err(|mismatch| mismatch.to_string())
            }
            (Rule::Error(code, _), Ok(reply)) => differs(code.name(), reply),
            (Rule::ErrorFields(fields), Ok(reply)) => differs(&fields.to_string(), reply),
            (Rule::Reply(expected), Err(error)) => differs(&expected.to_string(), error),
            (Rule::Text(piece), Err(error)) => differs(piece, error),
        }
    }
}

/// A call about one job that was refused: the door says it beside the jid, a host raises it. Here both are errors.
fn sole_refusal(reply: &str) -> Option<Json> {
    if !reply.contains("\"error\"") {
        return None;
    }
    let reply: Json = serde_json::from_str(reply).ok()?;
    match reply.as_array()?.as_slice() {
        [item] => item.get("error").cloned(),
        _ => None,
    }
}
