//! Other job systems in the same harness: same Redis, same payload, each in one worker process at its best documented
//! setting.

mod install;
mod list;
mod program;
mod words;

use std::time::{Duration, Instant};

use list::{Measured, PEERS, Peer};
use program::Program;

use crate::server::{Meters, Server};
use crate::table::{NEVER, Table, median, shown};
use crate::{Tables, extent};

type Done<T> = Result<T, Box<dyn std::error::Error>>;

const ROUNDS: usize = 3;
/// Payloads in bytes.
const SIZES: [usize; 2] = [60, 1000];
const STARTS: usize = 1_000;
const MOST_STARTS_TIME: Duration = Duration::from_secs(12);
const WARM_UP: usize = 50;
/// How long a program may take to say something of a single job.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many jobs are drained by each of those of which the quickest is taken.
const TRIAL: usize = 2_000;

const COLUMNS: [&str; 9] = [
    "put /s",
    "drain /s",
    "Redis µs 60 B",
    "Redis µs 1 kB",
    "commands",
    "bytes a job",
    "start p50 ms",
    "start p99 ms",
    "rescued s",
];

/// The peers of `make bench`. PEER: only those that have it in their names.
pub fn run() -> Tables {
    let (quickest, notes) = quickest();
    let mut table = measure(|peer| {
        peer.measured == Measured::Always || quickest.is_some_and(|quickest| quickest.name == peer.name)
    });
    notes.into_iter().for_each(|note| table.note(note));
    Ok(vec![table])
}

/// All of them.
pub fn run_all() -> Tables {
    Ok(vec![measure(|_| true)])
}

/// Those that PEER asks for.
fn asked(peer: &Peer) -> bool {
    peer.name.contains(&std::env::var("PEER").unwrap_or_default())
}

/// Of those that are measured only then, by one drain of each; and how quick they were, or why that is not known.
fn quickest() -> (Option<&'static Peer>, Vec<String>) {
    let mut found: Vec<(f64, &Peer)> = Vec::new();
    let mut notes = Vec::new();
    for peer in PEERS.iter().filter(|peer| peer.measured == Measured::IfQuickest && asked(peer)) {
        let mut missing = Vec::new();
        let program = kept(Program::of(peer), &mut missing);
        let trial = program.and_then(|program| round(&program, extent(TRIAL), SIZES[0], &mut missing));
        match trial {
            Some(trial) if trial.drain.is_finite() => found.push((trial.drain, peer)),
            _ => notes.push(format!("– {}: {}", peer.name, missing.join("; "))),
        }
    }
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let drains: Vec<String> = found.iter().map(|(drain, peer)| format!("{} {}", peer.name, shown(*drain))).collect();
    let jobs = extent(TRIAL);
    notes.push(format!(
        "of these only the quickest is measured in full; jobs/s of {jobs} drained: {}",
        drains.join(", ")
    ));
    (found.first().map(|(_, peer)| *peer), notes)
}

fn measure(wanted: impl Fn(&Peer) -> bool) -> Table {
    let mut table = Table::new(
        format!(
            "one worker process of each, medians of {} rounds. put: by its bulk call, drain: no-op jobs from the first start to the last,\n\
             60 B; Redis µs: used_cpu of the server per job for put and drain; commands: per job by commandstats,\n\
             those within scripts too; bytes: used_memory per waiting job of 60 B; start: from the call that puts one to its start in an\n\
             idle worker process; rescued: until a job runs again whose worker got SIGKILL in the middle of it; put, drain, start and\n\
             rescued are wall clock; –: not measured, never: not so long as was waited",
            extent(ROUNDS)
        ),
        COLUMNS,
    );
    let mut notes = Vec::new();
    for peer in PEERS.iter().filter(|peer| wanted(peer) && asked(peer)) {
        let (figures, missing) = figures(peer);
        table.row(peer.name, figures);
        notes.extend(missing.into_iter().map(|why| format!("– {}: {why}", peer.name)));
        if !peer.note.is_empty() {
            notes.push(format!("{}: {}", peer.name, peer.note));
        }
    }
    notes.into_iter().for_each(|note| table.note(note));
    table
}

/// A row, and why figures are missing in it.
fn figures(peer: &'static Peer) -> ([f64; COLUMNS.len()], Vec<String>) {
    let mut missing = Vec::new();
    let program = match Program::of(peer) {
        Ok(program) => program,
        Err(error) => return ([f64::NAN; COLUMNS.len()], vec![error.to_string()]),
    };
    let jobs = extent(peer.jobs);
    let mut rounds = Vec::new();
    while rounds.len() < extent(ROUNDS) && missing.is_empty() {
        rounds.extend(round(&program, jobs, SIZES[0], &mut missing));
    }
    let large = if missing.is_empty() { round(&program, jobs, SIZES[1], &mut missing) } else { None };
    let of_rounds = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let spans = kept(starts(&program), &mut missing).unwrap_or_default();
    let span = |share: usize| spans.get(spans.len() * share / 100).copied().unwrap_or(f64::NAN);
    let rescued = kept(rescued(&program, Duration::from_secs(peer.patience)), &mut missing).unwrap_or(f64::NAN);
    if rescued == NEVER {
        let within = format!("its killed job did not run again within {} s", peer.patience);
        missing.push(if peer.loses.is_empty() { within } else { format!("{within}: {}", peer.loses) });
    }
    let figures = [
        of_rounds(|round| round.put),
        of_rounds(|round| round.drain),
        of_rounds(|round| round.server),
        large.map_or(f64::NAN, |round| round.server),
        of_rounds(|round| round.commands),
        of_rounds(|round| round.memory),
        span(50),
        span(99),
        rescued,
    ];
    (figures, missing)
}

/// What was measured; else why not is added to `missing`.
fn kept<T>(measured: Done<T>, missing: &mut Vec<String>) -> Option<T> {
    measured.map_err(|error| missing.push(error.to_string())).ok()
}

struct Round {
    /// Jobs a second.
    put: f64,
    drain: f64,
    /// Microseconds of the server per job.
    server: f64,
    commands: f64,
    memory: f64,
}

/// Puts all jobs, then drains them; what fails is added to `missing`.
fn round(program: &Program, jobs: usize, size: usize, missing: &mut Vec<String>) -> Option<Round> {
    let measured = (|| {
        let server = Server::start("peers")?;
        let _own = program.serve(&server)?;
        let mut connection = server.connect()?;
        program.run(&server, 1, size, "put")?; // so that scripts are loaded
        Meters(&mut connection).forget()?;
        let (memory, used) = (Meters(&mut connection).used_memory()?, Meters(&mut connection).used_cpu()?);
        let put = program.run(&server, jobs - 1, size, "put")?;
        let memory = Meters(&mut connection).used_memory()? - memory;
        let drain = kept(program.run(&server, jobs, size, "drain"), missing).unwrap_or(f64::NAN);
        let used = Meters(&mut connection).used_cpu()? - used;
        let commands = Meters(&mut connection).commands()?;
        let of_both = |figure: f64| if drain.is_nan() { drain } else { figure / jobs as f64 };
        Ok(Round {
            put: (jobs - 1) as f64 / put,
            drain: (jobs - 1) as f64 / drain,
            server: of_both(used * 1e6),
            commands: of_both(commands),
            memory: memory / jobs as f64,
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
fn rescued(program: &Program, patience: Duration) -> Done<f64> {
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
