//! The README's table "Numbers", of what a run has measured.

use std::fmt::Write;

use crate::results::{machine, run};
use crate::table::{Table, shown};

const LANGUAGES: [&str; 5] = ["Rust", "C", "Ruby", "Python", "Node"];

/// In Markdown; nothing when nothing of it was measured.
pub fn markdown(tables: &[Table]) -> String {
    let mut lines = Lines { tables, written: String::new() };
    lines.add(
        "Redis CPU per job: put + reserve + complete, batches of 50, pipelined, 60 B payload",
        "used_cpu",
        &[("60 B ours", "used_cpu")],
        " µs",
    );
    lines.add("the same with 1 kB", "used_cpu", &[("1000 B ours", "used_cpu")], " µs");
    let least = "the same with 60 B, 1 kB, against bare Lua, where nothing is checked";
    lines.add(least, "used_cpu", &["60 B", "1000 B"].map(|size| (size, "used_cpu: bare")), " ×");
    let full = "the same with 60 B, 1 kB, where 50,000 completed jobs are kept and one is forgotten for each";
    lines.add(
        full,
        "used_cpu",
        &["60 B ours, history full", "1000 B ours, history full"].map(|row| (row, "used_cpu")),
        " µs",
    );
    let alone = "one job per call: a put, then a turn; the same while processors are kept from sleeping between calls";
    lines.add(alone, "commandstats", &["commandstats", "awake"].map(|column| ("put + turn", column)), " µs");
    let against = ["inside: bare", "awake: bare"].map(|column| ("put + turn", column));
    lines.add("these against bare Lua", "commandstats", &against, " ×");
    let languages = LANGUAGES.join(", ");
    let drains = format!("no-op jobs drained by one worker process on one thread: {languages}");
    let clock = "Redis's clock";
    lines.of_each(&drains, clock, "{} 1×1", "jobs/s", " a second");
    let ceiling = "the same, of what the engine alone does beside it";
    lines.of_each(ceiling, clock, "{} 1×1", "of ceiling %", " %");
    lines.of_each("jobs drained by 2 processes of 8 threads", clock, "{} 2×8", "jobs/s", " a second");
    let many = "8 processes of 8 threads, of one such process, in that order";
    lines.of_each(many, clock, "{} 8×8", "of 1×8 %", " %");
    lines.of_each("the same where they leave one processor to the server", clock, "{} 8×8 apart", "of 1×8 %", " %");
    let runtime = "processor time of the worker process per job, 1 thread, in that order";
    lines.of_each(runtime, "/proc stat", "{} 1×1", "runtime µs", " µs");
    let cycle = "a process replaced, 100 jobs each, in that order";
    lines.of_each(cycle, clock, "{} 100 a process", "ms a process", " ms");
    lines.against_peers();
    let starts = format!("put → start in an idle worker process: {languages}, p50");
    lines.of_each(&starts, "wall clock", "Manyhands {}", "start p50 ms", " ms");
    lines.of_each("the same, p99", "wall clock", "Manyhands {}", "start p99 ms", " ms");
    for load in ["1,000 a second", "1 a second"] {
        let figure = format!("lateness of scheduled jobs, {load} due: p50, p99, most");
        lines.add(&figure, "wall clock", &["p50", "p99", "most"].map(|share| (load, share)), " ms");
    }
    let sizes = |state| ["60 B", "200 B", "1000 B"].map(|size| (size, state));
    let waiting = "Redis memory per waiting job with a payload of 60, 200, 1,000 bytes";
    lines.add(waiting, "used_memory", &sizes("waiting"), " bytes");
    lines.add("the same, completed", "used_memory", &sizes("completed"), " bytes");
    let idle = format!("idle worker process over the bare interpreter: {languages}");
    lines.of_each(&idle, "VmRSS", "{}", "over MB", " MB");
    lines.of_each("its CPU, in the same order", "schedstat", "{}", "CPU %", " %");
    let crowds = "cost per job with 10,000,000 waiting against 10,000; that of the barest commands";
    lines.add(crowds, "used_cpu", &[("ratio", "all"), ("raw ratio", "all")], " ×");
    if lines.written.is_empty() {
        return lines.written;
    }
    let machine = machine();
    let told = |name: &str| machine[name].to_string().replace('"', "");
    format!(
        "{} processors ({}), Linux {}, {}, load {}, commit {}\n\n| figure | meter | |\n|---|---|---|\n{}",
        told("processors"),
        told("model"),
        told("kernel"),
        told("redis").split(" sha").next().unwrap_or_default(),
        told("load"),
        run()["commit"].as_str().unwrap_or_default(),
        lines.written
    )
}

struct Lines<'a> {
    tables: &'a [Table],
    written: String,
}

impl Lines<'_> {
    /// A line of the figures in these rows and columns, of whichever tables have them; none when nothing was measured.
    fn add(&mut self, figure: &str, meter: &str, cells: &[(&str, &str)], unit: &str) {
        let of = |(row, column): &(&str, &str)| {
            let found = self.tables.iter().map(|table| table.figure(row, column)).find(|figure| figure.is_finite());
            found.unwrap_or(f64::NAN)
        };
        self.write(figure, meter, &cells.iter().map(of).collect::<Vec<f64>>(), unit);
    }

    /// A line of the figures of a column in the rows of our languages; `{}` in `row` is the language.
    fn of_each(&mut self, figure: &str, meter: &str, row: &str, column: &str, unit: &str) {
        let rows = LANGUAGES.map(|language| row.replace("{}", language));
        self.add(figure, meter, &rows.each_ref().map(|row| (row.as_str(), column)), unit);
    }

    /// A line for each peer in a language of ours: what ours is as a multiple of it, in the same rounds.
    fn against_peers(&mut self) {
        let Some(table) = self.tables.iter().find(|table| table.has("bulk put")) else { return };
        for peer in table.names() {
            let ours =
                LANGUAGES.into_iter().find(|language| peer.contains(&format!("({language})"))).unwrap_or_default();
            let figure = format!("{ours} as a multiple of {peer}: drain, bulk put, Redis CPU, put → start p50");
            let ratios = ["drain", "bulk put", "Redis 60 B", "start p50"].map(|column| table.figure(peer, column));
            self.write(&figure, "wall clock, used_cpu", &ratios, " ×");
        }
    }

    fn write(&mut self, figure: &str, meter: &str, found: &[f64], unit: &str) {
        if found.iter().any(|figure| figure.is_finite()) {
            let found: Vec<String> = found.iter().map(|figure| grouped(*figure)).collect();
            let _ = writeln!(self.written, "| {figure} | {meter} | {}{unit} |", found.join(", "));
        }
    }
}

/// With a comma before the last three of more digits.
fn grouped(figure: f64) -> String {
    let digits = shown(figure);
    if figure.abs() < 1_000.0 || !figure.is_finite() {
        return digits;
    }
    let (thousands, rest) = digits.split_at(digits.len() - 3);
    format!("{thousands},{rest}")
}
