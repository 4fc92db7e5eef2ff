//! Whether the hot paths became dearer, by what does not depend on how busy the machine is: `make bench-guard`, below a minute.
//!
//! UPDATE_GUARD=1 writes what it finds as the new baseline. The profiles stay in target/bench/guard, for callgrind_annotate.

mod baseline;
mod counted;

use baseline::Figure;
use counted::Counted;

use crate::Tables;
use crate::engine::{self, BATCH};
use crate::limit::{self, Passage, Way};
use crate::master::repository;
use crate::server::{Pipeline, Server};
use crate::table::median;

type Done<T> = Result<T, Box<dyn std::error::Error>>;

const SIZE: usize = 60;
/// Jobs that are counted, after as many that are not: tables have grown then.
const JOBS: usize = 1_000;
/// The same of jobs that come one per call.
const ALONE: usize = 200;
/// Jobs of each kind of call that the client is counted in, and runs of a worker.
const CLIENT_JOBS: usize = 500;
const CLIENT_RUNS: usize = 5_000;
/// Jobs and rounds of the processor's time, which is the only figure that a busy machine changes.
const TIMED_JOBS: usize = 10_000;
const TIMED_ROUNDS: usize = 5;

/// Fails only where a figure is much beyond its tolerance.
pub fn run() -> Tables {
    let (ours, full) = (server(Way::Ours)?, server(Way::Full)?);
    let bare = server(Way::Bare)?;
    let (turn, alone) = (turns()?, alone()?);
    let client = client()?;
    let mut ratios = Vec::new();
    let mut commands = 0.0;
    for _ in 0..TIMED_ROUNDS {
        let (bare, ours) = (limit::passage(Way::Bare, TIMED_JOBS, SIZE)?, limit::passage(Way::Ours, TIMED_JOBS, SIZE)?);
        ratios.push(ours.cpu() / bare.cpu());
        commands = ours.commands;
    }
    let figure = |name, now, tolerance| Figure { name, now, tolerance };
    let figures = [
        figure("server: put, × bare Lua", ours[0] / bare[0], 0.05),
        figure("server: reserve, × bare Lua", ours[1] / bare[1], 0.05),
        figure("server: complete, × bare Lua", ours[2] / bare[2], 0.05),
        figure("server: complete and forget, × bare Lua", full[2] / bare[2], 0.05),
        figure("server: turn, × bare Lua", turn / (bare[1] + bare[2]), 0.05),
        figure("server: one job per call, × bare Lua", alone / bare.iter().sum::<f64>(), 0.05),
        figure("server: commands a job", commands, 0.02),
        figure("server: used_cpu, × bare Lua", median(ratios), 0.25),
        figure("client: put, instructions a job", client[0], 0.05),
        figure("client: reserve, instructions a job", client[1], 0.05),
        figure("client: turn, instructions a job", client[2], 0.05),
        figure("client: worker of no-op jobs, all its threads, instructions a job", client[3], 0.1),
    ];
    println!(
        "instructions of the server per job, put reserve complete: ours {}, with a full history {}, bare Lua {}; ours, turn: {turn:.0}, \
         one job per call: {alone:.0}",
        ours.map(|count| format!("{count:.0}")).join(" "),
        full.map(|count| format!("{count:.0}")).join(" "),
        bare.map(|count| format!("{count:.0}")).join(" ")
    );
    if std::env::var_os("UPDATE_GUARD").is_some() {
        baseline::write(&figures)?;
    }
    let found = baseline::compare(&figures)?;
    for words in found.differ.iter().chain(&found.failed) {
        println!("guard: not as before: {words}");
    }
    let same = figures.len() - found.differ.len() - found.failed.len();
    println!("guard: {same} of {} figures are as before", figures.len());
    if found.failed.is_empty() {
        return Ok(vec![found.table]);
    }
    found.table.print();
    Err("much dearer than before; UPDATE_GUARD=1 makes it the baseline, if it is worth it".into())
}

/// Instructions per job of the server for put, reserve and complete.
fn server(way: Way) -> Done<[f64; 3]> {
    let mut server = Counted::start(&way.name().replace([' ', ','], "-"))?;
    let (mut marks, mut connection) = (server.connect()?, server.connect()?);
    way.prepare(&mut connection, &server.url())?;
    let mut passage = Passage::new(way, &mut connection);
    if way == Way::Full {
        passage.configure("jobs-history-count", JOBS as i64)?;
        passage.fill_history(JOBS, SIZE)?;
    }
    let mut per_job = [0.0; 3];
    for _ in 0..2 {
        if way == Way::Full {
            passage.pass_a_minute()?;
        }
        server.mark(&mut marks)?;
        passage.put(JOBS, SIZE)?;
        per_job[0] = server.mark(&mut marks)? / JOBS as f64;
        let reserved = passage.reserve(JOBS)?;
        per_job[1] = server.mark(&mut marks)? / JOBS as f64;
        passage.complete(&reserved)?;
        per_job[2] = server.mark(&mut marks)? / JOBS as f64;
    }
    Ok(per_job)
}

/// Instructions per job of the server for turns that each complete 50 jobs and take 50: what a worker does that is never idle.
fn turns() -> Done<f64> {
    let mut server = Counted::start("turn")?;
    let (mut marks, mut connection) = (server.connect()?, server.connect()?);
    Way::Ours.prepare(&mut connection, &server.url())?;
    let mut pipeline = Pipeline::new(&mut connection);
    engine::put(&mut pipeline, 2 * JOBS + BATCH, SIZE, 0)?;
    let mut ended = limit::turn(&mut pipeline, BATCH, &[])?;
    let mut per_job = 0.0;
    for _ in 0..2 {
        server.mark(&mut marks)?;
        for _ in 0..JOBS / BATCH {
            ended = limit::turn(&mut pipeline, BATCH, &ended)?;
        }
        per_job = server.mark(&mut marks)? / JOBS as f64;
    }
    Ok(per_job)
}

/// Instructions of the server for a job alone: a put of one, and a turn that completes one and takes one.
fn alone() -> Done<f64> {
    let mut server = Counted::start("alone")?;
    let (mut marks, mut connection) = (server.connect()?, server.connect()?);
    Way::Ours.prepare(&mut connection, &server.url())?;
    let mut pipeline = Pipeline::new(&mut connection);
    let data = format!("\"{}\"", "a".repeat(SIZE - 2));
    let (mut ended, mut per_job) = (Vec::new(), 0.0);
    for round in 0..2 {
        server.mark(&mut marks)?;
        for number in 0..ALONE {
            ended = limit::put_and_turn(&mut pipeline, round * ALONE + number, &data, &ended)?;
        }
        per_job = server.mark(&mut marks)? / ALONE as f64;
    }
    Ok(per_job)
}

/// Instructions per job of the core in a client's process for put, reserve and turn, in calls of 50 jobs, and of a worker.
fn client() -> Done<[f64; 4]> {
    let server = Server::start("guard")?;
    let arguments = [server.url(), CLIENT_JOBS.to_string(), BATCH.to_string(), CLIENT_RUNS.to_string()];
    let spans =
        counted::spans(&repository().join("target/release/hot"), &arguments, "client", "manyhands_bench_mark", 8)?;
    // Before each span that counts comes one in which what it needs is made.
    let per_job = |at: usize, jobs: usize| spans[at] / jobs as f64;
    Ok([per_job(1, CLIENT_JOBS), per_job(3, CLIENT_JOBS), per_job(5, CLIENT_JOBS), per_job(7, CLIENT_RUNS)])
}
