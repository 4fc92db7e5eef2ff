//! Measures what Manyhands costs: `manyhands-bench [engine] [memory] [latency] [tiers] [bounded]`, all of them by default.
//!
//! Every figure names its meter. Servers are started by the benchmark itself, without persistence, on a unix socket.
//! QUICK=1: a tenth of the jobs and rounds, only to see that everything works.

mod bounded;
mod engine;
mod latency;
mod master;
mod memory;
mod server;
mod table;
mod tiers;

use std::process::ExitCode;

type Outcome = Result<(), Box<dyn std::error::Error>>;

type Part = (&'static str, fn() -> Outcome);

const PARTS: [Part; 5] = [
    ("engine", engine::run),
    ("memory", memory::run),
    ("latency", latency::run),
    ("tiers", tiers::run),
    ("bounded", bounded::run),
];

/// So many jobs or rounds as the run has time for.
fn extent(full: usize) -> usize {
    if std::env::var_os("QUICK").is_some() { full.div_ceil(10) } else { full }
}

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = asked.iter().find(|name| !PARTS.iter().any(|(part, _)| part == name)) {
        eprintln!("unknown part {unknown}; known are engine, memory, latency, tiers, bounded");
        return ExitCode::FAILURE;
    }
    for (name, run) in PARTS {
        if !asked.is_empty() && !asked.iter().any(|part| part == name) {
            continue;
        }
        println!("\n## {name}");
        if let Err(error) = run() {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
