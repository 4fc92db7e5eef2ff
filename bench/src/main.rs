//! Measures what Manyhands costs, beside others: `manyhands-bench [PART…]`; without any those that `make bench` shows, with `all`
//! those of `make bench-all`. A part that fails does not keep the others from being measured.
//!
//! Every figure names its meter. Servers are started by the benchmark itself, without persistence, on a unix socket.
//! QUICK=1: a tenth of the jobs and rounds, only to see that everything works.

mod awake;
mod bounded;
mod ceiling;
mod chart;
mod engine;
mod guard;
mod idle;
mod late;
mod limit;
mod master;
mod memory;
mod numbers;
mod peers;
mod results;
mod scale;
mod server;
mod settings;
mod table;
mod tiers;

use std::process::ExitCode;
use std::time::Instant;

use settings::extent;
use table::Table;

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;
type Tables = Done<Vec<Table>>;

struct Part {
    name: &'static str,
    /// Which of `make bench` and `make bench-all` have it.
    usual: bool,
    all: bool,
    run: fn() -> Tables,
}

const PARTS: [Part; 10] = [
    Part { name: "limit", usual: true, all: true, run: limit::run },
    Part { name: "memory", usual: true, all: true, run: memory::run },
    Part { name: "tiers", usual: true, all: true, run: tiers::run },
    Part { name: "peers", usual: true, all: false, run: peers::run },
    Part { name: "all-peers", usual: false, all: true, run: peers::run_all },
    Part { name: "late", usual: false, all: true, run: late::run },
    Part { name: "idle", usual: false, all: true, run: idle::run },
    Part { name: "scale", usual: false, all: true, run: scale::run },
    Part { name: "bounded", usual: false, all: true, run: bounded::run },
    Part { name: "guard", usual: false, all: false, run: guard::run },
];

/// Of the tables of `peers` and `all-peers`: the columns that are drawn, and what they are.
const DRAWN: [(&str, &str); 2] = [
    ("drain /s", "no-op jobs a second, one process (wall clock)"),
    ("Redis µs 60 B", "Redis CPU per job, µs (used_cpu)"),
];

/// And the column that tells which of them lose a job.
const MARKED: (&str, &str) =
    ("rescued s", "a job whose worker was killed in the middle of it did not run again, so long as was waited for it");

fn main() -> ExitCode {
    results::begin();
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let all = asked == ["all"];
    if let Some(unknown) = asked.iter().find(|name| !all && !PARTS.iter().any(|part| part.name == *name)) {
        eprintln!("unknown part {unknown}; known are all, {}", PARTS.map(|part| part.name).join(", "));
        return ExitCode::FAILURE;
    }
    let wanted = |part: &&Part| match asked.as_slice() {
        [] => part.usual,
        _ if all => part.all,
        names => names.iter().any(|name| name == part.name),
    };
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for part in PARTS.iter().filter(wanted) {
        println!("\n## {}", part.name);
        let began = Instant::now();
        let tables = std::panic::catch_unwind(part.run).unwrap_or_else(|_| Err("it panicked".into()));
        match tables.and_then(|tables| tell(part.name, tables)) {
            Ok(tables) => found.extend(tables),
            Err(error) => failed.push(format!("{} failed: {error}", part.name)),
        }
        println!("({} took {:.0} s)", part.name, began.elapsed().as_secs_f64());
    }
    let numbers = numbers::markdown(&found);
    if !numbers.is_empty() {
        println!("\n## numbers\n\n{numbers}");
        // Of some parts alone it would take the place of the whole.
        if (all || asked.is_empty())
            && let Err(error) = results::keep("numbers.md", &numbers)
        {
            failed.push(format!("numbers: {error}"));
        }
    }
    failed.iter().for_each(|failure| eprintln!("{failure}"));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
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
        results::keep(&format!("{part}.svg"), &chart::chart(&tables[0], &DRAWN, "Manyhands", MARKED))?;
    }
    Ok(tables)
}
