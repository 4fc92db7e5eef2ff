//! A private redis-server for a test, on a unix socket in a folder of its own.

#![allow(dead_code, reason = "each test binary uses its part")]

pub mod fork;

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

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
        let folder = Folder::new();
        let own = ["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--logfile", "log"];
        let arguments: Vec<String> = own.iter().chain(more).map(|text| (*text).to_owned()).collect();
        let child = Server::spawn(&folder.0, &arguments);
        Server { child, arguments, folder }
    }

    fn spawn(dir: &Path, arguments: &[String]) -> Child {
        let mut command = Command::new("redis-server");
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
        self.child = Server::spawn(&self.folder.0, &self.arguments);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The member of a JSON object.
pub fn member(json: &str, pointer: &str) -> serde_json::Value {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    value.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {json}")).clone()
}
