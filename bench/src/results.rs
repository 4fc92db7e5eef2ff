//! What a run found, for who comes later: bench/results/<part>.json, charts, and the README's table. A run with QUICK=1 has its
//! own folder, target/bench/quick, as its figures mean nothing.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::master::repository;
use crate::quick;
use crate::table::Table;

/// Writes the tables of a part, with what they were measured on.
pub fn write(part: &str, tables: &[Table]) -> std::io::Result<()> {
    let result = json!({
        "part": part,
        "at": SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
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
    repository().join(if quick() { "target/bench/quick" } else { "bench/results" })
}

/// What it is measured on, with the load when this was first asked.
pub fn machine() -> &'static Value {
    static MACHINE: OnceLock<Value> = OnceLock::new();
    MACHINE.get_or_init(read_machine)
}

fn read_machine() -> Value {
    let file = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processor = file("/proc/cpuinfo");
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let redis = std::process::Command::new("redis-server").arg("--version").output();
    json!({
        "processors": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "model": model.map_or("", |(_, model)| model.trim()),
        "kernel": file("/proc/sys/kernel/osrelease").trim(),
        "redis": redis.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default(),
        "load": file("/proc/loadavg").trim(),
    })
}
