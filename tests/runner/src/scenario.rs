//! The scenario format: text in, steps with line numbers out.

use std::fs;
use std::path::{Path, PathBuf};

use manyhands::Code;
use serde_json::Value as Json;

/// One `.scn` file.
#[derive(Debug)]
pub struct Scenario {
    /// The file's name without its ending; also the root of the scenario's namespaces.
    pub name: String,
    /// Where it was read from, for messages.
    pub path: PathBuf,
    /// The hosts it is for (`only door c`); empty means all.
    pub only: Vec<String>,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// True unless its `only` line leaves this host out.
    pub fn is_for(&self, host: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == host)
    }
}

/// One line (with its continuation and expectation lines) of a scenario.
#[derive(Debug, PartialEq)]
pub struct Step {
    /// The line it starts on, from 1.
    pub line: usize,
    /// What happens.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, PartialEq)]
pub enum Action {
    /// Calls an operation; all expectations must hold.
    Call(Call),
    /// Sets the engine's clock to an instant, or moves it.
    Clock(Clock),
    /// Speaks through another client from here on: its label and its options.
    Client(String, Json),
    /// Closes the client in use.
    Close,
    /// Everything agrees with the jobs' records.
    Agrees,
    /// Sends a command, word by word, to the server itself; all expectations must hold.
    Server(Vec<String>, Vec<Expectation>),
    /// Plays the inner steps this many times, with `$i` counting from 0.
    Repeat(usize, Vec<Step>),
}

/// An operation with its arguments, as they stand in the text.
#[derive(Debug, PartialEq)]
pub struct Call {
    /// The operation's name.
    pub operation: String,
    /// JSON text, `{}` when none is given.
    pub arguments: String,
    /// What must be true of the answer. Empty: it is a reply, whatever it says.
    pub expected: Vec<Expectation>,
}

/// Where the test clock goes.
#[derive(Debug, PartialEq)]
pub enum Clock {
    /// To this instant, in milliseconds.
    At(i64),
    /// On by this span, in milliseconds.
    Plus(i64),
}

/// What must be true of an answer.
#[derive(Debug, PartialEq)]
pub struct Expectation {
    /// The line it stands on, from 1.
    pub line: usize,
    /// What must be true.
    pub rule: Rule,
}

/// The kinds of expectation.
#[derive(Debug, PartialEq)]
pub enum Rule {
    /// `=> json`: the reply matches.
    Reply(Json),
    /// `=~ text`: the reply's JSON text contains these very bytes.
    Text(String),
    /// `!! CODE words`: this error, whose message or reason holds every word.
    Error(Code, Vec<String>),
    /// `!! {json}`: an error whose fields match.
    ErrorFields(Json),
}

/// A scenario that cannot be read, with its line.
#[derive(Debug, PartialEq)]
pub struct ParseError {
    /// The line at fault, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads all `.scn` files of a folder in the order of their names.
///
/// # Errors
/// A text that names the file and line which cannot be read.
pub fn read_folder(folder: &Path) -> Result<Vec<Scenario>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "scn"))
        .collect();
    paths.sort();
    paths.iter().map(|path| read_file(path)).collect()
}

fn read_file(path: &Path) -> Result<Scenario, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    parse(&name, path, &text).map_err(|error| format!("{}:{}: {}", path.display(), error.line, error.problem))
}

/// Reads one scenario from its text.
///
/// # Errors
/// The first line that is no step.
pub fn parse(name: &str, path: &Path, text: &str) -> Result<Scenario, ParseError> {
    let mut scenario = Scenario { name: name.into(), path: path.into(), only: Vec::new(), steps: Vec::new() };
    let mut outer: Option<(usize, usize, Vec<Step>)> = None;
    for (line, text) in logical_lines(text)? {
        let fail = |problem: String| ParseError { line, problem };
        let (word, rest) = text.split_once(' ').unwrap_or((&text, ""));
        let rest = rest.trim();
        match word {
            "only" => scenario.only = rest.split(' ').map(str::to_owned).collect(),
            "=>" | "=~" | "!!" => {
                let rule = parse_rule(word, rest).map_err(fail)?;
                match scenario.steps.last_mut().map(|step| &mut step.action) {
                    Some(Action::Call(call)) => call.expected.push(Expectation { line, rule }),
                    Some(Action::Server(_, expected)) => expected.push(Expectation { line, rule }),
                    _ => return Err(fail(format!("{word} must follow a call"))),
                }
            }
            "repeat" => {
                let count = rest.parse().map_err(|_| fail(format!("repeat {rest}: not a count")))?;
                if outer.is_some() {
                    return Err(fail("repeat inside repeat".into()));
                }
                outer = Some((line, count, std::mem::take(&mut scenario.steps)));
            }
            "end" => {
                let (line, count, before) = outer.take().ok_or_else(|| fail("end without repeat".into()))?;
                let steps = std::mem::replace(&mut scenario.steps, before);
                scenario.steps.push(Step { line, action: Action::Repeat(count, steps) });
            }
            _ => scenario.steps.push(Step { line, action: parse_action(word, rest).map_err(fail)? }),
        }
    }
    match outer {
        Some((line, ..)) => Err(ParseError { line, problem: "repeat without end".into() }),
        None => Ok(scenario),
    }
}

