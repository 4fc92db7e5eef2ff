//! Jobs that come one at a time: a call puts one, the next completes one and reserves one.

use redis::Value;

use super::ways::{self, Passage, Way};
use super::{Done, HISTORY, ROUNDS, SIZES, usec_of};
use crate::engine;
use crate::extent;
use crate::server::{Meters, Pipeline, Server};
use crate::table::{Table, median};

const JOBS: usize = 5_000;
/// Of the first job, beyond those that filled the history.
const FIRST: usize = 1_000_000;

/// What is measured in turn; PING, for scale, is no way for jobs.
const ROWS: [(&str, Option<Way>); 4] = [
    ("PING", None),
    ("put + turn in bare Lua", Some(Way::Bare)),
    ("put + turn", Some(Way::Ours)),
    ("put + turn, history full", Some(Way::Full)),
];

/// A line for each.
pub fn run() -> Done<Table> {
    let (jobs, rounds) = (extent(JOBS), extent(ROUNDS));
    let mut table = Table::new(
        format!(
            "µs per job when each call waits for its reply, {jobs} jobs of {} B, medians of {rounds} rounds: put of one, then a turn that\n\
             completes one and reserves one",
            SIZES[0]
        ),
        ["commandstats", "used_cpu", "inside: bare"],
    );
    let mut found = ROWS.map(|_| Vec::new());
    for _ in 0..rounds {
        for ((_, way), rounds) in ROWS.into_iter().zip(&mut found) {
            rounds.push(spent(jobs, way)?);
        }
    }
    let bare = &found[1];
    let of = |rounds: &[[f64; 2]], figure: usize| median(rounds.iter().map(|round| round[figure]).collect());
    for ((name, _), rounds) in ROWS.into_iter().zip(&found) {
        let against = rounds.iter().zip(bare).map(|(round, bare)| round[0] / bare[0]).collect();
        table.row(name, [of(rounds, 0), of(rounds, 1), median(against)]);
    }
    Ok(table)
}

/// Microseconds of the server per job, within its commands (commandstats) and in all (used_cpu); without a way a PING for each.
fn spent(jobs: usize, way: Option<Way>) -> Done<[f64; 2]> {
    let server = Server::start("limit")?;
    let mut connection = server.connect()?;
    if let Some(way) = way {
        way.prepare(&mut connection, &server.url())?;
    }
    let data = format!("\"{}\"", "a".repeat(SIZES[0] - 2));
    let mut passage = Passage::new(way.unwrap_or(Way::Raw), &mut connection);
    if way == Some(Way::Full) {
        passage.fill_history(HISTORY, SIZES[0])?;
    }
    let mut pipeline = passage.into_pipeline();
    let mut ended = Vec::new();
    Meters(pipeline.connection()).forget()?;
    let used = Meters(pipeline.connection()).used_cpu()?;
    for number in 0..jobs {
        match way {
            None => redis::cmd("PING").exec(pipeline.connection())?,
            Some(Way::Ours | Way::Full) => ended = put_and_turn(&mut pipeline, FIRST + number, &data, &ended)?,
            Some(_) => ended = ways::bare_put_and_turn(pipeline.connection(), number, &data, &ended)?,
        }
    }
    let used = Meters(pipeline.connection()).used_cpu()? - used;
    let inside = usec_of(pipeline.connection(), &[if way.is_some() { "fcall" } else { "ping" }])?;
    Ok([inside, used * 1e6].map(|figure| figure / jobs as f64))
}

/// One job per call: puts job `number`, then a turn that delivers `ended` and takes one.
pub fn put_and_turn(pipeline: &mut Pipeline<'_>, number: usize, data: &str, ended: &[String]) -> Done<Vec<String>> {
    let put = ["bench", "echo", "", "1", &format!("{:032x}", number * 0x9e37_79b9), data].map(str::to_owned);
    pipeline.call("queue_put", &[put.to_vec()])?;
    turn(pipeline, 1, ended)
}

/// A turn that delivers `ended` and takes up to `limit` jobs: what completes these.
pub fn turn(pipeline: &mut Pipeline<'_>, limit: usize, ended: &[String]) -> Done<Vec<String>> {
    let mut call = ["bench-host:4242:0123abcd", &limit.to_string(), "0", "1", "bench"].map(str::to_owned).to_vec();
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
