//! Drain rate: one worker process of each language performs no-op jobs that wait already.
//!
//! Each program in drain/ is given MANYHANDS_URL, JOBS and THREADS, and prints the seconds from its first job's start
//! until all outcomes are durable. A language whose program is not built is named and left out.

use std::path::Path;
use std::process::Command;

use manyhands::{Client, Put};

use crate::Outcome;
use crate::server::{Meters, Server};

const JOBS: usize = 50_000;
const BATCH: usize = 1_000;
const ROUNDS: usize = 3;
const THREADS: &str = "1";

/// Language, program, arguments; paths are relative to the repository.
const PROGRAMS: [(&str, &str, &[&str]); 5] = [
    ("Rust", "target/release/drain", &[]),
    ("C", "target/bench/drain", &[]),
    ("Python", "target/venv/bin/python", &["bench/drain/drain.py"]),
    ("Node", "node", &["target/node/fresh/drain.mjs"]),
    ("Ruby", "ruby", &["bench/drain/drain.rb"]),
];

/// Prints a line per language: jobs per second, and as a share of Rust's in the same run.
pub fn run() -> Outcome {
    println!(
        "no-op jobs per second, one worker process, {THREADS} thread, {JOBS} jobs waiting, median of {ROUNDS} (wall clock); Redis on the same machine"
    );
    println!("{:>8} {:>12} {:>10} {:>18}", "", "jobs/s", "of Rust", "Redis µs/job (cpu)");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let mut rust = None;
    for (language, program, arguments) in PROGRAMS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            match drain(root, program, arguments) {
                Ok(figures) => rounds.push(figures),
                Err(error) => {
                    println!("{language:>8} not measured: {error}");
                    break;
                }
            }
        }
        if rounds.len() < ROUNDS {
            continue;
        }
        let rate = crate::engine::median(rounds.iter().map(|round| round.0).collect());
        let cpu = crate::engine::median(rounds.iter().map(|round| round.1).collect());
        let base = *rust.get_or_insert(rate);
        println!("{language:>8} {rate:>12.0} {:>9.0}% {cpu:>18.1}", rate / base * 100.0);
    }
    Ok(())
}

/// Jobs per second, and the server's processor time per job in microseconds.
fn drain(root: &Path, program: &str, arguments: &[&str]) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let server = Server::start("drain")?;
    let queue = Client::open(Some(&server.url()), "")?.queue("bench");
    for _ in 0..JOBS / BATCH {
        queue.put_many((0..BATCH).map(|number| Put::new("noop").data(format!("{{\"number\": {number}}}"))))?;
    }
    let mut connection = server.connect()?;
    let before = Meters(&mut connection).used_cpu()?;
    let path = if program.contains('/') { root.join(program) } else { program.into() };
    let output = Command::new(path)
        .args(arguments)
        .current_dir(root)
        .env("MANYHANDS_URL", server.url())
        .env("JOBS", JOBS.to_string())
        .env("THREADS", THREADS)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or("it failed").to_owned().into());
    }
    let used = Meters(&mut connection).used_cpu()? - before;
    let seconds: f64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    if queue.counts()?.waiting != 0 {
        return Err("jobs are left".into());
    }
    Ok((JOBS as f64 / seconds, used * 1e6 / JOBS as f64))
}
