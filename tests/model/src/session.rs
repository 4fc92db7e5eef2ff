//! The engine beside the model: every call goes to both, and their answers must agree.

use std::collections::BTreeMap;

use manyhands::Client;
use manyhands::ops::Operation;
use manyhands_scenarios::server::Server;
use serde_json::{Value as Json, json};

use crate::arguments::{CROWD, JIDS, QUEUES, TAGS, TEMPLATES, THROTTLES, WORKERS};
use crate::listener::Listener;
use crate::operations::Reply;
use crate::steps::Step;
use crate::world::World;

/// So many steps between two looks at everything, and between two runs of `check`.
const LOOK_EVERY: usize = 10;
const CHECK_EVERY: usize = 100;
/// A reply shows at least so many jobs in full.
const SHOWN_AT_ONCE: usize = 100;
/// Every so many steps a call is sent again as if its reply had been lost.
const REPEAT_EVERY: usize = 3;
const BEGINNING: i64 = 1_000_000_000_000;

/// Where engine and model differ.
pub struct Difference {
    /// The index of the step after which they do.
    pub step: usize,
    /// The calls up to there, as lines of a scenario.
    pub calls: Vec<String>,
    pub problem: String,
}

pub struct Session {
    _server: Server,
    client: Client,
    connection: redis::Connection,
    listener: Listener,
    /// Under which the engine remembers the client's last call.
    once: Option<String>,
    /// The reply of the last call, if it writes and was accepted.
    last: Option<String>,
}

impl Session {
    pub fn open() -> Session {
        let server = Server::start().expect("redis-server must be installed");
        let url = format!("unix://{}", server.socket());
        let client = Client::open(Some(&url), "{}").expect("the client opens");
        let url = format!("{url}?protocol=resp3");
        let direct = redis::Client::open(url).expect("the address is right");
        let connection = direct.get_connection().expect("the server is there");
        let listener = Listener::open(&direct);
        let mut session = Session { _server: server, client, connection, listener, once: None, last: None };
        session.share_all();
        session
    }

    /// Has the engine share leases among ever so few jobs: the model has few, and what stands by itself comes from elsewhere.
    fn share_all(&mut self) {
        self.client.call("engine_version", "{}").expect("the engine is there");
        let libraries: Vec<BTreeMap<String, redis::Value>> = self.query(&["FUNCTION", "LIST", "WITHCODE"]);
        let code: String = redis::from_redis_value_ref(&libraries[0]["library_code"]).expect("the engine's text");
        let sharing = code.replace("shared.FEW = 3", "shared.FEW = 1");
        assert_ne!(code, sharing, "the engine says from how many jobs on they share a lease");
        let _: String = self.query(&["FUNCTION", "LOAD", "REPLACE", &sharing]);
    }

