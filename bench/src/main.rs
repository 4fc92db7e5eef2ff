//! Measures what Manyhands costs, beside others: `manyhands-bench [PART…]`; without any those that `make bench` shows.
//!
//! Every figure names its meter. Servers are started by the benchmark itself, without persistence, on a unix socket.
//! QUICK=1: a tenth of the jobs and rounds, only to see that everything works.

mod bounded;
mod chart;
mod engine;
mod guard;
mod idle;
mod late;
mod latency;
mod limit;
mod master;
mod memory;
mod numbers;
mod peers;
mod results;
mod scale;
mod server;
mod table;
mod tiers;

use std::process::ExitCode;
use std::time::Instant;

use table::Table;

type Tables = Result<Vec<Table>, Box<dyn std::error::Error>>;

struct Part {
    name: &'static str,
    usual: bool,
    run: fn() -> Tables,
}

const PARTS: [Part; 12] = [
    Part { name: "engine", usual: true, run: engine::run },
    Part { name: "memory", usual: true, run: memory::run },
    Part { name: "latency", usual: true, run: latency::run },
    Part { name: "tiers", usual: true, run: tiers::run },
    Part { name: "peers", usual: true, run: peers::run },
    Part { name: "all-peers", usual: false, run: peers::run_all },
    Part { name: "limit", usual: true, run: limit::run },
    Part { name: "scale", usual: false, run: scale::run },
    Part { name: "late", usual: false, run: late::run },
    Part { name: "idle", usual: false, run: idle::run },
    Part { name: "guard", usual: false, run: guard::run },
    Part { name: "bounded", usual: false, run: bounded::run },
];

/// Of the tables of `peers` and `all-peers`: the columns that are drawn, and what they are.
const DRAWN: [(&str, &str); 2] =
    [("drain /s", "no-op jobs a second, one process"), ("Redis µs 60 B", "Redis CPU per job, µs")];

fn quick() -> bool {
    std::env::var_os("QUICK").is_some()
}

/// So many jobs or rounds as the run has time for.
fn extent(full: usize) -> usize {
    if quick() { full.div_ceil(10) } else { full }
}

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = asked.iter().find(|name| !PARTS.iter().any(|part| part.name == *name)) {
        eprintln!("unknown part {unknown}; known are {}", PARTS.map(|part| part.name).join(", "));
        return ExitCode::FAILURE;
    }
    let wanted = |part: &Part| if asked.is_empty() { part.usual } else { asked.iter().any(|name| name == part.name) };
    let mut all = Vec::new();
    for part in PARTS.iter().filter(|part| wanted(part)) {
        println!("\n## {}", part.name);
        let began = Instant::now();
        match (part.run)().and_then(|tables| tell(part.name, tables)) {
            Ok(tables) => all.extend(tables),
            Err(error) => {
                eprintln!("{}: {error}", part.name);
                return ExitCode::FAILURE;
            }
        }
        println!("({} took {:.0} s)", part.name, began.elapsed().as_secs_f64());
    }
    let numbers = numbers::markdown(&all);
    if !numbers.is_empty() {
        println!("\n## numbers\n\n{numbers}");
        if let Err(error) = results::keep("numbers.md", &numbers) {
            eprintln!("numbers: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Prints the tables, and keeps them.
fn tell(part: &str, tables: Vec<Table>) -> Tables {
    for table in &tables {
        table.print();
        println!();
    }
    if !tables.is_empty() {
        results::write(part, &tables)?;
    }
    if part.ends_with("peers") {
        results::keep(&format!("{part}.svg"), &chart::chart(&tables[0], &DRAWN, "Manyhands"))?;
    }
    Ok(tables)
}
