//! Measures what Manyhands costs: `manyhands-bench [engine] [memory] [latency] [drain] [bounded]`, all of them by default.
//!
//! Every figure names its meter. Servers are started by the benchmark itself, without persistence, on a unix socket.

mod bounded;
mod drain;
mod engine;
mod latency;
mod memory;
mod server;

use std::process::ExitCode;

type Outcome = Result<(), Box<dyn std::error::Error>>;

type Part = (&'static str, fn() -> Outcome);

const PARTS: [Part; 5] = [
    ("engine", engine::run),
    ("memory", memory::run),
    ("latency", latency::run),
    ("drain", drain::run),
    ("bounded", bounded::run),
];

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = asked.iter().find(|name| !PARTS.iter().any(|(part, _)| part == name)) {
        eprintln!("unknown part {unknown}; known are engine, memory, latency, drain, bounded");
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
