//! What the tiers cost: no-op jobs drained by each language's own worker command, with more processes and threads, and with
//! processes that are replaced.
//!
//! The jobs wait in a paused queue until all processes serve. But for those that are replaced these have performed as many before,
//! so that no interpreter that still compiles is measured. How long a drain takes is told by Redis's clock (the scores of the
//! completed jobs).

pub mod apart;
mod drain;

use std::collections::BTreeMap;

use self::drain::{Drain, ceiling, drain};
use crate::ceiling::Ceiling;
use crate::master::{LANGUAGES, Setting};
use crate::table::{Table, median};
use crate::{Tables, extent};

const JOBS: usize = 50_000;
const ROUNDS: usize = 5;
/// Processes and threads.
const SHAPES: [(usize, usize); 4] = [(1, 1), (1, 8), (2, 8), (8, 8)];
/// How many processes are used up, one after another, for the cost of one.
const CYCLES: usize = 50;
const PER_FORK: [usize; 2] = [100, 1];

/// A line for each language and shape, and for each language and limit of jobs per process.
pub fn run() -> Tables {
    let mut missing = BTreeMap::new();
    let mut rounds = Vec::new();
    for _ in 0..extent(ROUNDS) {
        let mut round = Round::default();
        for (number, language) in LANGUAGES.iter().enumerate() {
            for (shape, (processes, threads)) in SHAPES.into_iter().enumerate() {
                if missing.contains_key(&number) {
                    continue;
                }
                match drain(language, Setting::of(processes, threads), extent(JOBS)) {
                    Ok(drain) => drop(round.drains.insert((number, shape), drain)),
                    Err(error) => drop(missing.insert(number, error.to_string())),
                }
                if shape == 0 {
                    match ceiling(extent(JOBS)) {
                        Ok(ceiling) => drop(round.ceilings.insert(number, ceiling)),
                        Err(error) => drop(missing.insert(number, format!("the engine alone: {error}"))),
                    }
                }
            }
        }
        rounds.push(round);
    }
    Ok(vec![shapes(&rounds, &missing), cycles(&rounds, &missing)])
}

/// Drains by language and shape; and what the engine can do, measured beside each language: a machine that others work on too is
/// a third slower or faster from one minute to the next.
#[derive(Default)]
struct Round {
    drains: BTreeMap<(usize, usize), Drain>,
    ceilings: BTreeMap<usize, Ceiling>,
}

impl Round {
    fn ceiling(&self, language: usize) -> f64 {
        self.ceilings[&language].jobs_per_second
    }
}

type Rounds = [Round];
type Missing = BTreeMap<usize, String>;

fn of_rounds(rounds: &Rounds, figure: impl Fn(&Round) -> f64) -> f64 {
    median(rounds.iter().map(figure).collect())
}

fn shapes(rounds: &Rounds, missing: &Missing) -> Table {
    let mut table = Table::new(
        format!(
            "no-op jobs of {} waiting, by the worker command, medians of {} rounds, the same processes having performed as many before.\n\
             jobs/s: of the middle eight tenths, by Redis's clock; of Rust: of its 1×1 in the same round; of 1×8: of the language's own\n\
             there; of ceiling: of what the engine alone does beside the language's 1×1, reserving and completing on two connections; µs\n\
             a job: processor time of the command with its processes (/proc stat, in steps of 0.2) and of the server (used_cpu)",
            extent(JOBS),
            extent(ROUNDS)
        ),
        ["jobs/s", "of Rust %", "of 1×8 %", "of ceiling %", "runtime µs", "server µs"],
    );
    let alone = |figure: fn(&Ceiling) -> f64| {
        median(rounds.iter().flat_map(|round| round.ceilings.values()).map(figure).collect())
    };
    let (speed, server) = (alone(|ceiling| ceiling.jobs_per_second), alone(|ceiling| ceiling.server * 1e6));
    table.row("the engine alone", [speed, f64::NAN, f64::NAN, 100.0, f64::NAN, server]);
    missing.iter().for_each(|(number, error)| table.note(format!("– {}: {error}", LANGUAGES[*number].name)));
    for (number, language) in LANGUAGES.iter().enumerate().filter(|(number, _)| !missing.contains_key(number)) {
        for (shape, (processes, threads)) in SHAPES.into_iter().enumerate() {
            let at = (number, shape);
            let share = |other: (usize, usize)| {
                of_rounds(rounds, |round| match round.drains.get(&other) {
                    Some(other) => round.drains[&at].jobs_per_second / other.jobs_per_second * 100.0,
                    None => f64::NAN,
                })
            };
            table.row(
                format!("{} {processes}×{threads}", language.name),
                [
                    of_rounds(rounds, |round| round.drains[&at].jobs_per_second),
                    share((0, 0)),
                    share((number, 1)),
                    of_rounds(rounds, |round| round.drains[&at].jobs_per_second / round.ceiling(number) * 100.0),
                    of_rounds(rounds, |round| round.drains[&at].runtime * 1e6),
                    of_rounds(rounds, |round| round.drains[&at].server * 1e6),
                ],
            );
        }
    }
    table
}

/// Against the drains with 1×1 without a limit, whose process has performed jobs before.
fn cycles(rounds: &Rounds, missing: &Missing) -> Table {
    let mut table = Table::new(
        format!(
            "JOBS_PER_FORK, 1×1, {} new processes one after another. ms a process: what the drain takes longer than that of one that has\n\
             performed jobs before, without a limit;\n\
             gap ms: from the last completion of a process to the first reservation by its successor, by Redis's clock (below 0: they\n\
             overlap); cpu ms: processor time a process beyond that of its jobs, of the command (/proc stat) and the server (used_cpu)",
            extent(CYCLES)
        ),
        ["jobs/s", "ms a process", "gap ms", "most gap ms", "cpu ms", "server cpu ms"],
    );
    for (number, language) in LANGUAGES.iter().enumerate().filter(|(number, _)| !missing.contains_key(number)) {
        let unlimited = |figure: fn(&Drain) -> f64| of_rounds(rounds, |round| figure(&round.drains[&(number, 0)]));
        for per_fork in PER_FORK {
            let name = format!("{} {per_fork} a process", language.name);
            let setting = Setting { per_fork, ..Setting::of(1, 1) };
            let drain = match drain(language, setting, per_fork * extent(CYCLES)) {
                Ok(drain) => drain,
                Err(error) => {
                    table.note(format!("– {name}: {error}"));
                    continue;
                }
            };
            let a_process = |per_job: f64, unlimited: f64| (per_job - unlimited) * per_fork as f64 * 1e3;
            table.row(
                name,
                [
                    drain.jobs_per_second,
                    a_process(1.0 / drain.jobs_per_second, 1.0 / unlimited(|drain| drain.jobs_per_second)),
                    median(drain.gaps.clone()),
                    drain.gaps.iter().copied().fold(f64::MIN, f64::max),
                    a_process(drain.runtime, unlimited(|drain| drain.runtime)),
                    a_process(drain.server, unlimited(|drain| drain.server)),
                ],
            );
        }
    }
    table
}