    fn query<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.connection).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    fn command(&mut self, words: &[&str]) -> i64 {
        match self.query(words) {
            redis::Value::Int(number) => number,
            _ => 0,
        }
    }

    /// The last call's reply was lost, and the call is repeated: it changes nothing and has the same answer. What follows
    /// shows the first, the second is looked at where the door passes it as it is.
    fn repeat_last(&mut self, operation: &str) -> Result<(), String> {
        let Some(reply) = self.last.take() else { return Ok(()) };
        let once = match self.once.take() {
            Some(once) => once,
            None => self.query::<Vec<String>>(&["KEYS", "{mh}:call:*"]).pop().ok_or("no call is remembered")?,
        };
        let (function, caller) = (format!("mh1_{operation}"), once.rsplit(':').next().unwrap_or_default().to_owned());
        let Some(memo) = self.query::<Option<Vec<u8>>>(&["GET", &once]) else {
            return Err(format!("{operation} was not remembered"));
        };
        self.once = Some(once);
        // MessagePack: the number is a short text, whose length is in its first byte.
        let length = usize::from(memo[0] & 0x1f);
        let number: String = memo[1..=length].iter().map(|byte| char::from(*byte)).collect();
        let again = json(&self.query(&["FCALL", &function, "1", "{mh}:meta", &caller, &number]));
        let first: Json = serde_json::from_str(&reply).map_err(|error| format!("{error} in {reply}"))?;
        let same = match operation {
            "queue_reserve" => {
                let jids = first["jobs"].as_array().into_iter().flatten().map(|job| &job["jid"]);
                jids.eq(&jids_of(&again))
            }
            "worker_turn" | "worker_pulse" | "job_heartbeat" => again.is_array(),
            "queue_put" | "job_complete" | "job_fail" | "job_retry" | "job_snooze" | "job_release" => {
                again.is_array() || again.is_string()
            }
            _ => again == first,
        };
        if same { Ok(()) } else { Err(format!("{operation} answered {first}, and the same call again {again}")) }
    }

    /// Plays the steps in an empty namespace. How many calls were compared.
    pub fn play(&mut self, steps: &[Step]) -> Result<usize, Difference> {
        self.command(&["FLUSHALL"]);
        self.listener.begin(&mut self.connection);
        let mut world = World::default();
        let mut calls = vec![];
        let opening = [
            ("config_set", json!({"name": "test-clock", "value": BEGINNING})),
            ("config_set", json!({"name": "heartbeat", "value": 20_000})),
            ("config_set", json!({"name": "grace-period", "value": 3000})),
        ];
        for (operation, args) in &opening {
            calls.push(line(operation, args));
            let _ = world.call(operation, args);
            self.client.call(operation, &args.to_string()).expect("settings are taken");
        }
        for (index, step) in steps.iter().enumerate() {
            let (operation, args) = step.call(&world);
            calls.push(line(operation, &args));
            let compared = self.compare(&mut world, operation, &args).and_then(|()| {
                if (index + 1) % REPEAT_EVERY == 0 {
                    self.repeat_last(operation)?;
                }
                let told = std::mem::take(&mut world.events);
                self.listener.compare(&mut self.connection, &told, world.all_events)?;
                self.look_at_wakes(&world)?;
                let thorough = index + 1 == steps.len() || (index + 1) % CHECK_EVERY == 0;
                if thorough || (index + 1) % LOOK_EVERY == 0 {
                    self.look(&mut world, thorough)?;
                }
                if thorough {
                    self.check()?;
                }
                Ok(())
            });
            if let Err(problem) = compared {
                return Err(Difference { step: index, calls, problem });
            }
        }
        Ok(steps.len())
    }

    fn compare(&mut self, world: &mut World, operation: &str, args: &Json) -> Result<(), String> {
        if operation == "worker_pulse" {
            self.command(&["DEL", "{mh}:swept"]); // or it would sweep by the real clock
        }
        let lost = args["worker"].as_str().and_then(|worker| world.workers.get(worker)).is_some_and(|pulse| *pulse < 0);
        if matches!(operation, "queue_reserve" | "worker_turn") && !lost {
            // Whoever reserves was woken, and took the tokens; what is lost with a waiter costs its 2 s.
            for queue in args["queues"].as_array().into_iter().flatten() {
                self.command(&["LPOP", &format!("{{mh}}:wake:{}", queue.as_str().unwrap_or_default())]);
            }
        }
        let expected = world.call(operation, args);
        let actual = self.client.call(operation, &args.to_string());
        self.last = None;
        let problem = match (&expected, &actual) {
            (Ok(expected), Ok(actual)) => {
                let writes = Operation::named(operation).is_ok_and(|operation| operation.writes);
                self.last = writes.then(|| actual.clone());
                let actual: Json = serde_json::from_str(actual).map_err(|error| format!("{error} in {actual}"))?;
                agree("", expected, &actual).err()
            }
            (Err(refusal), Err(error))
                if error.code.name() == refusal.name
                    && refusal.reason.is_none_or(|reason| error.reason.as_deref() == Some(reason)) =>
            {
                None
            }
            (_, Ok(actual)) => Some(format!("  expected {}\n  actual   {actual}", shown(&expected))),
            (_, Err(error)) => Some(format!("  expected {}\n  actual   {error} {:?}", shown(&expected), error.reason)),
        };
        match problem {
            Some(problem) => Err(format!("{}\n{problem}", line(operation, args))),
            None => Ok(()),
        }
    }

    /// Reads everything there is to read; of a crowd each job only when `thorough`.
    fn look(&mut self, world: &mut World, thorough: bool) -> Result<(), String> {
        let mut jids: Vec<_> = JIDS.iter().map(|jid| (*jid).to_owned()).collect();
        let others = world.jobs.keys().filter(|jid| !JIDS.contains(&jid.as_str()));
        jids.extend(others.filter(|jid| thorough || !jid.starts_with(CROWD)).cloned());
        let mut looks = vec![];
        for some in jids.chunks(SHOWN_AT_ONCE) {
            looks.push(("job_get_many", json!({"jids": some})));
        }
        for queue in QUEUES {
            looks.push(("queue_counts", json!({"queue": queue})));
            looks.push(("queue_length", json!({"queue": queue})));
            looks.push(("queue_stats", json!({"queue": queue})));
            for state in ["waiting", "running", "stalled", "scheduled", "blocked", "throttled"] {
                looks.push(("job_list", json!({"queue": queue, "state": state, "limit": 250})));
            }
            looks.push(("recurring_list", json!({"queue": queue})));
            looks.push(("throttle_get", json!({"queue": queue})));
            looks.push(("throttle_pending", json!({"queue": queue, "limit": 250})));
            looks.push(("throttle_holders", json!({"queue": queue, "limit": 250})));
            let group = format!("failed-retries-{queue}");
            looks.push(("failure_jobs", json!({"group": group, "limit": 250})));
        }
        for id in THROTTLES {
            looks.push(("throttle_get", json!({"id": id})));
            looks.push(("throttle_pending", json!({"id": id, "limit": 250})));
            looks.push(("throttle_holders", json!({"id": id, "limit": 250})));
        }
        looks.extend(TAGS.map(|tag| ("tag_jobs", json!({"tag": tag, "limit": 250}))));
        looks.extend(WORKERS.map(|worker| ("worker_jobs", json!({"worker": worker, "limit": 250}))));
        looks.extend(TEMPLATES.map(|jid| ("recurring_get", json!({"jid": jid}))));
        for whole in ["failure_groups", "tag_list", "job_tracked", "queue_list", "worker_list", "throttle_list"] {
            looks.push((whole, json!({"limit": 100})));
        }
        looks.push(("job_list", json!({"state": "completed", "limit": 250})));
        looks.push(("config_all", json!({})));
        looks.push(("pattern_get", json!({})));
        looks.iter().try_for_each(|(operation, args)| self.compare(world, operation, args))
    }

    /// A worker that waits must be woken wherever a job can run: the queue's token is there until somebody takes it.
    fn look_at_wakes(&mut self, world: &World) -> Result<(), String> {
        for queue in QUEUES {
            // A limit that has ended holds for this until somebody sweeps.
            let ended = |id: &String| world.throttles.contains_key(id) && world.limit(id).is_none();
            let runnable =
                |jid: &String| world.full_throttle(jid).is_none() && !world.throttles_of(jid).iter().any(ended);
            let waiting = world.waiting(queue);
            if world.paused.contains(queue) || !waiting.iter().any(runnable) {
                continue;
            }
            if self.command(&["EXISTS", &format!("{{mh}}:wake:{queue}")]) == 0 {
                return Err(format!("jobs of {queue} can run ({waiting:?}), but its wake token is missing"));
            }
            if self.command(&["SISMEMBER", "{mh}:ready", queue]) == 0 {
                return Err(format!("jobs of {queue} can run ({waiting:?}), but it is not ready"));
            }
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        let mut cursor = String::new();
        loop {
            let args = json!({"cursor": cursor}).to_string();
            let reply = self.client.call("check", &args).map_err(|error| format!("check {args}: {error}"))?;
            let reply: Json = serde_json::from_str(&reply).map_err(|error| error.to_string())?;
            if reply["violations"] != json!([]) {
                return Err(format!("check says {}", reply["violations"]));
            }
            cursor = reply["cursor"].as_str().unwrap_or_default().to_owned();
            if cursor.is_empty() {
                return Ok(());
            }
        }
    }
}

