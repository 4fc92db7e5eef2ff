//! A private redis-server for a test, on a unix socket in a folder of its own.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod cases;
pub mod fork;

use std::fs;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use manyhands::Client;

/// A folder under the system's temporary one, removed at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("mh-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A redis-server of this test's own.
pub struct Server {
    program: &'static str,
    child: Child,
    arguments: Vec<String>,
    pub folder: Folder,
}

impl Server {
    /// Starts one that forgets everything.
    pub fn start() -> Server {
        Server::start_with(&["--appendonly", "no"])
    }

    /// Starts one with more arguments.
    pub fn start_with(more: &[&str]) -> Server {
        Server::start_program("redis-server", more)
    }

    /// Starts one that speaks TLS too.
    pub fn start_tls(more: &[&str]) -> Server {
        Server::start_program(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tls/server.sh"), more)
    }

    fn start_program(program: &'static str, more: &[&str]) -> Server {
        let folder = Folder::new();
        let own = ["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--logfile", "log"];
        let arguments: Vec<String> = own.iter().chain(more).map(|text| (*text).to_owned()).collect();
        let child = Server::spawn(program, &folder.0, &arguments);
        Server { program, child, arguments, folder }
    }

    fn spawn(program: &str, dir: &Path, arguments: &[String]) -> Child {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.spawn().expect("redis-server must be installed");
        while UnixStream::connect(dir.join("redis.sock")).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "{}", fs::read_to_string(dir.join("log")).unwrap_or_default());
            std::thread::yield_now();
        }
        child
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The URL of one that speaks TLS, with these options; `DIR` in them is the folder of its certificates.
    pub fn tls_url(&self, options: &str) -> String {
        let url = fs::read_to_string(self.folder.join("url")).unwrap();
        url + &options.replace("DIR", self.folder.0.to_str().unwrap())
    }

    pub fn client(&self) -> Client {
        self.client_with("{}")
    }

    pub fn client_with(&self, options: &str) -> Client {
        Client::open(Some(&self.url()), options).unwrap()
    }

    /// Sends a signal to the server.
    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: the process is our child and has not been waited for.
        unsafe { libc::kill(self.child.id().cast_signed(), signal) };
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        drop(fs::remove_file(self.socket()));
    }

    pub fn start_again(&mut self) {
        self.child = Server::spawn(self.program, &self.folder.0, &self.arguments);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What is called on a server, as it comes.
pub struct Calls(BufReader<UnixStream>);

impl Calls {
    pub fn of(server: &Server) -> Calls {
        let mut stream = UnixStream::connect(server.socket()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        Calls(BufReader::new(stream))
    }

    /// Waits for the next call that has this text in it.
    pub fn next(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            self.0.read_line(&mut line).unwrap();
        }
    }
}

/// A pipe without room, whose reader does not read.
pub fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    // SAFETY: asks how much the pipe holds.
    let room = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETPIPE_SZ) };
    writer.write_all(&vec![b'.'; usize::try_from(room).unwrap()]).unwrap();
    (reader, writer)
}

/// The member of a JSON object.
pub fn member(json: &str, pointer: &str) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    value.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {json}")).clone()
}
