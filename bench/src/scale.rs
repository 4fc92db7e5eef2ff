//! What a job costs when very many wait before it.

use crate::limit::{Passage, Way};
use crate::server::{Meters, Server};
use crate::settings;
use crate::table::{Table, median};
use crate::{Done, Tables, extent};

const FEW: usize = 10_000;
const MANY: usize = 10_000_000;
/// How many pass in a round: they add to the smaller crowd while they do, which is to stay what it is. In all rounds together
/// they are fewer than the history keeps, so that nothing is forgotten meanwhile.
const JOBS: usize = 2_000;
const ROUNDS: usize = 21;
const SIZE: usize = 60;
/// So many are put at a time while the crowd gathers.
const AT_ONCE: usize = 100_000;
/// Bytes that a waiting job takes, with the tables of Redis while they grow.
const BYTES_EACH: usize = 600;

/// What crowds of two sizes cost. JOBS: how many wait in the larger one.
pub fn run() -> Tables {
    let many = settings::number("JOBS")?.unwrap_or(extent(MANY));
    let free = free_memory();
    if many * BYTES_EACH > free {
        return Err(format!(
            "{many} jobs need {} MB, {} are free; say JOBS=…",
            many * BYTES_EACH / 1_000_000,
            free / 1_000_000
        )
        .into());
    }
    let mut table = Table::new(
        format!(
            "Redis µs per job (used_cpu) with so many waiting: put + reserve + complete, batches of 50, pipelined, {} jobs of {SIZE} B,\n\
             medians of {} rounds in turn, ratio: medians of the rounds' own ratios; held: used_memory in MB at the end. raw: the\n\
             fewest commands of a leased queue, as in limit, which keep nothing of what is completed (ours: all {} that pass)",
            extent(JOBS),
            extent(ROUNDS),
            extent(JOBS) * extent(ROUNDS)
        ),
        ["put", "reserve", "complete", "all", "held MB"],
    );
    compare(Way::Ours, "", [FEW, many], &mut table)?;
    if let Err(error) = compare(Way::Raw, "raw ", [FEW, many], &mut table) {
        table.note(format!("– raw: {error}"));
    }
    Ok(vec![table])
}

/// A line for each crowd, and their ratio.
fn compare(way: Way, name: &str, crowds: [usize; 2], table: &mut Table) -> Done {
    let servers = [Server::start("few")?, Server::start("many")?];
    let mut connections = [servers[0].connect()?, servers[1].connect()?];
    let [few, more] = &mut connections;
    let mut passages = [Passage::new(way, few), Passage::new(way, more)];
    for ((passage, server), crowd) in passages.iter_mut().zip(&servers).zip(crowds) {
        way.prepare(passage.connection(), &server.url())?;
        for first in (0..crowd).step_by(AT_ONCE) {
            passage.put(AT_ONCE.min(crowd - first), SIZE)?;
        }
    }
    let mut rounds: [Vec<[f64; 4]>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..extent(ROUNDS) {
        for (passage, found) in passages.iter_mut().zip(&mut rounds) {
            found.push(round(passage, extent(JOBS))?);
        }
    }
    let mut held = Vec::new();
    for ((passage, found), crowd) in passages.iter_mut().zip(&rounds).zip(crowds) {
        let of_step = |step: usize| median(found.iter().map(|round| round[step]).collect());
        held.push(Meters(passage.connection()).used_memory()? / 1e6);
        let figures = [of_step(0), of_step(1), of_step(2), of_step(3), held[held.len() - 1]];
        table.row(format!("{name}{crowd} wait"), figures);
    }
    let [few, more] = &rounds;
    let of_step = |step: usize| median(few.iter().zip(more).map(|(few, more)| more[step] / few[step]).collect());
    let held = held[1] / held[0];
    table.row(format!("{name}ratio"), [of_step(0), of_step(1), of_step(2), of_step(3), held]);
    Ok(())
}

/// As many are put as are taken: put, reserve, complete and all three, in microseconds per job.
fn round(passage: &mut Passage<'_>, jobs: usize) -> redis::RedisResult<[f64; 4]> {
    let mut cpu = [Meters(passage.connection()).used_cpu()?; 4];
    passage.put(jobs, SIZE)?;
    cpu[1] = Meters(passage.connection()).used_cpu()?;
    let reserved = passage.reserve(jobs)?;
    cpu[2] = Meters(passage.connection()).used_cpu()?;
    passage.complete(&reserved)?;
    cpu[3] = Meters(passage.connection()).used_cpu()?;
    let span = |from: usize, to: usize| (cpu[to] - cpu[from]) * 1e6 / jobs as f64;
    Ok([span(0, 1), span(1, 2), span(2, 3), span(0, 3)])
}

/// Bytes that may still be taken (/proc/meminfo).
fn free_memory() -> usize {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).map_or(usize::MAX, |kib| kib << 10)
}
