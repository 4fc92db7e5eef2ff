//! Jobs that come one at a time: a call puts one, the next completes one and reserves one.

use redis::{Connection, Value};

use super::ways::{self, Way};
use super::{Done, ROUNDS, SIZES};
use crate::awake::Awake;
use crate::engine;
use crate::extent;
use crate::server::{Meters, Pipeline, Server};
use crate::table::{Table, median};

const JOBS: usize = 5_000;

/// Its put and its turn.
const SAME: &str = include_str!("same.lua");
/// Within which the time of each is counted by commandstats.
const CALLS: [&str; 2] = ["ping", "fcall"];

/// What is measured in turn.
#[derive(Clone, Copy)]
enum What {
    /// For scale.
    Ping,
    Bare,
    /// The engine's commands without the engine.
    Same,
    Ours,
}

const ROWS: [(&str, What); 4] = [
    ("PING", What::Ping),
    ("put + turn in bare Lua", What::Bare),
    ("our commands in bare Lua", What::Same),
    ("put + turn", What::Ours),
];

/// A line for each.
pub fn run() -> Done<Table> {
    let (jobs, rounds) = (extent(JOBS), extent(ROUNDS));
    let mut table = Table::new(
        format!(
            "µs per job when each call waits for its reply, {jobs} jobs of {} B, medians of {rounds} rounds: put of one, then a turn that\n\
             completes one and reserves one. awake: commandstats while a program of lowest priority keeps each processor from sleeping;\n\
             our commands: those that the engine makes, with nothing read, checked or decided between them",
            SIZES[0]
        ),
        ["commandstats", "used_cpu", "inside: bare", "awake", "awake: bare"],
    );
    let mut found = ROWS.map(|_| Vec::new());
    for _ in 0..rounds {
        for ((_, what), rounds) in ROWS.into_iter().zip(&mut found) {
            let [inside, used] = spent(jobs, what)?;
            let awake = Awake::keep()?;
            rounds.push([inside, used, spent(jobs, what)?[0]]);
            drop(awake);
        }
    }
    let bare = &found[1];
    for ((name, _), rounds) in ROWS.into_iter().zip(&found) {
        let of = |figure: usize| median(rounds.iter().map(|round: &[f64; 3]| round[figure]).collect());
        let against =
            |figure: usize| median(rounds.iter().zip(bare).map(|(one, bare)| one[figure] / bare[figure]).collect());
        table.row(name, [of(0), of(1), against(0), of(2), against(2)]);
    }
    Ok(table)
}

/// Microseconds of the server per job, within its commands (commandstats) and in all (used_cpu).
fn spent(jobs: usize, what: What) -> Done<[f64; 2]> {
    let server = Server::start("limit")?;
    let mut connection = server.connect()?;
    match what {
        What::Ping => {}
        What::Bare => Way::Bare.prepare(&mut connection, &server.url())?,
        What::Same => {
            redis::cmd("FUNCTION").arg("LOAD").arg(SAME).exec(&mut connection)?;
            // As the engine's own, so that its fields and its seq are there.
            Way::Ours.prepare(&mut connection, &server.url())?;
        }
        What::Ours => Way::Ours.prepare(&mut connection, &server.url())?,
    }
    let data = format!("\"{}\"", "a".repeat(SIZES[0] - 2));
    let mut pipeline = Pipeline::new(&mut connection);
    let mut ended = Vec::new();
    Meters(pipeline.connection()).forget()?;
    let used = Meters(pipeline.connection()).used_cpu()?;
    for number in 0..jobs {
        match what {
            What::Ping => redis::cmd("PING").exec(pipeline.connection())?,
            What::Bare => ended = ways::bare_put_and_turn(pipeline.connection(), number, &data, &ended)?,
            What::Same => ended = same_put_and_turn(pipeline.connection(), number, &data, &ended)?,
            What::Ours => ended = put_and_turn(&mut pipeline, number, &data, &ended)?,
        }
    }
    let used = Meters(pipeline.connection()).used_cpu()? - used;
    let inside = Meters(pipeline.connection()).usec(&CALLS)?;
    Ok([inside, used * 1e6].map(|figure| figure / jobs as f64))
}

/// Puts job `number`, and completes what has `ended` and takes the next, by the engine's commands alone; its jid.
fn same_put_and_turn(connection: &mut Connection, number: usize, data: &str, ended: &[String]) -> Done<Vec<String>> {
    let jid = format!("{:032x}", number * 0x9e37_79b9);
    redis::cmd("FCALL").arg("same_put").arg(0).arg(number).arg(jid).arg(data).exec(connection)?;
    let turn: (String, Vec<String>) =
        redis::cmd("FCALL").arg("same_turn").arg(0).arg(number).arg(ended).query(connection)?;
    Ok(turn.1.into_iter().take(1).collect())
}

/// One job per call: puts job `number`, then a turn that delivers `ended` and takes one.
pub fn put_and_turn(pipeline: &mut Pipeline<'_>, number: usize, data: &str, ended: &[String]) -> Done<Vec<String>> {
    let put = ["bench", "echo", "", "1", &format!("{:032x}", number * 0x9e37_79b9), data].map(str::to_owned);
    pipeline.call("queue_put", &[put.to_vec()])?;
    turn(pipeline, 1, ended)
}

/// A turn that delivers `ended` and takes up to `limit` jobs: what completes these.
pub fn turn(pipeline: &mut Pipeline<'_>, limit: usize, ended: &[String]) -> Done<Vec<String>> {
    let mut call = [engine::WORKER, &limit.to_string(), "0", "1", "bench"].map(str::to_owned).to_vec();
    call.extend_from_slice(ended);
    let replies = pipeline.call("worker_turn", &[call])?;
    completions(&replies).ok_or("a turn took nothing".into())
}

fn completions(replies: &[Value]) -> Option<Vec<String>> {
    let [Value::Array(parts)] = replies else { return None };
    let Value::Array(reserved) = parts.get(1)? else { return None };
    let token = redis::from_redis_value_ref::<String>(reserved.first()?).ok()?;
    let jids = Some(engine::jids(reserved)).filter(|jids| !jids.is_empty())?;
    let alike = ["complete".to_owned(), token, String::new(), "3".to_owned(), String::new(), jids.len().to_string()];
    Some(alike.into_iter().chain(jids).collect())
}
