//! A server with a great deal in it, and how it is called.

use manyhands::Client;
use redis::{Connection, Value};
use serde_json::{Value as Json, json};

use super::figures::{self, Row};
use crate::engine::WORKER;
use crate::server::{AT_ONCE, Caller, Meters, Server};

/// What a step of the benchmark answers.
pub(super) use crate::Done as Step;

/// Most items of one call.
pub const BATCH: usize = 250;
/// Most outcomes of one call, and most jobs with a dependency of one put.
pub const HALF: usize = 125;
/// Most outcomes of a turn that takes jobs.
pub const TURN: usize = 50;
/// The longest page.
pub const PAGE: usize = 250;
/// Most queues of one reserve.
pub const ASKED: usize = 64;

const NOON: u64 = 1_800_000_000_000;

/// The arguments of one call.
pub type Args = Vec<String>;

/// A server, a clock that stands still, and what was measured.
pub struct Crowd {
    server: Server,
    connection: Connection,
    caller: Caller,
    now: u64,
    rows: Vec<Row>,
    /// Processor time of the calls being measured: the longest; what looking costs.
    busiest: f64,
    looking: f64,
}

impl Crowd {
    /// A new server with the engine.
    pub fn gather(run: usize) -> Step<Crowd> {
        let server = Server::start(&format!("bounded-{run}"))?;
        Client::open(Some(&server.url()), "")?.call("engine_version", "{}")?;
        let mut connection = server.connect()?;
        figures::prepare(&mut connection)?;
        let caller = Caller::default();
        let mut crowd = Crowd { server, connection, caller, now: NOON, rows: Vec::new(), busiest: 0.0, looking: 0.0 };
        crowd.pass(0)?;
        crowd.calibrate()?;
        Ok(crowd)
    }

    /// A client of the server.
    pub fn client(&self) -> Step<Client> {
        Ok(Client::open(Some(&self.server.url()), "")?)
    }

    /// What it costs to look at the processor time, the least of many.
    fn calibrate(&mut self) -> Step {
        let mut pipe = redis::pipe();
        for _ in 0..200 {
            pipe.cmd("INFO").arg("cpu");
        }
        let answers: Vec<String> = pipe.query(&mut self.connection)?;
        let times: Vec<f64> = answers.iter().map(|info| figures::processor_time(info)).collect();
        self.looking = times.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::MAX, f64::min);
        Ok(())
    }

    /// What was measured.
    pub fn figures(self) -> Vec<Row> {
        self.rows
    }

    /// Moves the clock.
    pub fn pass(&mut self, ms: u64) -> Step {
        self.now += ms;
        let now = self.now;
        self.ask("config_set", json!({"name": "test-clock", "value": now})).map(drop)
    }

    /// Calls `operation` once for each list of arguments, many in flight; the replies in order.
    pub fn call(&mut self, operation: &str, calls: &[Args]) -> Step<Vec<Value>> {
        let mut replies = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(AT_ONCE) {
            let mut pipe = redis::pipe();
            for args in chunk {
                pipe.cmd("INFO").arg("cpu");
                self.caller.write(&mut pipe, operation, args);
            }
            pipe.cmd("INFO").arg("cpu");
            let answers = pipe.query::<Vec<Value>>(&mut self.connection)?;
            let times: Vec<f64> = answers.iter().step_by(2).map(|info| figures::processor_time(&text(info))).collect();
            let spans = times.windows(2).map(|pair| pair[1] - pair[0] - self.looking);
            self.busiest = spans.fold(self.busiest, f64::max);
            replies.extend(answers.into_iter().skip(1).step_by(2));
        }
        Ok(replies)
    }

    /// The same as a row of the table.
    pub fn measure(&mut self, name: &str, operation: &str, calls: &[Args]) -> Step<Vec<Value>> {
        self.begin()?;
        let replies = self.call(operation, calls)?;
        self.note(name)?;
        Ok(replies)
    }

    /// One call with JSON, unmeasured.
    pub fn ask(&mut self, operation: &str, args: Json) -> Step<Value> {
        Ok(self.call(operation, &[vec![args.to_string()]])?.remove(0))
    }

    /// A call with JSON, `times` over.
    pub fn measure_json(&mut self, name: &str, operation: &str, args: &Json, times: usize) -> Step<Value> {
        Ok(self.measure(name, operation, &vec![vec![args.to_string()]; times])?.remove(0))
    }

    /// Calls again until `done` says so of a reply: a row of all of it.
    pub fn repeat(
        &mut self,
        name: &str,
        operation: &str,
        mut args: impl FnMut() -> Args,
        mut done: impl FnMut(&Value) -> bool,
    ) -> Step<usize> {
        self.begin()?;
        let mut count = 0;
        loop {
            count += 1;
            let reply = self.call(operation, &[args()])?.remove(0);
            if done(&reply) {
                break;
            }
        }
        self.note(name)?;
        Ok(count)
    }

    fn begin(&mut self) -> Step {
        self.busiest = 0.0;
        Ok(Meters(&mut self.connection).forget()?)
    }

    fn note(&mut self, name: &str) -> Step {
        let row = figures::read(&mut self.connection, name, self.busiest)?;
        if std::env::var_os("VERBOSE").is_some() {
            eprintln!("{row}");
        }
        self.rows.push(row);
        Ok(())
    }
}

