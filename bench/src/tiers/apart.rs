//! Many processes that share no processor with the server.

use super::drain::{Drain, drain};
use super::{JOBS, ROUNDS};
use crate::master::{LANGUAGES, Setting};
use crate::table::{Table, median};
use crate::{Done, Tables, extent};

/// Processes and threads: one process, and many.
const SHAPES: [(usize, usize); 2] = [(1, 8), (8, 8)];

/// A line for each language and shape.
pub fn run() -> Tables {
    let mut table = Table::new(
        format!(
            "{} no-op jobs drained as in tiers, with the server alone on the first processor and the command on the others (taskset),\n\
             medians of {} rounds; of 1×8: of the language's own in the same round; µs a job as in tiers",
            extent(JOBS),
            extent(ROUNDS)
        ),
        ["jobs/s", "of 1×8 %", "runtime µs", "server µs"],
    );
    for language in &LANGUAGES {
        let mut rounds = Vec::new();
        for _ in 0..extent(ROUNDS) {
            let round: Done<Vec<Drain>> = SHAPES
                .into_iter()
                .map(|(processes, threads)| {
                    drain(language, Setting { processes, threads, per_fork: 0, apart: true }, extent(JOBS))
                })
                .collect();
            match round {
                Ok(round) => rounds.push(round),
                Err(error) => table.note(format!("– {}: {error}", language.name)),
            }
        }
        for (shape, (processes, threads)) in SHAPES.into_iter().enumerate() {
            let of_rounds =
                |figure: &dyn Fn(&[Drain]) -> f64| median(rounds.iter().map(|round| figure(round)).collect());
            table.row(
                format!("{} {processes}×{threads} apart", language.name),
                [
                    of_rounds(&|round| round[shape].jobs_per_second),
                    of_rounds(&|round| round[shape].jobs_per_second / round[0].jobs_per_second * 100.0),
                    of_rounds(&|round| round[shape].runtime * 1e6),
                    of_rounds(&|round| round[shape].server * 1e6),
                ],
            );
        }
    }
    Ok(vec![table])
}
