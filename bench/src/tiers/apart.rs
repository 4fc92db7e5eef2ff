//! Many processes that share no processor with the server.

use super::JOBS;
use super::drain::{Drain, drain};
use crate::master::{LANGUAGES, Language, Setting};
use crate::table::{Table, median};
use crate::{Done, Tables, extent};

const ROUNDS: usize = 9;
/// Processes and threads: one process, and many.
const SHAPES: [(usize, usize); 2] = [(1, 8), (8, 8)];

/// A line for each language and shape.
pub fn run() -> Tables {
    let mut table = Table::new(
        format!(
            "{} no-op jobs drained as in tiers, the server on the first processor, the command with all its processes on the others\n\
             (taskset), medians of {} rounds, in which the shapes take turns at being first; of 1×8: of the language's own in the same\n\
             round; µs a job as in tiers",
            extent(JOBS),
            extent(ROUNDS)
        ),
        ["jobs/s", "of 1×8 %", "runtime µs", "server µs"],
    );
    for language in &LANGUAGES {
        let rounds: Done<Vec<[Drain; 2]>> =
            (0..extent(ROUNDS)).map(|number| round(language, number % 2 == 1)).collect();
        match rounds {
            Ok(rounds) => shapes(language, &rounds, &mut table),
            Err(error) => table.note(format!("– {}: {error}", language.name)),
        }
    }
    Ok(vec![table])
}

/// A drain of each shape; `last_first`: in which order.
fn round(language: &Language, last_first: bool) -> Done<[Drain; 2]> {
    let of_shape = |(processes, threads)| {
        drain(language, Setting { apart: true, ..Setting::of(processes, threads) }, extent(JOBS))
            .map_err(|error| format!("{processes}×{threads}: {error}"))
    };
    let [one, many] = SHAPES;
    if last_first {
        let many = of_shape(many)?;
        return Ok([of_shape(one)?, many]);
    }
    Ok([of_shape(one)?, of_shape(many)?])
}

fn shapes(language: &Language, rounds: &[[Drain; 2]], table: &mut Table) {
    for (shape, (processes, threads)) in SHAPES.into_iter().enumerate() {
        let of_rounds = |figure: &dyn Fn(&[Drain; 2]) -> f64| median(rounds.iter().map(figure).collect());
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