/// A call as a line of a scenario.
fn line(operation: &str, args: &Json) -> String {
    match operation {
        "config_set" if args["name"] == "test-clock" => format!("clock {}", args["value"]),
        _ => format!("{operation} {args}"),
    }
}

fn shown(reply: &Reply) -> String {
    match reply {
        Ok(reply) => reply.to_string(),
        Err(refusal) => format!("{} {}", refusal.name, refusal.reason.unwrap_or_default()),
    }
}

/// Objects agree when every expected member does, lists item by item. `$at_most`: a number up to that one, or any for
/// null; `$about`: a number computed otherwise; `$in_any_order`: a list; `$distinct_of`: each is one
/// of those, and no two are the same; `$exactly`: nothing but what is expected.
fn agree(place: &str, expected: &Json, actual: &Json) -> Result<(), String> {
    let differs = || Err(format!("  at {place}\n  expected {expected}\n  actual   {actual}"));
    match (expected, actual) {
        (Json::Object(members), _) if members.contains_key("$exactly") => {
            if members["$exactly"] == *actual {
                Ok(())
            } else {
                differs()
            }
        }
        (Json::Object(members), _) if members.contains_key("$at_most") => {
            match (members["$at_most"].as_i64(), actual.as_i64()) {
                (Some(most), Some(number)) if number <= most => Ok(()),
                (None, _) => Ok(()),
                _ => differs(),
            }
        }
        (Json::Object(members), _) if members.contains_key("$about") => {
            match (members["$about"].as_f64(), actual.as_f64()) {
                (Some(one), Some(other)) if (one - other).abs() <= 1e-6 * one.abs().max(1.0) => Ok(()),
                _ => differs(),
            }
        }
        (Json::Object(members), Json::Array(found)) if members.contains_key("$in_any_order") => {
            let sorted = |list: &[Json]| {
                let mut list: Vec<_> = list.iter().map(Json::to_string).collect();
                list.sort();
                list
            };
            match members["$in_any_order"].as_array() {
                Some(items) if sorted(items) == sorted(found) => Ok(()),
                _ => differs(),
            }
        }
        (Json::Object(members), Json::Array(found)) if members.contains_key("$distinct_of") => {
            let lists = members["$distinct_of"].as_array().map_or(&[][..], Vec::as_slice);
            let allowed = lists.iter().zip(found).all(|(list, one)| list.as_array().is_some_and(|it| it.contains(one)));
            let distinct = found.iter().enumerate().all(|(index, one)| !found[..index].contains(one));
            if lists.len() == found.len() && allowed && distinct { Ok(()) } else { differs() }
        }
        (Json::Object(members), Json::Object(found)) => members.iter().try_for_each(|(name, member)| {
            agree(&format!("{place}.{name}"), member, found.get(name).unwrap_or(&Json::Null))
        }),
        (Json::Array(items), Json::Array(found)) if items.len() == found.len() => {
            let mut pairs = items.iter().zip(found).enumerate();
            pairs.try_for_each(|(index, (item, found))| agree(&format!("{place}[{index}]"), item, found))
        }
        (Json::Number(one), Json::Number(other))
            if one.as_f64() == other.as_f64() && one.as_i64() == other.as_i64() =>
        {
            Ok(())
        }
        _ if expected == actual => Ok(()),
        _ => differs(),
    }
}

