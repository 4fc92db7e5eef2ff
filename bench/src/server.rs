//! A private redis-server, and its meters.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::{Connection, Value};

use crate::Done;

/// A server of our own; it ends with this value.
pub struct Server {
    process: Child,
    dir: PathBuf,
}

impl Server {
    /// Starts one without persistence.
    pub fn start(name: &str) -> Result<Server, Box<dyn std::error::Error>> {
        let dir = std::env::temp_dir().join(format!("manyhands-bench-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir)?;
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(dir.join("socket"))
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server: {error}"))?;
        let server = Server { process, dir };
        let deadline = Instant::now() + Duration::from_secs(10);
        while server.connect().is_err() {
            if Instant::now() > deadline {
                return Err("redis-server does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    /// Gives it the first processor alone; the others, for all else (a list as taskset reads it).
    pub fn apart(&self) -> Done<String> {
        let processors = std::thread::available_parallelism()?.get();
        if processors < 2 {
            return Err("there is one processor only".into());
        }
        let mut command = Command::new("taskset");
        command.args(["--all-tasks", "--cpu-list", "--pid", "0", &self.process.id().to_string()]).stdout(Stdio::null());
        let ended = command.status().map_err(|error| format!("taskset (util-linux): {error}"))?;
        if ended.success() { Ok(format!("1-{}", processors - 1)) } else { Err("taskset gave no processor".into()) }
    }

    /// Where it listens.
    pub fn socket(&self) -> String {
        self.dir.join("socket").display().to_string()
    }

    /// The URL for clients.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket())
    }

    /// A plain connection.
    pub fn connect(&self) -> redis::RedisResult<Connection> {
        redis::Client::open(format!("redis+unix://{}?protocol=resp3", self.socket()))?.get_connection()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// The server's own figures.
pub struct Meters<'a>(pub &'a mut Connection);

impl Meters<'_> {
    fn info(&mut self, section: &str) -> redis::RedisResult<String> {
        redis::cmd("INFO").arg(section).query(self.0)
    }

    fn field(&mut self, section: &str, name: &str) -> redis::RedisResult<f64> {
        let info = self.info(section)?;
        let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        Ok(value.and_then(|text| text.trim().parse().ok()).unwrap_or(0.0))
    }

    /// Seconds of processor time that the server has used (used_cpu_user + used_cpu_sys).
    pub fn used_cpu(&mut self) -> redis::RedisResult<f64> {
        Ok(self.field("cpu", "used_cpu_user")? + self.field("cpu", "used_cpu_sys")?)
    }

    /// Bytes that the server holds (used_memory).
    pub fn used_memory(&mut self) -> redis::RedisResult<f64> {
        self.field("memory", "used_memory")
    }

    /// How many commands were called (commandstats), those within scripts too, since the last reset; without those that read
    /// the meters.
    pub fn commands(&mut self) -> redis::RedisResult<f64> {
        let calls = self.of_each("commandstats", "cmdstat_", "calls")?;
        Ok(calls.iter().filter(|(name, _)| name != "info" && !name.starts_with("config")).map(|(_, calls)| calls).sum())
    }

    /// How many of these commands were called (commandstats) since the last reset.
    pub fn calls(&mut self, command: &str) -> redis::RedisResult<f64> {
        Ok(of(command, self.of_each("commandstats", "cmdstat_", "calls")?))
    }

    /// Microseconds within these commands (commandstats) since the last reset.
    pub fn usec(&mut self, commands: &[&str]) -> redis::RedisResult<f64> {
        let spent = self.of_each("commandstats", "cmdstat_", "usec")?;
        Ok(spent.iter().filter(|(name, _)| commands.contains(&name.as_str())).map(|(_, usec)| usec).sum())
    }

    /// How long one of these commands took in µs (latencystats, a histogram of two digits), by a percentile that the server is set
    /// to tell, as `p50`.
    pub fn latency(&mut self, command: &str, percentile: &str) -> redis::RedisResult<f64> {
        Ok(of(command, self.of_each("latencystats", "latency_percentiles_usec_", percentile)?))
    }

    /// A figure of each command, of a section whose lines begin with `head`.
    fn of_each(&mut self, section: &str, head: &str, figure: &str) -> redis::RedisResult<Vec<(String, f64)>> {
        let info = self.info(section)?;
        let of_line = |line: &str| {
            let (name, figures) = line.strip_prefix(head)?.split_once(':')?;
            let value = figures.split(',').find_map(|part| part.strip_prefix(figure)?.strip_prefix('='))?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        };
        Ok(info.lines().filter_map(of_line).collect())
    }

    /// Begins its counts of commands anew.
    pub fn forget(&mut self) -> redis::RedisResult<()> {
        redis::cmd("CONFIG").arg("RESETSTAT").exec(self.0)
    }
}

/// That of a command; 0 when it was not called.
fn of(command: &str, figures: Vec<(String, f64)>) -> f64 {
    figures.into_iter().find(|(name, _)| name == command).map_or(0.0, |(_, figure)| figure)
}

/// How many calls are under way at a time.
pub const AT_ONCE: usize = 20;

/// Writes calls of the engine, each with its number.
pub struct Caller {
    name: &'static str,
    number: u64,
}

impl Default for Caller {
    fn default() -> Caller {
        Caller::named("00000000beeffeed")
    }
}

impl Caller {
    /// One for each connection on which calls are under way: 16 hex digits.
    pub fn named(name: &'static str) -> Caller {
        Caller { name, number: 0 }
    }

    /// Adds a call of `operation` to what is sent.
    pub fn write(&mut self, pipe: &mut redis::Pipeline, operation: &str, args: &[String]) {
        self.number += 1;
        let call = pipe.cmd("FCALL").arg(format!("mh1_{operation}")).arg(1).arg("{mh}:meta");
        call.arg(self.name).arg(self.number).arg(args);
    }
}

/// Calls of the engine sent many at a time, so that the network's cost per call is shared.
pub struct Pipeline<'a> {
    connection: &'a mut Connection,
    caller: Caller,
}

impl<'a> Pipeline<'a> {
    /// Over one connection; the engine must be loaded.
    pub fn new(connection: &'a mut Connection) -> Pipeline<'a> {
        Pipeline { connection, caller: Caller::default() }
    }

    /// Calls `operation` once for each list of arguments; the replies in order.
    pub fn call(&mut self, operation: &str, calls: &[Vec<String>]) -> redis::RedisResult<Vec<Value>> {
        let mut replies = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(AT_ONCE) {
            let mut pipe = redis::pipe();
            for args in chunk {
                self.caller.write(&mut pipe, operation, args);
            }
            replies.extend(pipe.query::<Vec<Value>>(self.connection)?);
        }
        Ok(replies)
    }

    /// The connection, between calls.
    pub fn connection(&mut self) -> &mut Connection {
        self.connection
    }
}