/// The arguments of puts, `count` jobs of these names, `batch` to a call: each of `queue(number)`, with options.
pub fn puts(name: &str, count: usize, batch: usize, queue: impl Fn(usize) -> String, options: &Json) -> Vec<Args> {
    let options = if options.is_null() { String::new() } else { options.to_string() };
    let job = |number: usize| {
        let head = [queue(number), "echo".into(), options.clone(), "1".into()];
        head.into_iter().chain([format!("{name}-{number:08}"), "{\"n\":1}".into()])
    };
    (0..count).step_by(batch).map(|first| (first..count.min(first + batch)).flat_map(job).collect()).collect()
}

/// The arguments of a reserve.
pub fn reserve(limit: usize, share: bool, queues: &[String]) -> Args {
    let mut args = vec![WORKER.to_owned(), limit.to_string(), u8::from(share).to_string()];
    args.extend_from_slice(queues);
    args
}

/// What a reserve answered: each job's jid and the token.
pub fn leases(reply: &Value) -> Vec<[String; 2]> {
    let parts = list(reply);
    let token = text(&parts[0]);
    let (mut leases, mut at) = (Vec::new(), 3);
    while at < parts.len() {
        let jobs: usize = text(&parts[at + 3]).parse().expect("a number of jobs");
        let end = at + 4 + 2 * jobs; // their data is small
        leases.extend(parts[at + 4..end].iter().step_by(2).map(|jid| [text(jid), token.clone()]));
        at = end;
    }
    leases
}

/// The arguments of a turn: outcomes of what a reserve answered, and a reserve.
pub fn turn(ended: &[[String; 2]], limit: usize, queues: &[String]) -> Args {
    let mut args = vec![WORKER.to_owned(), limit.to_string(), "1".into(), queues.len().to_string()];
    args.extend_from_slice(queues);
    for [jid, token] in ended {
        args.extend([
            "complete".into(),
            token.clone(),
            String::new(),
            "3".into(),
            String::new(),
            "1".into(),
            jid.clone(),
        ]);
    }
    args
}

/// The parts of a list.
pub fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(parts) => parts,
        other => panic!("a list was promised, not {other:?}"),
    }
}

/// A text.
pub fn text(value: &Value) -> String {
    redis::from_redis_value_ref(value).unwrap_or_default()
}

/// A member of a map, as a number.
pub fn count(value: &Value, name: &str) -> usize {
    let Value::Map(members) = value else { panic!("a map was promised, not {value:?}") };
    let member = members.iter().find(|(key, _)| text(key) == name);
    member.and_then(|(_, number)| redis::from_redis_value_ref(number).ok()).unwrap_or(0)
}
