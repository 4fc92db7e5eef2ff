//! The rows: of each kind of call how many, the middle one and the longest, in microseconds inside Redis.
//!
//! By two meters of Redis: latencystats, which goes on while the machine has given the processor to somebody else, and the
//! processor time of Redis's main thread (INFO cpu), which does not.

use std::fmt;

use redis::{Connection, RedisResult};

use crate::server::Meters;
use crate::table::Table;

/// What no single call may take.
const MOST_USEC: f64 = 10_000.0;

/// One kind of call.
pub struct Row {
    name: String,
    calls: u64,
    median: f64,
    longest: f64,
    /// The longest by processor time: in the run where it was longest, and in the one where it was shortest.
    busiest: f64,
    calmest: f64,
}

/// Makes Redis tell the longest call.
pub fn prepare(connection: &mut Connection) -> RedisResult<()> {
    redis::cmd("CONFIG").arg("SET").arg("latency-tracking-info-percentiles").arg("50 100").exec(connection)
}

/// The calls of the engine since the counts began anew.
pub fn read(connection: &mut Connection, name: &str, busiest: f64) -> RedisResult<Row> {
    let mut meters = Meters(connection);
    Ok(Row {
        name: name.to_owned(),
        calls: meters.calls("fcall")? as u64,
        median: meters.latency("fcall", "p50")?,
        longest: meters.latency("fcall", "p100")?,
        busiest,
        calmest: busiest,
    })
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, calls, median, longest, busiest, .. } = self;
        let mark = if *busiest > MOST_USEC { "  above 10 ms" } else { "" };
        write!(f, "{name:<58} {calls:>7} {median:>9.0} {longest:>9.0} {busiest:>9.0}{mark}")
    }
}

/// The processor time of the main thread so far in µs, by an answer of `INFO cpu`.
pub fn processor_time(info: &str) -> f64 {
    let parts = ["used_cpu_sys_main_thread:", "used_cpu_user_main_thread:"];
    let seconds = info.lines().filter_map(|line| parts.iter().find_map(|part| line.strip_prefix(part)));
    seconds.filter_map(|text| text.trim().parse::<f64>().ok()).sum::<f64>() * 1e6
}

/// Adds the rows of another run. By latencystats the smaller figures count, as what is above them came from elsewhere. Processor
/// time has little of that, though some when the host of a virtual machine takes the processor away: a call may be long in one
/// run alone, so that the most of it counts, and the least is told beside it.
pub fn merge(rows: &mut Vec<Row>, others: Vec<Row>) {
    if rows.is_empty() {
        *rows = others;
        return;
    }
    for (mine, other) in rows.iter_mut().zip(others) {
        mine.median = mine.median.min(other.median);
        mine.longest = mine.longest.min(other.longest);
        mine.busiest = mine.busiest.max(other.busiest);
        mine.calmest = mine.calmest.min(other.calmest);
    }
}

/// One line a row, and which are above the limit.
pub fn table(rows: &[Row], runs: usize) -> Table {
    let mut table = Table::new(
        format!(
            "µs inside Redis per call, of {runs} runs. median, longest: by latencystats, the least of the runs, as what is above it came\n\
             from elsewhere; cpu: longest by the processor time of its main thread, the most of the runs, least cpu: the least of them"
        ),
        ["calls", "median", "longest", "cpu", "least cpu"],
    );
    for Row { name, calls, median, longest, busiest, calmest } in rows {
        table.row(name.as_str(), [*calls as f64, *median, *longest, *busiest, *calmest]);
    }
    let above: Vec<&str> = rows.iter().filter(|row| row.busiest > MOST_USEC).map(|row| row.name.as_str()).collect();
    let kinds = rows.len();
    table.note(format!("{} of {kinds} kinds of calls above 10 ms of processor time {}", above.len(), above.join("; ")));
    table
}
