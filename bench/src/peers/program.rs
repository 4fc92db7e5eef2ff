//! Talks to a peer's program, as bench/peers/README.md says.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use super::install::install;
use super::list::Peer;
use super::versions::versions;
use super::words::telling;
use crate::Done;
use crate::master::repository;
use crate::server::Server;

/// How long a bulk put, a drain or an end may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What RbConfig of ruby is asked for.
const OF_RUBY: [&str; 3] = ["vendordir", "vendorarchdir", "archlibdir"];

/// A program that can be run.
pub struct Program {
    peer: &'static Peer,
    dir: PathBuf,
    /// With nothing in braces any more.
    command: String,
    environment: Vec<(&'static str, String)>,
}

impl Program {
    /// Installs it when needed.
    pub fn of(peer: &'static Peer) -> Done<Program> {
        let dir = install(peer)?;
        let filled = |text: &str| -> Done<String> {
            let text = text.replace("{root}", &repository().display().to_string());
            let mut text = text.replace("{dir}", &dir.display().to_string());
            for name in OF_RUBY {
                let place = format!("{{{name}}}");
                if text.contains(&place) {
                    text = text.replace(&place, &of_ruby(name)?);
                }
            }
            Ok(text)
        };
        let command = filled(peer.command[0])?;
        let environment =
            peer.environment.iter().map(|(name, value)| Ok((*name, filled(value)?))).collect::<Done<Vec<_>>>()?;
        Ok(Program { peer, dir, command, environment })
    }

    /// Its packages with their versions.
    pub fn versions(&self) -> Vec<String> {
        versions(&self.peer.source, &self.dir)
    }

    /// Runs it until it ends; the number it said.
    pub fn run(&self, server: &Server, jobs: usize, size: usize, mode: &str) -> Done<f64> {
        let mut running = self.begin(server, jobs, size, mode)?;
        let seconds = running.number(PATIENCE).ok_or_else(|| self.last_words(mode))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match running.process.try_wait()? {
                Some(status) if status.success() => return Ok(seconds),
                Some(_) => return Err(self.last_words(mode).into()),
                None if Instant::now() > deadline => return Err(format!("{mode}: it does not end").into()),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Starts what it has between itself and Redis, if it has that; to be kept while it runs.
    pub fn serve(&self, server: &Server) -> Done<Option<Running>> {
        if !self.peer.server {
            return Ok(None);
        }
        let itself = self.begin(server, 0, 0, "serve")?;
        itself.number(PATIENCE).ok_or_else(|| self.last_words("serve"))?;
        Ok(Some(itself))
    }

    /// Starts it.
    pub fn begin(&self, server: &Server, jobs: usize, size: usize, mode: &str) -> Done<Running> {
        let path = if self.command.contains('/') { self.dir.join(&self.command) } else { self.command.clone().into() };
        let mut process = Command::new(path)
            .args(&self.peer.command[1..])
            .args([&server.socket(), &jobs.to_string(), &size.to_string(), mode])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.dir)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(self.said_in(mode))?)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.command))?;
        let (said, numbers) = channel();
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        std::thread::spawn(move || {
            let mut parsed = output.lines().map_while(Result::ok).filter_map(|line| line.trim().parse::<f64>().ok());
            while let Some(number) = parsed.next()
                && said.send(number).is_ok()
            {}
        });
        Ok(Running { process, numbers })
    }

    /// Why it gave up, and where all stands that it said.
    pub fn last_words(&self, mode: &str) -> String {
        let path = self.said_in(mode);
        match telling(&std::fs::read_to_string(&path).unwrap_or_default()) {
            nothing if nothing.is_empty() => format!("{mode}: it ends, or stops, without a word"),
            words => format!("{mode}: {words} ({})", path.strip_prefix(repository()).unwrap_or(&path).display()),
        }
    }

    fn said_in(&self, mode: &str) -> PathBuf {
        self.dir.join(format!("stderr.{mode}"))
    }
}

/// A place that ruby was built with.
fn of_ruby(name: &str) -> Done<String> {
    let ask = format!("print RbConfig::CONFIG.fetch('{name}')");
    let answer = Command::new("ruby").args(["-e", &ask]).output().map_err(|error| format!("ruby: {error}"))?;
    if answer.status.success() {
        Ok(String::from_utf8(answer.stdout)?)
    } else {
        Err(format!("ruby has no {name}").into())
    }
}

/// A running program; it is killed with this value, with all processes it made.
pub struct Running {
    process: Child,
    numbers: Receiver<f64>,
}

impl Running {
    /// The next number it says; None when none comes in time, or it has ended.
    pub fn number(&self, patience: Duration) -> Option<f64> {
        self.numbers.recv_timeout(patience).ok()
    }

    /// Writes it an empty line.
    pub fn ask(&mut self) -> std::io::Result<()> {
        self.process.stdin.as_mut().map_or(Ok(()), |input| input.write_all(b"\n"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.process.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.process.wait();
    }
}
