//! Other job systems in the same harness: same Redis, same payload, each in one worker process at its best documented
//! setting.

mod install;
mod list;
mod program;

use std::time::{Duration, Instant};

use list::{PEERS, Peer};
use program::Program;

use crate::server::{Meters, Server};
use crate::table::{Table, median};
use crate::{Tables, extent};

const ROUNDS: usize = 3;
/// Payloads in bytes.
const SIZES: [usize; 2] = [60, 1000];
const STARTS: usize = 1_000;
const MOST_STARTS_TIME: Duration = Duration::from_secs(12);
const WARM_UP: usize = 50;
/// How long a program may take to say something of a single job.
const PATIENCE: Duration = Duration::from_secs(30);

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
    measure(|peer| peer.always)
}

/// All of them.
pub fn run_all() -> Tables {
    measure(|_| true)
}

fn measure(wanted: fn(&Peer) -> bool) -> Tables {
    let mut table = Table::new(
        format!(
            "one worker process of each, medians of {} rounds. put: by its bulk call, drain: no-op jobs from the first start to the last,\n\
             60 B, by the program's clock; Redis µs: used_cpu of the server per job for put and drain; commands: per job by commandstats,\n\
             those within scripts too; bytes: used_memory per waiting job of 60 B; start: from the call that puts one to its start in an\n\
             idle worker process; rescued: until a job runs again whose worker got SIGKILL in the middle of it (–: not within 20 s; of asynq 100 s)",
            extent(ROUNDS)
        ),
        COLUMNS,
    );
    let only = std::env::var("PEER").unwrap_or_default();
    for peer in PEERS.iter().filter(|peer| wanted(peer) && peer.name.contains(&only)) {
        match figures(peer) {
            Ok(figures) => table.row(peer.name, figures),
            Err(error) => println!("{} is not measured: {error}", peer.name),
        }
    }
    Ok(vec![table])
}

fn figures(peer: &Peer) -> Result<[f64; COLUMNS.len()], Box<dyn std::error::Error>> {
    let program = Program::of(peer)?;
    let jobs = extent(peer.jobs);
    let mut rounds = Vec::new();
    for _ in 0..extent(ROUNDS) {
        rounds.push(round(&program, jobs, SIZES[0])?);
    }
    let large = round(&program, jobs, SIZES[1])?;
    let of_rounds = |figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let spans = starts(&program)?;
    Ok([
        of_rounds(|round| round.put),
        of_rounds(|round| round.drain),
        of_rounds(|round| round.server),
        large.server,
        of_rounds(|round| round.commands),
        of_rounds(|round| round.memory),
        spans[spans.len() / 2],
        spans[spans.len() * 99 / 100],
        rescued(&program, Duration::from_secs(peer.patience))?.unwrap_or(f64::NAN),
    ])
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

/// Puts all jobs, then drains them.
fn round(program: &Program<'_>, jobs: usize, size: usize) -> Result<Round, Box<dyn std::error::Error>> {
    let server = Server::start("peers")?;
    let mut connection = server.connect()?;
    program.run(&server, 1, size, "put")?; // so that scripts are loaded
    Meters(&mut connection).forget()?;
    let (memory, used) = (Meters(&mut connection).used_memory()?, Meters(&mut connection).used_cpu()?);
    let put = program.run(&server, jobs - 1, size, "put")?;
    let memory = Meters(&mut connection).used_memory()? - memory;
    let drain = program.run(&server, jobs, size, "drain")?;
    let used = Meters(&mut connection).used_cpu()? - used;
    let per_job = |figure: f64| figure / jobs as f64;
    Ok(Round {
        put: jobs as f64 / put,
        drain: (jobs - 1) as f64 / drain,
        server: per_job(used * 1e6),
        commands: per_job(Meters(&mut connection).commands()?),
        memory: per_job(memory),
    })
}

/// From put to start in ms, sorted; another process puts one job each time the worker is idle.
fn starts(program: &Program<'_>) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let server = Server::start("peers")?;
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

/// Kills a worker in the middle of a job: the seconds until another one starts it, if it ever does. Meanwhile a job a second
/// is put, as some systems look for what died only when something comes.
fn rescued(program: &Program<'_>, patience: Duration) -> Result<Option<f64>, Box<dyn std::error::Error>> {
    let server = Server::start("peers")?;
    program.run(&server, 1, SIZES[0], "put")?;
    let holder = program.begin(&server, 1, SIZES[0], "hold")?;
    holder.number(PATIENCE).ok_or_else(|| program.last_words("hold"))?;
    drop(holder);
    let killed = Instant::now();
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
                return Ok(Some(killed.elapsed().as_secs_f64()));
            }
        }
    }
    Ok(None)
}
