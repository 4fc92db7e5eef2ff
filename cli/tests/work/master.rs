//! A master with its processes, as the tests see them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use manyhands::{Client, Put};

use crate::programs::Program;
use crate::support::{self, Server};

/// Longer than anything here takes: a test that waits for so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(40);
/// Where the handlers of kind `hold` find the test that says when they end.
pub const HOLD: &str = "MH_TEST_HOLD";

/// The file, beside that socket, in which handlers of kind `work` write that they begin.
pub const BEGUN: &str = "begun";

/// A master with its server and what its handlers say.
pub struct Master {
    pub child: Child,
    said: BufReader<UnixStream>,
    pub server: Server,
    pub client: Client,
    holds: UnixListener,
}

/// A handler that runs.
pub struct Held {
    pub jid: String,
    pub pid: i32,
    stream: BufReader<UnixStream>,
}

impl Held {
    pub fn finish(mut self) {
        self.stream.get_mut().write_all(b"x").unwrap();
    }

    /// Waits until the handler has ended, or its process.
    pub fn ended(&mut self) {
        let mut rest = String::new();
        // A process that died may have left our byte unread.
        let _ = self.stream.read_to_string(&mut rest);
    }
}

impl Master {
    pub fn start(options: &[&str]) -> Master {
        Master::start_in(options, &[])
    }

    pub fn start_in(options: &[&str], environment: &[(&str, &str)]) -> Master {
        Master::of(Program::Rust, Server::start(), options, environment)
    }

    pub fn of(program: Program, server: Server, options: &[&str], environment: &[(&str, &str)]) -> Master {
        let command = program.command();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        Master::start_program(server, options, environment, &command)
    }

