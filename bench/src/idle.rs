//! What a worker process costs that has nothing to do, by /proc.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use manyhands::Client;

use crate::master::{LANGUAGES, Language, Master, Setting, repository};
use crate::server::Server;
use crate::table::Table;
use crate::{Tables, extent};

/// So long each is watched, all at once, after it has settled.
const WATCHED_SECONDS: usize = 20;
/// V8 collects its garbage once more, some 16 s after it has come up.
const SETTLING: Duration = Duration::from_secs(30);

/// The interpreter of a language with nothing loaded; without one, the smallest program there is.
fn bare(language: &Language) -> (&'static str, &'static [&'static str]) {
    match language.name {
        "Python" => ("target/venv/bin/python", &["-c", "import time; time.sleep(3600)"]),
        "Node" => ("node", &["-e", "setTimeout(() => {}, 3600e3)"]),
        "Ruby" => ("ruby", &["-e", "sleep 3600"]),
        _ => ("sleep", &["3600"]),
    }
}

/// A process that is watched.
struct Watched {
    name: &'static str,
    worker: u32,
    bare: Child,
    // They end with this value, the command before its server.
    _master: Master,
    _server: Server,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.bare.kill();
        let _ = self.bare.wait();
    }
}

impl Watched {
    fn start(language: &'static Language) -> Result<Watched, Box<dyn std::error::Error>> {
        let server = Server::start(&format!("idle-{}", language.name))?;
        let master = Master::start(language, &server, Setting::of(1, 1))?;
        let workers = Client::open(Some(&server.url()), "")?.workers(0, 25)?;
        // A worker's name is host:pid:random.
        let pid = workers.items.first().and_then(|worker| worker.name.rsplit(':').nth(1)?.parse().ok());
        let (program, arguments) = bare(language);
        let path = if program.contains('/') { repository().join(program) } else { program.into() };
        let bare = Command::new(path).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let bare = bare.map_err(|error| format!("{program}: {error}"))?;
        Ok(Watched { name: language.name, worker: pid.ok_or("no worker")?, bare, _master: master, _server: server })
    }
}

/// A line for each language.
pub fn run() -> Tables {
    let seconds = extent(WATCHED_SECONDS);
    let mut table = Table::new(
        format!(
            "one worker process with nothing to do. MB: resident (VmRSS) of the worker, of the bare interpreter (of Rust and C: of sleep),\n\
             and what is between; CPU %: of one processor over {seconds} s, of the worker and of the command that looks after it\n\
             (/proc/<pid>/task/*/schedstat)"
        ),
        ["worker MB", "bare MB", "over MB", "CPU %", "command %"],
    );
    let mut watched = Vec::new();
    for language in &LANGUAGES {
        match Watched::start(language) {
            Ok(one) => watched.push(one),
            Err(error) => table.note(format!("– {}: {error}", language.name)),
        }
    }
    std::thread::sleep(SETTLING);
    let busy = |pid| busy_seconds(pid).unwrap_or(f64::NAN);
    let pids = |one: &Watched| [one.worker, parent(one.worker)];
    let before: Vec<[f64; 2]> = watched.iter().map(|one| pids(one).map(busy)).collect();
    std::thread::sleep(Duration::from_secs(seconds as u64));
    for (one, before) in watched.iter().zip(before) {
        let after = pids(one).map(busy);
        let share = |at: usize| (after[at] - before[at]) / seconds as f64 * 100.0;
        let (held, bare) = (resident(one.worker), resident(one.bare.id()));
        table.row(one.name, [held, bare, held - bare, share(0), share(1)]);
    }
    Ok(vec![table])
}

fn status(pid: u32, name: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// MB (10^6 bytes).
fn resident(pid: u32) -> f64 {
    status(pid, "VmRSS:").map_or(f64::NAN, |kib| kib * 1024.0 / 1e6)
}

fn parent(pid: u32) -> u32 {
    status(pid, "PPid:").map_or(0, |pid| pid as u32)
}

/// Seconds that its threads have run; schedstat counts in ns, where stat has steps of 10 ms.
fn busy_seconds(pid: u32) -> Option<f64> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let ran = |path: std::path::PathBuf| {
        std::fs::read_to_string(path.join("schedstat")).ok()?.split_whitespace().next()?.parse::<f64>().ok()
    };
    Some(threads.flatten().filter_map(|thread| ran(thread.path())).sum::<f64>() / 1e9)
}
