//! What an operation refuses changes nothing in Redis, and says which argument it was.

use std::collections::{BTreeMap, BTreeSet};

use manyhands::Client;
use manyhands::ops::OPERATIONS;

use crate::arguments::{Argument, Form, MAX_DATA, forms, object};
use crate::support::{Server, member};

const META: &[u8] = b"{mh}:meta";
const CALLER: &[u8] = b"00000000000000aa";

/// A call that must be refused for `argument`.
struct Case {
    keys: Vec<Vec<u8>>,
    arguments: Vec<Vec<u8>>,
    argument: String,
}

impl Case {
    fn new(arguments: Vec<Vec<u8>>, argument: &str) -> Case {
        Case { keys: vec![META.to_vec()], arguments, argument: argument.to_owned() }
    }
}

/// Calls of the engine's functions, and what they left.
struct Engine {
    redis: redis::Connection,
    number: u64,
}

impl Engine {
    fn call(&mut self, operation: &str, case: &Case, caller: Option<(&[u8], &[u8])>) -> Result<(), String> {
        self.number += 1;
        let number = self.number.to_string();
        let (caller, number) = caller.unwrap_or((CALLER, number.as_bytes()));
        let mut command = redis::cmd("FCALL");
        command.arg(format!("mh1_{operation}")).arg(case.keys.len()).arg(&case.keys).arg(caller).arg(number);
        for argument in &case.arguments {
            command.arg(argument.as_slice());
        }
        command.query::<redis::Value>(&mut self.redis).map(drop).map_err(|error| error.to_string())
    }

    /// Every key's content, but for what the calls are remembered by.
    fn content(&mut self) -> BTreeMap<String, Vec<u8>> {
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut self.redis).unwrap();
        let keys: Vec<_> = keys.into_iter().filter(|key| !key.contains(":call:")).collect();
        let mut pipeline = redis::pipe();
        for key in &keys {
            pipeline.cmd("DUMP").arg(key);
        }
        let dumps: Vec<Vec<u8>> = pipeline.query(&mut self.redis).unwrap();
        keys.into_iter().zip(dumps).collect()
    }

    fn remembered(&mut self) -> bool {
        let key = [b"{mh}:call:".as_slice(), CALLER].concat();
        redis::cmd("EXISTS").arg(key).query(&mut self.redis).unwrap()
    }
}

