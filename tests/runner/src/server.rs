//! A private Redis: a unix socket in a folder of its own, gone when dropped.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value as Json;

/// A running redis-server that belongs to this value.
pub struct Server {
    folder: PathBuf,
    process: Child,
}

impl Server {
    /// Starts one and waits until it takes connections. `REDIS_SERVER` names another program.
    ///
    /// # Errors
    /// No program, or one that ends before it is ready; its last line is told.
    pub fn start() -> io::Result<Server> {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("manyhands-scn-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let program = std::env::var("REDIS_SERVER").unwrap_or_else(|_| "redis-server".into());
        let mut process = Command::new(program)
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(folder.join("socket"))
            .arg("--dir")
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut log = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        while !line.contains("eady to accept connections") {
            line.clear();
            if log.read_line(&mut line)? == 0 {
                let status = process.wait()?;
                return Err(io::Error::other(format!("redis-server ended at once: {status}")));
            }
        }
        // Kept drained, so that the server never blocks on its log.
        std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
        Ok(Server { folder, process })
    }

    /// The socket's path.
    pub fn socket(&self) -> String {
        self.folder.join("socket").to_string_lossy().into_owned()
    }

    /// Sends one command, for what no client of ours does (`server CONFIG SET …`), and returns its reply.
    ///
    /// # Errors
    /// What the server refused.
    pub fn command(&self, words: &[String]) -> Result<Json, String> {
        let url = format!("unix://{}", self.socket());
        let mut connection =
            redis::Client::open(url).and_then(|client| client.get_connection()).map_err(|error| error.to_string())?;
        let mut command = redis::cmd(&words[0]);
        command.arg(&words[1..]);
        let reply: redis::Value = command.query(&mut connection).map_err(|error| error.to_string())?;
        Ok(to_json(reply))
    }
}

/// The kinds of replies that scenarios ask for.
fn to_json(reply: redis::Value) -> Json {
    match reply {
        redis::Value::Nil => Json::Null,
        redis::Value::Int(number) => number.into(),
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into(),
        redis::Value::Array(items) => items.into_iter().map(to_json).collect(),
        other => format!("{other:?}").into(),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
