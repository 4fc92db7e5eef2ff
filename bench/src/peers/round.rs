//! What is measured of one program: its throughput and cost, how soon a job starts, and whether a job is rescued.

use std::time::{Duration, Instant};

use super::program::Program;
use crate::Done;
use crate::server::{Meters, Server};
use crate::settings::extent;
use crate::table::NEVER;

/// Payloads in bytes.
pub const SIZES: [usize; 2] = [60, 1000];
/// How often everything but the rescue is measured.
pub const ROUNDS: usize = 3;
/// In one round.
pub const STARTS: usize = 350;
/// In one round; where jobs start slower there are fewer of them.
const MOST_STARTS_TIME: Duration = Duration::from_secs(4);
const WARM_UP: usize = 50;
/// How long a program may take to say something of a single job.
const PATIENCE: Duration = Duration::from_secs(30);

/// One round; what failed in it, and what would have come after that, is not there.
#[derive(Default)]
pub struct Round {
    /// For each size.
    passages: [Option<Passage>; SIZES.len()],
    /// From put to start in ms, sorted.
    pub starts: Vec<f64>,
}

impl Round {
    /// Measures it with so many jobs; why something failed is added to `missing`.
    pub fn measure(program: &Program, jobs: usize, missing: &mut Vec<String>) -> Round {
        let mut round = Round::default();
        for (size, found) in SIZES.into_iter().zip(&mut round.passages) {
            *found = passage(program, jobs, size, missing);
            if !missing.is_empty() {
                return round;
            }
        }
        round.starts = kept(starts(program), missing).unwrap_or_default();
        round
    }

    /// A figure of the jobs of a size, by its place in SIZES.
    pub fn of(&self, size: usize, figure: fn(&Passage) -> f64) -> f64 {
        self.passages[size].as_ref().map_or(f64::NAN, figure)
    }
}

/// The one that so many percent of these are below; they are sorted.
pub fn percentile(spans: &[f64], percent: usize) -> f64 {
    spans.get(spans.len() * percent / 100).copied().unwrap_or(f64::NAN)
}

/// What was measured; else why not is added to `missing`.
pub fn kept<T>(measured: Done<T>, missing: &mut Vec<String>) -> Option<T> {
    measured.map_err(|error| missing.push(error.to_string())).ok()
}

/// All jobs are put, then all are drained.
pub struct Passage {
    /// Jobs a second.
    pub put: f64,
    pub drain: f64,
    /// Microseconds of the server per job.
    pub server: f64,
    pub commands: f64,
    /// Bytes per job that waits.
    pub memory: f64,
}

/// Puts all jobs, then drains them; what fails is added to `missing`.
pub fn passage(program: &Program, jobs: usize, size: usize, missing: &mut Vec<String>) -> Option<Passage> {
    let measured = (|| {
        let server = Server::start("peers")?;
        let _own = program.serve(&server)?;
        let mut connection = server.connect()?;
        let mut meters = Meters(&mut connection);
        program.run(&server, 1, size, "put")?; // so that scripts are loaded
        meters.forget()?;
        let (memory, begun) = (meters.used_memory()?, meters.used_cpu()?);
        let put = program.run(&server, jobs - 1, size, "put")?;
        let (memory, full) = (meters.used_memory()? - memory, meters.used_cpu()?);
        let to_put = meters.commands()?;
        let drain = kept(program.run(&server, jobs, size, "drain"), missing).unwrap_or(f64::NAN);
        let (ended, in_all) = (meters.used_cpu()?, meters.commands()?);
        let (all, all_put) = (jobs as f64, (jobs - 1) as f64); // one was put before
        let of_both = |put: f64, drained: f64| if drain.is_nan() { drain } else { put / all_put + drained / all };
        Ok(Passage {
            put: all_put / put,
            drain: (all - 1.0) / drain, // of the spans between starts there is one less
            server: of_both(full - begun, ended - full) * 1e6,
            commands: of_both(to_put, in_all - to_put),
            memory: memory / all_put,
        })
    })();
    kept(measured, missing)
}

/// From put to start in ms, sorted; another process puts one job each time the worker is idle.
fn starts(program: &Program) -> Done<Vec<f64>> {
    let server = Server::start("peers")?;
    let _own = program.serve(&server)?;
    let (worker, mut putter) =
        (program.begin(&server, 0, SIZES[0], "worker")?, program.begin(&server, 0, SIZES[0], "putter")?);
    let mut spans = Vec::new();
    let began = Instant::now();
    for number in 0..extent(STARTS) + WARM_UP {
        putter.ask()?;
        let put = putter.number(PATIENCE).ok_or_else(|| program.last_words("putter"))?;
        let start = worker.number(PATIENCE).ok_or_else(|| program.last_words("worker"))?;
        if number >= WARM_UP {
            spans.push((start - put) * 1e3);
        }
        if began.elapsed() > MOST_STARTS_TIME && spans.len() > 10 {
            break;
        }
        std::thread::sleep(Duration::from_millis(2)); // so that the worker is idle again: it is the idle case that is measured
    }
    spans.sort_by(f64::total_cmp);
    Ok(spans)
}

/// Kills a worker in the middle of a job: the seconds until another one starts it, or NEVER. Meanwhile a job a second is put, as
/// some systems look for what died only when something comes.
pub fn rescued(program: &Program, patience: Duration) -> Done<f64> {
    let server = Server::start("peers")?;
    let _own = program.serve(&server)?;
    program.run(&server, 1, SIZES[0], "put")?;
    let holder = program.begin(&server, 1, SIZES[0], "hold")?;
    holder.number(PATIENCE).ok_or_else(|| program.last_words("hold"))?;
    let killed = Instant::now();
    drop(holder);
    let (other, mut putter) =
        (program.begin(&server, 1, SIZES[0], "rescue")?, program.begin(&server, 1, SIZES[0], "putter")?);
    let (mut put, mut started) = (0, 0);
    while killed.elapsed() < patience {
        putter.ask()?;
        putter.number(PATIENCE).ok_or_else(|| program.last_words("putter"))?;
        put += 1;
        let second = Instant::now() + Duration::from_secs(1);
        while other.number(second.saturating_duration_since(Instant::now())).is_some() {
            started += 1;
            if started > put {
                return Ok(killed.elapsed().as_secs_f64());
            }
        }
    }
    // Only who starts other jobs is known to leave that one alone.
    if started > 0 { Ok(NEVER) } else { Err("rescue: its worker starts no job at all".into()) }
}