/// Something of everything, so that there is much to spoil.
fn fill(client: &Client) {
    let call =
        |operation, args: &str| client.call(operation, args).unwrap_or_else(|error| panic!("{operation}: {error}"));
    call("config_set", r#"{"name":"test-clock","value":1000000}"#);
    call("config_set", &format!(r#"{{"name":"max-data","value":{MAX_DATA}}}"#));
    call("config_set", r#"{"name":"heartbeat","queue":"a","value":30000}"#);
    call("throttle_set", r#"{"id":"a","limit":1}"#);
    call("throttle_set", r#"{"queue":"t","limit":1,"expires_ms":5000}"#);
    call("pattern_set", r#"{"identifiers":{"x":["y*"]},"priorities":[{"patterns":["z"]}]}"#);
    call("recurring_put", r#"{"jid":"a","queue":"a","kind":"a","interval_ms":1000,"offset_ms":9000,"tags":["a"]}"#);
    call("worker_pulse", r#"{"worker":"a","status":{"queues":["a"],"kinds":["a"]},"jobs":[]}"#);
    call(
        "queue_put",
        r#"{"jobs":[{"queue":"a","kind":"a","jid":"a","tags":["a"],"throttles":["a"]},{"queue":"a","kind":"a","jid":"b"},
            {"queue":"a","kind":"a","jid":"c","throttles":["a"]},{"queue":"a","kind":"a","jid":"d","delay_ms":5000},
            {"queue":"a","kind":"a","jid":"e","dependencies":["a","d"]},{"queue":"f","kind":"a","jid":"f"},
            {"queue":"f","kind":"a","jid":"g"}]}"#,
    );
    call("job_track", r#"{"jids":["a","d"]}"#);
    call("queue_reserve", r#"{"worker":"a","queues":["a"],"limit":3}"#);
    let taken = call("queue_reserve", r#"{"worker":"a","queues":["f"],"limit":2}"#);
    let token = member(&taken, "/jobs/0/token");
    call("job_fail", &format!(r#"{{"jobs":[{{"jid":"f","token":{token},"group":"a","message":"m"}}]}}"#));
    call("job_complete", &format!(r#"{{"jobs":[{{"jid":"g","token":{token},"result":[1]}}]}}"#));
    call("queue_pause", r#"{"queues":["p"]}"#);
}

fn cases_of_json(form: &Form) -> Vec<Case> {
    let valid = object(&form.arguments, None);
    let mut cases = vec![Case::new(vec![valid.clone(), b"{}".to_vec()], "arguments")];
    for whole in ["1", "\"x\"", "[1]", "[]", "null", "{", "x", "{\"a\":\"\\ud800\"}"] {
        cases.push(Case::new(vec![whole.as_bytes().to_vec()], "args"));
    }
    let unknown = [&valid[..valid.len() - 1], if valid.len() > 2 { b"," } else { b"" }, b"\"nonsense\":1}"].concat();
    cases.push(Case::new(vec![unknown], "nonsense"));
    for (index, argument) in form.arguments.iter().enumerate() {
        for value in argument.malformed() {
            cases.push(Case::new(vec![object(&form.arguments, Some((index, Some(&value))))], argument.name));
        }
        if argument.required {
            cases.push(Case::new(vec![object(&form.arguments, Some((index, None)))], argument.name));
        }
    }
    cases
}

/// The call with one argument of another value.
fn flat(arguments: &[Argument], other: Option<(usize, Vec<u8>)>) -> Vec<Vec<u8>> {
    let mut texts: Vec<_> = arguments.iter().map(Argument::valid_text).collect();
    if let Some((index, text)) = other {
        texts[index] = text;
    }
    texts
}

fn cases_of_flat(form: &Form, items_at: usize) -> Vec<Case> {
    let arguments = &form.arguments;
    let valid = flat(arguments, None);
    let mut cases = Vec::new();
    if items_at < arguments.len() {
        let item = &valid[items_at..];
        cases.push(Case::new(valid[..valid.len() - 1].to_vec(), "arguments"));
        cases.push(Case::new([valid.as_slice(), &[b"x".to_vec()]].concat(), "arguments"));
        let many = item.iter().cycle().take(item.len() * 251).cloned();
        cases.push(Case::new(valid[..items_at].iter().cloned().chain(many).collect(), "items"));
    } else {
        cases.push(Case::new(valid[..valid.len() - 1].to_vec(), "queues"));
        let many = (0..65).map(|index| index.to_string().into_bytes());
        cases.push(Case::new(valid[..valid.len() - 1].iter().cloned().chain(many).collect(), "queues"));
    }
    for (index, argument) in arguments.iter().enumerate() {
        for text in argument.malformed_text() {
            cases.push(Case::new(flat(arguments, Some((index, text))), argument.name));
        }
        let Some(members) = argument.members() else { continue };
        for whole in ["1", "\"x\"", "[1]", "null", "{", "x"] {
            cases.push(Case::new(flat(arguments, Some((index, whole.into()))), argument.name));
        }
        cases.push(Case::new(flat(arguments, Some((index, b"{\"nonsense\":1}".to_vec()))), "nonsense"));
        for (at, member) in members.iter().enumerate() {
            for value in member.malformed() {
                let whole = object(members, Some((at, Some(&value))));
                cases.push(Case::new(flat(arguments, Some((index, whole))), member.name));
            }
        }
    }
    cases
}

fn cases_of(form: &Form) -> Vec<Case> {
    let mut cases = form.items_at.map_or_else(|| cases_of_json(form), |items_at| cases_of_flat(form, items_at));
    let valid = valid_call(form);
    for keys in [&[][..], &[&b"{mh}"[..]], &[META, META]] {
        let keys = keys.iter().map(|key| key.to_vec()).collect();
        cases.push(Case { keys, arguments: valid.clone(), argument: "key".into() });
    }
    cases
}

fn valid_call(form: &Form) -> Vec<Vec<u8>> {
    match form.items_at {
        Some(_) => flat(&form.arguments, None),
        None => vec![object(&form.arguments, None)],
    }
}

/// Whether the error is INVALID_ARGUMENT and has the argument's name as a word.
fn names(error: &str, argument: &str) -> bool {
    let is_word =
        |text: &str| text.split(|sign: char| !sign.is_alphanumeric() && sign != '_').any(|word| word == argument);
    error.contains("INVALID_ARGUMENT") && is_word(error)
}

fn shown(case: &Case) -> String {
    let text = case.arguments.iter().map(|argument| String::from_utf8_lossy(argument)).collect::<Vec<_>>().join(" ");
    text.chars().take(300).collect()
}

#[test]
fn the_table_has_every_operation() {
    let known: BTreeSet<_> = forms().iter().map(|form| form.operation).collect();
    let all: BTreeSet<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
    assert_eq!(known, all);
}

#[test]
fn what_is_refused_changes_nothing_and_is_named() {
    let server = Server::start();
    fill(&server.client());
    let redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut engine = Engine { redis, number: 0 };
    // It goes by itself, within a second.
    redis::cmd("DEL").arg("{mh}:swept").exec(&mut engine.redis).unwrap();
    let before = engine.content();
    let mut problems = Vec::new();
    let mut count = 0;
    for form in forms() {
        for case in cases_of(&form) {
            count += 1;
            match engine.call(form.operation, &case, None) {
                Err(error) if names(&error, &case.argument) => (),
                Err(error) => problems.push(format!("{} {}: {}: {error}", form.operation, case.argument, shown(&case))),
                Ok(()) => problems.push(format!("{} {}: {}: taken", form.operation, case.argument, shown(&case))),
            }
            let after = engine.content();
            if after != before || engine.remembered() {
                let changed: Vec<_> =
                    before.keys().chain(after.keys()).filter(|key| before.get(*key) != after.get(*key)).collect();
                problems.push(format!("{} {}: {}: changed {changed:?}", form.operation, case.argument, shown(&case)));
                panic!("{} problems:\n{}", problems.len(), problems.join("\n"));
            }
        }
    }
    assert!(problems.is_empty(), "{} problems in {count} cases:\n{}", problems.len(), problems.join("\n"));
    assert!(count > 2000, "{count}");
}

#[test]
fn a_writer_needs_a_caller_and_a_number() {
    let server = Server::start();
    fill(&server.client());
    let redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut engine = Engine { redis, number: 0 };
    let before = engine.content();
    for form in forms() {
        if !OPERATIONS.iter().any(|operation| operation.name == form.operation && operation.writes) {
            continue;
        }
        let case = Case::new(valid_call(&form), "");
        let callers: [(&[u8], &[u8], &str); 7] = [
            (b"", b"1", "caller"),
            (b"00000000000000a", b"1", "caller"),
            (b"00000000000000ag", b"1", "caller"),
            (b"00000000000000a\xff", b"1", "caller"),
            (CALLER, b"", "number"),
            (CALLER, b"-1", "number"),
            (CALLER, b"1234567890123456", "number"),
        ];
        for (caller, number, argument) in callers {
            let error = engine.call(form.operation, &case, Some((caller, number))).expect_err(form.operation);
            assert!(names(&error, argument), "{} {argument}: {error}", form.operation);
        }
    }
    assert!(engine.content() == before);
}

/// The table's valid values are valid: else a refusal could be that of another argument of the same name.
#[test]
fn what_the_table_calls_valid_is_taken() {
    let server = Server::start();
    fill(&server.client());
    let redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut engine = Engine { redis, number: 0 };
    for form in forms() {
        let case = Case::new(valid_call(&form), "");
        if let Err(error) = engine.call(form.operation, &case, None) {
            let known = ["JOB_NOT_FOUND", "LOCK_LOST", "WRONG_STATE", "HAS_DEPENDENTS", "CYCLE"];
            assert!(known.iter().any(|code| error.contains(code)), "{}: {}: {error}", form.operation, shown(&case));
        }
    }
}

#[test]
fn a_turn_that_takes_jobs_has_fewer_outcomes() {
    let server = Server::start();
    server.client().call("engine_version", "{}").unwrap(); // loads the engine
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut turn = |number: u32, limit: u32, outcomes: usize| -> redis::RedisResult<Vec<redis::Value>> {
        let mut command = redis::cmd("FCALL");
        command.arg("mh1_worker_turn").arg(1).arg("{mh}:meta").arg("00000000000000aa").arg(number);
        command.arg("w").arg(limit).arg(0).arg(1).arg("q").arg("complete").arg(1).arg("").arg(0).arg("").arg(outcomes);
        command.arg((0..outcomes).collect::<Vec<_>>());
        command.query(&mut redis)
    };
    for (number, limit, most) in [(1, 1, 50), (3, 0, 125)] {
        let error = turn(number, limit, most + 1).unwrap_err().to_string();
        assert!(error.contains(&format!("{} items, at most {most} are allowed", most + 1)), "{error}");
        assert!(turn(number + 1, limit, most).is_ok());
    }
}
