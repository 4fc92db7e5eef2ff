//! Programs under callgrind, which counts their instructions: the same on a busy machine as on a quiet one.
//!
//! Callgrind writes a file each time the program enters the function that marks the end of a span.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::Connection;

use crate::master::repository;

type Done<T = ()> = Result<T, Box<dyn std::error::Error>>;

const PATIENCE: Duration = Duration::from_secs(30);

/// Begins a command under callgrind: a span ends where `mark` is entered. Its files stay, for callgrind_annotate.
fn callgrind(name: &str, mark: &str) -> Done<(Command, PathBuf)> {
    let folder = repository().join("target/bench/guard");
    std::fs::create_dir_all(&folder)?;
    for old in std::fs::read_dir(&folder)?.flatten() {
        if old.file_name().to_string_lossy().starts_with(&format!("{name}.")) {
            std::fs::remove_file(old.path())?;
        }
    }
    let dumps = folder.join(name);
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--tool=callgrind", &format!("--dump-before={mark}")])
        .arg(format!("--callgrind-out-file={}", dumps.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok((command, dumps))
}

/// The instructions of a span, numbered from 1.
fn span(dumps: &Path, number: usize) -> Done<f64> {
    let path = dumps.with_extension(number.to_string());
    let dump = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let totals = dump.lines().rev().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok());
    totals.ok_or_else(|| format!("{} has no totals", path.display()).into())
}

/// Runs a program to its end; the instructions of its spans.
pub fn spans(program: &Path, arguments: &[String], name: &str, mark: &str, count: usize) -> Done<Vec<f64>> {
    let (mut command, dumps) = callgrind(name, mark)?;
    let status = command.arg(program).args(arguments).status().map_err(|error| format!("valgrind: {error}"))?;
    if !status.success() {
        return Err(format!("{} ended with {status}", program.display()).into());
    }
    (1..=count).map(|number| span(&dumps, number)).collect()
}

/// A server of our own; it ends with this value.
pub struct Counted {
    process: Child,
    socket: PathBuf,
    dumps: PathBuf,
    marks: usize,
}

impl Counted {
    /// Starts one without persistence, and without what it does by the clock.
    pub fn start(name: &str) -> Done<Counted> {
        let (mut command, dumps) = callgrind(name, "pingCommand")?;
        let socket = std::env::temp_dir().join(format!("manyhands-guard-{}-{name}", std::process::id()));
        let process = command
            .args(["redis-server", "--port", "0", "--save", "", "--appendonly", "no"])
            .args(["--activerehashing", "no", "--hz", "1", "--unixsocket"])
            .arg(&socket)
            .spawn()
            .map_err(|error| format!("valgrind: {error}"))?;
        let counted = Counted { process, socket, dumps, marks: 0 };
        let deadline = Instant::now() + PATIENCE;
        while counted.connect().is_err() {
            if Instant::now() > deadline {
                return Err("redis-server does not answer under valgrind".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(counted)
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// A plain connection.
    pub fn connect(&self) -> redis::RedisResult<Connection> {
        redis::Client::open(format!("redis+unix://{}?protocol=resp3", self.socket.display()))?.get_connection()
    }

    /// Ends a span: its instructions.
    pub fn mark(&mut self, connection: &mut Connection) -> Done<f64> {
        redis::cmd("PING").exec(connection)?;
        self.marks += 1;
        span(&self.dumps, self.marks)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}
