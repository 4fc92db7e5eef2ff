//! What a run found, for who comes later: bench/results/<part>.json, charts, and the README's table. A run that does not measure
//! all there is (QUICK, PEER, JOBS, RUNS) has its own folder, target/bench/quick.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::master::repository;
use crate::settings;
use crate::table::Table;

/// Writes the tables of a part, with what they were measured on.
pub fn write(part: &str, tables: &[Table]) -> std::io::Result<()> {
    let result = json!({
        "part": part,
        "at": now(),
        "run": run(),
        "machine": machine(),
        "tables": tables.iter().map(Table::json).collect::<Vec<Value>>(),
    });
    fs::create_dir_all(folder())?;
    fs::write(folder().join(format!("{part}.json")), serde_json::to_string_pretty(&result)? + "\n")
}

/// Writes a chart, or a text.
pub fn keep(name: &str, content: &str) -> std::io::Result<()> {
    fs::create_dir_all(folder())?;
    fs::write(folder().join(name), content)
}

fn folder() -> PathBuf {
    repository().join(if settings::whole() { "bench/results" } else { "target/bench/quick" })
}

/// Looks at the machine and the checkout before anything of this run is a load to the one or a change to the other.
pub fn begin() {
    machine();
    run();
}

/// What all parts of a run have in common: when it began, and of which commit it is.
pub fn run() -> &'static Value {
    static RUN: OnceLock<Value> = OnceLock::new();
    RUN.get_or_init(|| json!({"began": now(), "commit": commit()}))
}

/// What it is measured on, with the load when this was first asked: that of the build before it is in there.
pub fn machine() -> &'static Value {
    static MACHINE: OnceLock<Value> = OnceLock::new();
    MACHINE.get_or_init(read_machine)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// As `git describe --always --dirty` names it, but that results of an earlier run are no change; empty where there is no git.
fn commit() -> String {
    let git = |arguments: &[&str]| Command::new("git").args(arguments).current_dir(repository()).output();
    let Ok(described) = git(&["describe", "--always"]) else { return String::new() };
    let name = String::from_utf8_lossy(&described.stdout).trim().to_owned();
    let same = git(&["diff", "--quiet", "HEAD", "--", ".", ":!bench/results"]);
    if name.is_empty() || same.is_ok_and(|same| same.status.success()) { name } else { name + "-dirty" }
}

fn read_machine() -> Value {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = file("/proc/cpuinfo");
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let redis = Command::new("redis-server").arg("--version").output();
    json!({
        "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "model": model.map_or("", |(_, model)| model.trim()),
        "kernel": file("/proc/sys/kernel/osrelease").trim(),
        "redis": redis.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default(),
        "load": file("/proc/loadavg").trim(),
    })
}