    pub fn start_program(server: Server, options: &[&str], environment: &[(&str, &str)], program: &[&str]) -> Master {
        let holds = UnixListener::bind(server.folder.join("hold.sock")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_manyhands"));
        command.args(["work", "--url", &server.url()]).args(options).arg("--").args(program);
        command
            .env(HOLD, server.folder.join("hold.sock"))
            .env("SHUTDOWN_TIMEOUT", "20")
            .envs(environment.iter().copied());
        let (said, theirs) = UnixStream::pair().unwrap();
        said.set_read_timeout(Some(PATIENCE)).unwrap();
        holds.set_nonblocking(true).unwrap();
        let stderr = OwnedFd::from(theirs);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        let said = BufReader::new(said);
        Master { child, said, client: server.client(), server, holds }
    }

    pub fn signal(&self, signal: i32) {
        kill(self.child.id().cast_signed(), signal);
    }

    pub fn put(&self, kind: &str, count: usize) {
        self.client.queue("q").put_many((0..count).map(|_| Put::new(kind).retries(2))).unwrap();
    }

    pub fn put_one(&self, kind: &str, retries: i64) -> String {
        self.client.queue("q").put(Put::new(kind).retries(retries)).unwrap().jid
    }

    pub fn set(&self, name: &str, ms: u64) {
        self.client.call("config_set", &format!("{{\"name\":\"{name}\",\"value\":{ms}}}")).unwrap();
    }

    /// How many runs ended in an outcome.
    pub fn ended_runs(&self) -> u64 {
        let figures = self.client.call("queue_stats", r#"{"queue":"q"}"#).unwrap();
        support::member(&figures, "/run/count").as_u64().unwrap()
    }

    /// Which process began which job of kind `work`, in order.
    pub fn begun(&self) -> Vec<(i32, String)> {
        let begun = std::fs::read_to_string(self.server.folder.join(BEGUN)).unwrap_or_default();
        let part = |line: &str| line.split_once(' ').map(|(pid, jid)| (pid.parse().unwrap(), jid.to_owned()));
        begun.lines().map(|line| part(line).unwrap()).collect()
    }

    /// So many jobs of kinds that note it have begun, each once. How many of them each process began.
    pub fn each_began_once(&self, jobs: usize) -> BTreeMap<i32, usize> {
        let begun = self.begun();
        let jids: BTreeSet<&String> = begun.iter().map(|(_, jid)| jid).collect();
        assert_eq!((begun.len(), jids.len()), (jobs, jobs));
        let mut of_process = BTreeMap::new();
        for (pid, _) in &begun {
            *of_process.entry(*pid).or_insert(0) += 1;
        }
        of_process
    }

    /// Lets time pass for the engine, and for it alone, until another worker has the job.
    pub fn lease_runs_out(&self, jid: &str) {
        let worker = || self.client.job(jid).unwrap().unwrap().worker.filter(|worker| !worker.is_empty());
        let (first, mut now) = (worker(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
        until_some("another worker has it", || {
            now += Duration::from_secs(5);
            self.set("test-clock", now.as_millis() as u64);
            worker().filter(|worker| Some(worker) != first.as_ref())
        });
    }

    /// The memory of the master and all its processes, in bytes.
    pub fn memory(&self) -> u64 {
        let master = self.child.id();
        let threads = std::fs::read_dir(format!("/proc/{master}/task")).unwrap();
        let children = threads.flat_map(|thread| {
            let children = std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default();
            children.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
        });
        children.chain([master]).map(resident).sum()
    }

    /// Of a process that was killed before it could say so nothing is heard.
    pub fn held(&self) -> Held {
        until_some("a handler says that it runs", || {
            let mut stream = BufReader::new(self.holds.accept().ok()?.0);
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let (jid, pid) = line.trim_end().split_once(' ')?;
            Some(Held { jid: jid.to_owned(), pid: pid.parse().unwrap(), stream })
        })
    }

    /// What the workers there are now say of themselves.
    pub fn statuses(&self) -> Vec<serde_json::Value> {
        let workers = self.client.workers(0, 100).unwrap().items.into_iter();
        workers.filter_map(|worker| Some(serde_json::from_str(&worker.status?).unwrap())).collect()
    }

    pub fn workers(&self) -> BTreeSet<i64> {
        self.statuses().iter().map(|status| status["pid"].as_i64().unwrap()).collect()
    }

    pub fn all_quiet(&self) -> bool {
        self.statuses().iter().all(|status| status["quiet"] == true)
    }

    pub fn view(&self, jid: &str, pointer: &str) -> serde_json::Value {
        support::member(&self.client.call("job_get", &format!("{{\"jid\":\"{jid}\"}}")).unwrap(), pointer)
    }

    pub fn counts(&self) -> (u64, u64) {
        let counts = self.client.queue("q").counts().unwrap();
        (counts.waiting, counts.running)
    }

    /// Reads the log until a line has this.
    pub fn says(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "the master never said {what}");
            if line.contains(what) {
                return line;
            }
        }
    }

    /// Waits until the master knows that all of so many processes serve.
    pub fn all_serve(&mut self, processes: usize) {
        loop {
            self.signal(libc::SIGTTIN);
            let said: Vec<String> = (0..processes).map(|_| self.says(" (pid ")).collect();
            if said.iter().all(|line| line.contains("serves")) {
                return;
            }
        }
    }

    pub fn status(&mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn kill(pid: i32, signal: i32) {
    // SAFETY: a signal to a process of this test that is known to run.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0);
}

pub fn until(what: &str, is_true: impl Fn() -> bool) {
    until_some(what, || is_true().then_some(()));
}

pub fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::yield_now();
    }
}

/// The resident memory of a process in bytes; 0 when it is gone.
fn resident(pid: u32) -> u64 {
    let figures = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let kilobytes = figures.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
    kilobytes.map_or(0, |figure| figure.parse::<u64>().unwrap() << 10)
}

pub fn is_gone(pid: i32) -> bool {
    // SAFETY: signal 0 only asks whether there is such a process.
    unsafe { libc::kill(pid, 0) != 0 }
}
