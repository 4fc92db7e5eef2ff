//! Measures what Manyhands costs, beside others: `manyhands-bench [--check] [PART…]`; without any part those that `make bench` shows,
//! with `all` those of `make bench-all`. A part that fails does not keep the others from being measured. With `--check` nothing is
//! measured: it only fails where something is asked for that there is not.
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

static PARTS: [Part; 11] = [
    Part { name: "limit", usual: true, all: true, run: limit::run },
    Part { name: "memory", usual: true, all: true, run: memory::run },
    Part { name: "tiers", usual: true, all: true, run: tiers::run },
    Part { name: "apart", usual: false, all: true, run: tiers::apart::run },
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

/// The parts with these names, in the order of PARTS; an error when there is nothing like what is asked for.
fn parts(names: &[String]) -> Result<Vec<&'static Part>, String> {
    let known = || PARTS.each_ref().map(|part| part.name).join(", ");
    let parts: Vec<&Part> = match names {
        [] => PARTS.iter().filter(|part| part.usual).collect(),
        [all] if all == "all" => PARTS.iter().filter(|part| part.all).collect(),
        names if names.iter().any(|name| name == "all") => {
            return Err("all is every part of make bench-all: it stands alone, or leave it out".to_owned());
        }
        names => match names.iter().find(|name| !PARTS.iter().any(|part| part.name == *name)) {
            Some(unknown) => return Err(format!("unknown part {unknown}; known are all, {}", known())),
            None => PARTS.iter().filter(|part| names.iter().any(|name| name == part.name)).collect(),
        },
    };
    for name in ["JOBS", "RUNS"] {
        settings::number(name)?;
    }
    let has = |name: &str| parts.iter().any(|part| part.name == name);
    peers::check(has("peers") && !has("all-peers"))?;
    Ok(parts)
}

fn main() -> ExitCode {
    results::begin();
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let check = names.first().is_some_and(|name| name == "--check");
    names.drain(..usize::from(check));
    let parts = match parts(&names) {
        Ok(parts) => parts,
        Err(why) => {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
    };
    if check {
        return ExitCode::SUCCESS;
    }
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for part in parts {
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
        if (names.is_empty() || names == ["all"])
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
