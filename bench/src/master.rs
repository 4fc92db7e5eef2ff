//! Each language's own worker command, started over a program of no-op handlers (noop/), and what its processes cost.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use manyhands::Client;

use crate::server::Server;

/// How long processes may take until they serve, and until they are gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// A language, and how its worker command is called; paths are relative to the repository.
pub struct Language {
    /// As tables show it.
    pub name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    folder: &'static str,
}

const fn language(
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
    folder: &'static str,
) -> Language {
    Language { name, program, arguments, folder }
}

/// Rust is the first: the others are compared with it.
pub const LANGUAGES: [Language; 5] = [
    language("Rust", "target/release/manyhands", &["work", "--", "target/release/noop"], "."),
    language("C", "target/release/manyhands", &["work", "--", "target/bench/noop"], "."),
    language("Python", "target/venv/bin/python", &["-m", "manyhands", "work", "noop"], "bench/noop"),
    language("Node", "target/node/fresh/node_modules/.bin/manyhands", &["work", "noop.mjs"], "target/node/fresh"),
    language("Ruby", "target/ruby/gem-home/bin/manyhands-ruby", &["work", "-r", "./noop.rb"], "bench/noop"),
];

/// How it is started.
#[derive(Clone, Copy)]
pub struct Setting {
    pub processes: usize,
    pub threads: usize,
    /// How many jobs a process performs; 0: no limit.
    pub per_fork: usize,
    /// Whether the server has the first processor alone, and the command the others.
    pub apart: bool,
}

impl Setting {
    /// So many processes with so many threads, and nothing else.
    pub fn of(processes: usize, threads: usize) -> Setting {
        Setting { processes, threads, per_fork: 0, apart: false }
    }
}

/// A running command; it ends with this value.
pub struct Master {
    process: Child,
}

impl Master {
    /// Starts it, and waits until all its processes are known to the server.
    pub fn start(language: &Language, server: &Server, setting: Setting) -> Result<Master, Box<dyn std::error::Error>> {
        let root = repository();
        let program = root.join(language.program);
        let mut command = match setting.apart {
            true => {
                let processors = server.apart()?;
                let mut taskset = Command::new("taskset");
                taskset.args(["--cpu-list", &processors]).arg(program);
                taskset
            }
            false => Command::new(program),
        };
        let process = command
            .args(language.arguments)
            .current_dir(root.join(language.folder))
            .env("MANYHANDS_URL", server.url())
            .env("QUEUES", "bench")
            .env("WORKER_COUNT", setting.processes.to_string())
            .env("THREAD_COUNT", setting.threads.to_string())
            .env("JOBS_PER_FORK", setting.per_fork.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", language.program))?;
        let mut master = Master { process };
        let client = Client::open(Some(&server.url()), "")?;
        let deadline = Instant::now() + PATIENCE;
        while client.workers(0, 25)?.items.len() < setting.processes {
            if let Some(status) = master.process.try_wait()? {
                return Err(format!("{} ended with {status}", language.program).into());
            }
            if Instant::now() > deadline {
                return Err("its processes do not serve".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(master)
    }

    /// Seconds of processor time so far of the master and all its processes, those that have ended too (utime, stime,
    /// cutime and cstime of /proc/<pid>/stat, in steps of 10 ms for each process).
    pub fn used_cpu(&self) -> f64 {
        used_by(self.process.id())
    }

    /// Ends it as an operator would.
    pub fn stop(mut self) -> Result<(), Box<dyn std::error::Error>> {
        Command::new("kill").args(["-QUIT", &self.process.id().to_string()]).status()?;
        let deadline = Instant::now() + PATIENCE;
        while self.process.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err("it does not end".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The repository's folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

/// Ticks of /proc are hundredths of a second on every Linux of ours.
const TICK: f64 = 0.01;

fn used_by(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The fields after the name, which is in parentheses and may hold anything: utime is the 14th of all.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: f64 = after.split_whitespace().skip(11).take(4).filter_map(|text| text.parse::<f64>().ok()).sum();
    ticks * TICK + children(pid).into_iter().map(used_by).sum::<f64>()
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|text| text.parse().ok()).collect::<Vec<u32>>()).collect()
}