/// Lines without comments and blank ones; an indented line continues the one before.
fn logical_lines(text: &str) -> Result<Vec<(usize, String)>, ParseError> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let line = index + 1;
        if text.contains('\t') {
            return Err(ParseError { line, problem: "has a tab".into() });
        }
        if text.trim().is_empty() || text.starts_with('#') {
            continue;
        }
        if !text.starts_with(' ') {
            lines.push((line, text.trim_end().to_owned()));
            continue;
        }
        let Some((_, last)) = lines.last_mut() else {
            return Err(ParseError { line, problem: "continues nothing".into() });
        };
        last.push(' ');
        last.push_str(text.trim());
    }
    Ok(lines)
}

fn parse_rule(mark: &str, rest: &str) -> Result<Rule, String> {
    match mark {
        "=>" => Ok(Rule::Reply(parse_json(rest)?)),
        "=~" => Ok(Rule::Text(rest.to_owned())),
        _ if rest.starts_with('{') => Ok(Rule::ErrorFields(parse_json(rest)?)),
        _ => {
            let mut words = rest.split(' ').map(str::to_owned);
            let code = words.next().unwrap_or_default();
            match Code::from_name(&code) {
                Some(code) => Ok(Rule::Error(code, words.collect())),
                None => Err(format!("{code:?} is not an error code")),
            }
        }
    }
}

fn parse_action(word: &str, rest: &str) -> Result<Action, String> {
    match word {
        "clock" => {
            let instant = |text: &str| text.parse().map_err(|_| format!("clock {rest}: not a time"));
            Ok(Action::Clock(match rest.strip_prefix('+') {
                Some(span) => Clock::Plus(instant(span)?),
                None => Clock::At(instant(rest)?),
            }))
        }
        "client" => {
            let (label, options) = rest.split_once(' ').unwrap_or((rest, "{}"));
            Ok(Action::Client(label.into(), parse_json(options)?))
        }
        "close" => Ok(Action::Close),
        "agrees" => Ok(Action::Agrees),
        "server" => Ok(Action::Server(rest.split(' ').map(str::to_owned).collect(), Vec::new())),
        operation if is_operation(operation) => {
            let arguments = if rest.is_empty() { "{}" } else { rest };
            parse_json(arguments)?;
            Ok(Action::Call(Call { operation: operation.into(), arguments: arguments.into(), expected: Vec::new() }))
        }
        _ => Err(format!("{word:?} is neither a directive nor an operation")),
    }
}

fn is_operation(word: &str) -> bool {
    word.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
        && (word.contains('_') || matches!(word, "sweep" | "check"))
}

fn parse_json(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        parse("t", Path::new("t.scn"), text).unwrap().steps
    }

    fn problem(text: &str) -> (usize, String) {
        let error = parse("t", Path::new("t.scn"), text).unwrap_err();
        (error.line, error.problem)
    }

    #[test]
    fn a_call_keeps_its_lines_and_its_exact_text() {
        let steps = steps("# title\n\nqueue_put {\"a\": 1.0,\n  \"b\":2}\n=> [1]\n!! LOCK_LOST x y\n=~ 1.0\n");
        let Action::Call(Call { operation, arguments, expected }) = &steps[0].action else { panic!() };
        assert_eq!((steps[0].line, operation.as_str()), (3, "queue_put"));
        assert_eq!(arguments, "{\"a\": 1.0, \"b\":2}");
        let rules: Vec<_> = expected.iter().map(|item| (item.line, &item.rule)).collect();
        let lost = Rule::Error(Code::LockLost, vec!["x".into(), "y".into()]);
        assert_eq!(rules[0], (5, &Rule::Reply(json!([1]))));
        assert_eq!(rules[1], (6, &lost));
        assert_eq!(rules[2], (7, &Rule::Text("1.0".into())));
    }

    #[test]
    fn directives_are_read() {
        let steps = steps("clock 5\nclock +7\nclient b {\"namespace\":\"x\"}\nclose\nserver PING a\nsweep");
        let actions: Vec<_> = steps.into_iter().map(|step| step.action).collect();
        assert_eq!(actions[0], Action::Clock(Clock::At(5)));
        assert_eq!(actions[1], Action::Clock(Clock::Plus(7)));
        let options = json!({"namespace": "x"});
        assert_eq!(actions[2], Action::Client("b".into(), options));
        assert_eq!(actions[3], Action::Close);
        assert_eq!(actions[4], Action::Server(vec!["PING".into(), "a".into()], Vec::new()));
        assert!(matches!(&actions[5], Action::Call(call) if call.arguments == "{}"));
    }

    #[test]
    fn repeat_holds_its_steps() {
        let steps = steps("close\nrepeat 3\nsweep\n=> {}\nend\nclose");
        assert_eq!(steps.len(), 3);
        let Action::Repeat(3, inner) = &steps[1].action else { panic!() };
        assert_eq!((steps[1].line, inner[0].line), (2, 3));
    }

    #[test]
    fn a_bad_line_is_named() {
        assert_eq!(problem("close\n\n=> {}").0, 3);
        assert_eq!(problem("sweep {\n=> {}").0, 1);
        assert_eq!(problem("sweep\n\n=> {").0, 3);
        assert_eq!(problem("sweep\n!! NOT_A_CODE"), (2, "\"NOT_A_CODE\" is not an error code".into()));
        assert_eq!(problem("close\nrepeat 2\nclose"), (2, "repeat without end".into()));
        assert_eq!(problem("Hello {}").1, "\"Hello\" is neither a directive nor an operation");
        assert_eq!(problem("=> {}"), (1, "=> must follow a call".into()));
    }
}