/// A reply of the server's as JSON.
fn json(value: &redis::Value) -> Json {
    match value {
        redis::Value::Int(number) => (*number).into(),
        redis::Value::Double(number) => (*number).into(),
        redis::Value::Boolean(flag) => (*flag).into(),
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into(),
        redis::Value::SimpleString(text) => text.clone().into(),
        redis::Value::Okay => "OK".into(),
        redis::Value::Array(items) => items.iter().map(json).collect(),
        redis::Value::Map(members) => {
            let member = |(name, value)| (json(name).as_str().unwrap_or_default().to_owned(), json(value));
            Json::Object(members.iter().map(|(name, value)| member((name, value))).collect())
        }
        _ => Json::Null,
    }
}

/// The jids in a reply of queue_reserve, which are in groups of so many. A job that says nothing behind its last NUL has its
/// data in a value more.
fn jids_of(reply: &Json) -> Vec<Json> {
    let values = reply.as_array().map_or(&[][..], Vec::as_slice);
    let (mut jids, mut at) = (Vec::new(), 3);
    while let Some(count) = values.get(at + 3).and_then(Json::as_u64) {
        at += 4;
        for _ in 0..count {
            let apart = values.get(at + 1).and_then(Json::as_str).is_some_and(|about| about.ends_with('\0'));
            jids.extend(values.get(at).cloned());
            at += if apart { 3 } else { 2 };
        }
    }
    jids
}
