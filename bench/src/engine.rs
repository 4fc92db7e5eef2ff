//! Redis CPU per job for put + reserve + complete, in batches of 50, pipelined, history and stats on.

use redis::Value;

use crate::Tables;
use crate::server::{Meters, Pipeline, Server};
use crate::table::{Table, median};

const JOBS: usize = 20_000;
const BATCH: usize = 50;
const ROUNDS: usize = 5;
const WORKER: &str = "bench-host:4242:0123abcd";

/// In the reply of a reserve whose jobs are all alike: the values before the first job, and those of each.
pub const REPLY_HEAD: usize = 7;
pub const REPLY_WIDTH: usize = 4;

/// Puts `jobs` jobs with a payload of `size` bytes.
pub fn put(pipeline: &mut Pipeline<'_>, jobs: usize, size: usize, round: usize) -> redis::RedisResult<()> {
    let data = format!("\"{}\"", "a".repeat(size - 2));
    let jids: Vec<String> = (0..jobs).map(|number| format!("{round:08x}{:024x}", number * 0x9e37_79b9)).collect();
    let calls: Vec<Vec<String>> = jids
        .chunks(BATCH)
        .map(|chunk| {
            let head = ["bench".into(), "echo".into(), String::new(), chunk.len().to_string()];
            head.into_iter().chain(chunk.iter().flat_map(|jid| [jid.clone(), data.clone()])).collect()
        })
        .collect();
    pipeline.call("queue_put", &calls).map(drop)
}

/// Reserves all `jobs`; what each reservation answered.
pub fn reserve(pipeline: &mut Pipeline<'_>, jobs: usize) -> redis::RedisResult<Vec<Value>> {
    let call = vec![WORKER.to_owned(), BATCH.to_string(), "0".to_owned(), "bench".to_owned()];
    pipeline.call("queue_reserve", &vec![call; jobs / BATCH])
}

/// Completes what was reserved.
pub fn complete(pipeline: &mut Pipeline<'_>, reserved: &[Value]) -> redis::RedisResult<()> {
    let calls: Vec<Vec<String>> = reserved.iter().map(completions).collect();
    pipeline.call("job_complete", &calls).map(drop)
}

/// What completes the jobs of a reply, which are all of one queue.
fn completions(reply: &Value) -> Vec<String> {
    let Value::Array(parts) = reply else { return Vec::new() };
    let jids: Vec<String> = parts.iter().skip(REPLY_HEAD).step_by(REPLY_WIDTH).map(text).collect();
    let head = [text(&parts[0]), String::new(), jids.len().to_string()];
    head.into_iter().chain(jids.into_iter().flat_map(|jid| [jid, "3".to_owned(), String::new()])).collect()
}

fn text(value: &Value) -> String {
    redis::from_redis_value_ref(value).unwrap_or_default()
}

/// A line per payload size: the median of several rounds.
pub fn run() -> Tables {
    let mut table = Table::new(
        format!(
            "Redis CPU per job in µs: put + reserve + complete, batches of {BATCH}, pipelined, {JOBS} jobs, median of {ROUNDS}; by used_cpu, and\n\
             together also by commandstats"
        ),
        ["put", "reserve", "complete", "used_cpu", "commandstats"],
    );
    for size in [60, 1000] {
        let mut rounds = Vec::new();
        for round in 0..ROUNDS {
            rounds.push(one_round(size, round)?);
        }
        let figures = (0..5).map(|column| median(rounds.iter().map(|round| round[column]).collect()));
        table.row(format!("{size} B"), figures.collect::<Vec<f64>>());
    }
    Ok(vec![table])
}

/// put, reserve, complete, all by used_cpu, and all by commandstats: microseconds per job.
fn one_round(size: usize, round: usize) -> Result<[f64; 5], Box<dyn std::error::Error>> {
    let server = Server::start("engine")?;
    manyhands::Client::open(Some(&server.url()), "")?.call("engine_version", "{}")?;
    let mut connection = server.connect()?;
    let mut pipeline = Pipeline::new(&mut connection);
    Meters(pipeline.connection()).reset()?;
    let mut cpu = vec![Meters(pipeline.connection()).used_cpu()?];
    put(&mut pipeline, JOBS, size, round)?;
    cpu.push(Meters(pipeline.connection()).used_cpu()?);
    let reserved = reserve(&mut pipeline, JOBS)?;
    cpu.push(Meters(pipeline.connection()).used_cpu()?);
    complete(&mut pipeline, &reserved)?;
    cpu.push(Meters(pipeline.connection()).used_cpu()?);
    let fcall = Meters(pipeline.connection()).fcall_usec()?;
    let per_job = |seconds: f64| seconds * 1e6 / JOBS as f64;
    Ok([
        per_job(cpu[1] - cpu[0]),
        per_job(cpu[2] - cpu[1]),
        per_job(cpu[3] - cpu[2]),
        per_job(cpu[3] - cpu[0]),
        fcall / JOBS as f64,
    ])
}
