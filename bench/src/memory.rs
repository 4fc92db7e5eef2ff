//! Bytes of Redis memory per job, waiting, running and completed.

use crate::Tables;
use crate::engine;
use crate::server::{Meters, Pipeline, Server};
use crate::table::Table;

const JOBS: usize = 20_000;

/// A line per payload size, with the budget 380 + (payload − 60) beside it.
pub fn run() -> Tables {
    let mut table = Table::new(
        format!("Redis memory per job in bytes (used_memory), {JOBS} jobs, 32-character jids, one queue"),
        ["waiting", "running", "completed", "budget (waiting)"],
    );
    for size in [60, 64, 65, 200, 1000] {
        let server = Server::start("memory")?;
        manyhands::Client::open(Some(&server.url()), "")?.call("engine_version", "{}")?;
        let mut connection = server.connect()?;
        let mut pipeline = Pipeline::new(&mut connection);
        let mut held = vec![Meters(pipeline.connection()).used_memory()?];
        engine::put(&mut pipeline, JOBS, size, 0)?;
        held.push(Meters(pipeline.connection()).used_memory()?);
        let reserved = engine::reserve(&mut pipeline, JOBS)?;
        held.push(Meters(pipeline.connection()).used_memory()?);
        engine::complete(&mut pipeline, &reserved)?;
        held.push(Meters(pipeline.connection()).used_memory()?);
        let per_job = |index: usize| (held[index] - held[0]) / JOBS as f64;
        table.row(format!("{size} B"), [per_job(1), per_job(2), per_job(3), (380 + size - 60) as f64]);
    }
    Ok(vec![table])
}
