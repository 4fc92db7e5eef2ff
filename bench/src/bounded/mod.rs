//! How long one call keeps Redis busy when a great deal stands in it, by Redis's own figures.
//!
//! Everything is built, looked at, made due, drained and checked, several times over: on a machine that others use too, a
//! call is interrupted now and then, so by the clock the shortest of each row's longest calls counts.

mod crowd;
mod fair;
mod figures;
mod steps;

use crate::settings;
use crate::{Tables, extent};
use crowd::Crowd;

const RUNS: usize = 3;

/// A line for each kind of call. RUNS: how often; VERBOSE: each line also at once.
pub fn run() -> Tables {
    let runs = settings::number("RUNS")?.unwrap_or(extent(RUNS));
    let (mut rows, mut beside) = (Vec::new(), fair::table());
    for run in 0..runs {
        let mut crowd = Crowd::gather(run)?;
        steps::laden(&mut crowd)?;
        steps::idle(&mut crowd)?;
        steps::build(&mut crowd)?;
        fair::beside_a_million(&mut crowd, &mut beside, run + 1)?;
        steps::look(&mut crowd)?;
        steps::walk(&mut crowd, "check of 1,600,000 jobs, steps of 250", 250)?;
        steps::change(&mut crowd)?;
        steps::drain(&mut crowd)?;
        steps::verify(&mut crowd)?;
        figures::merge(&mut rows, crowd.figures());
    }
    Ok(vec![figures::table(&rows, runs), beside])
}
