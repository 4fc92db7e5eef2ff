//! How far the engine is from what a leased queue must cost: the fewest commands, the same in bare Lua, and ours.

mod single;
mod ways;

pub use single::{put_and_turn, turn};
pub use ways::{Passage, Way};

use crate::engine::{BATCH, HISTORY};
use crate::server::{Meters, Server};
use crate::table::{Table, median};
use crate::{Done, Tables, extent};

const JOBS: usize = 20_000;
const ROUNDS: usize = 5;
const SIZES: [usize; 2] = [60, 1000];

/// One passage of jobs, per job.
pub struct Cost {
    /// Microseconds of put, reserve, complete (used_cpu).
    steps: [f64; 3],
    /// Microseconds within its commands (commandstats).
    inside: f64,
    /// Commands, those within functions too (commandstats).
    pub commands: f64,
}

impl Cost {
    /// Microseconds of all three steps (used_cpu).
    pub fn cpu(&self) -> f64 {
        self.steps.iter().sum()
    }
}

/// The ways, their ratios, and jobs that come one at a time.
pub fn run() -> Tables {
    let mut costs = Table::new(
        format!(
            "Redis µs per job: put + reserve + complete, batches of {BATCH}, pipelined, {} jobs, medians of {} rounds, sizes and ways in turn.\n\
             put, reserve, complete, used_cpu: used_cpu; inside: within the commands, by commandstats; commands: calls per job by\n\
             commandstats, those within functions too; history full: {HISTORY} completed jobs are there, and for each that is added one is\n\
             forgotten, as by the others",
            extent(JOBS),
            extent(ROUNDS)
        ),
        ["put", "reserve", "complete", "used_cpu", "inside", "commands"],
    );
    let mut ratios = Table::new(
        "ours as a multiple of the others, medians of the rounds' own ratios",
        ["used_cpu: raw", "used_cpu: bare", "inside: raw", "inside: bare"],
    );
    let mut found = SIZES.map(|_| Vec::new());
    for _ in 0..extent(ROUNDS) {
        for (size, rounds) in SIZES.into_iter().zip(&mut found) {
            let costs: Vec<Cost> = Way::ALL.iter().map(|way| passage(*way, extent(JOBS), size)).collect::<Done<_>>()?;
            rounds.push(costs);
        }
    }
    for (size, rounds) in SIZES.into_iter().zip(found) {
        let of_rounds = |figure: &dyn Fn(&Vec<Cost>) -> f64| median(rounds.iter().map(figure).collect());
        for (index, way) in Way::ALL.into_iter().enumerate() {
            let step = |step: usize| of_rounds(&|round| round[index].steps[step]);
            let all = of_rounds(&|round| round[index].cpu());
            let (inside, commands) =
                (of_rounds(&|round| round[index].inside), of_rounds(&|round| round[index].commands));
            costs.row(format!("{size} B {}", way.name()), [step(0), step(1), step(2), all, inside, commands]);
        }
        let inside: fn(&Cost) -> f64 = |cost| cost.inside;
        for (name, ours) in [(format!("{size} B"), 2), (format!("{size} B, history full"), 3)] {
            let against = |figure: fn(&Cost) -> f64, other: usize| {
                of_rounds(&|round| figure(&round[ours]) / figure(&round[other]))
            };
            ratios.row(name, [against(Cost::cpu, 0), against(Cost::cpu, 1), against(inside, 0), against(inside, 1)]);
        }
    }
    Ok(vec![costs, ratios, single::run()?])
}

/// Puts, reserves and completes on a server of its own.
pub fn passage(way: Way, jobs: usize, size: usize) -> Done<Cost> {
    let server = Server::start("limit")?;
    let mut connection = server.connect()?;
    way.prepare(&mut connection, &server.url())?;
    let mut passage = Passage::new(way, &mut connection);
    if way == Way::Full {
        passage.fill_history(HISTORY, size)?;
    }
    passage.put(BATCH, size)?; // so that what is done once is done
    let reserved = passage.reserve(BATCH)?;
    passage.complete(&reserved)?;
    Meters(passage.connection()).forget()?;
    let mut cpu = vec![Meters(passage.connection()).used_cpu()?];
    passage.put(jobs, size)?;
    cpu.push(Meters(passage.connection()).used_cpu()?);
    let reserved = passage.reserve(jobs)?;
    cpu.push(Meters(passage.connection()).used_cpu()?);
    passage.complete(&reserved)?;
    cpu.push(Meters(passage.connection()).used_cpu()?);
    let per_job = |figure: f64| figure / jobs as f64;
    let inside = Meters(passage.connection()).usec(way.commands())?;
    Ok(Cost {
        steps: [0, 1, 2].map(|step| per_job((cpu[step + 1] - cpu[step]) * 1e6)),
        inside: per_job(inside),
        commands: per_job(Meters(passage.connection()).commands()?),
    })
}
