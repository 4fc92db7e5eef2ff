//! The server of one folder: where its socket is, whether it runs, how it starts and stops.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::{program, unavailable};
use crate::error::Result;
use crate::identity;

/// The kernel takes socket paths of up to 107 bytes (103 on macOS).
const LONGEST_SOCKET_PATH: usize = 100;
/// Longest wait for a start or a stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for a reply before the server is looked at again, during a start.
const REPLY: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(2);

/// The private server of a folder. All but [`Server::socket`] is done by who holds the folder's gate.
#[derive(Clone)]
pub(super) struct Server {
    pub dir: PathBuf,
}

impl Server {
    pub fn new(dir: PathBuf) -> Server {
        Server { dir }
    }

    /// Where the running server listens, as its starter wrote it down.
    pub fn socket(&self) -> io::Result<PathBuf> {
        fs::read(self.socket_note()).map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(&path)))
    }

    fn socket_note(&self) -> PathBuf {
        self.dir.join("socket")
    }

    fn log(&self) -> PathBuf {
        self.dir.join("server.log")
    }

    fn answers(&self) -> bool {
        self.socket().and_then(UnixStream::connect).is_ok()
    }

    /// True when the server has said something, be it that it is loading: one that cannot start may take connections too.
    fn replies(&self) -> bool {
        let ask = |mut stream: UnixStream| {
            stream.set_read_timeout(Some(REPLY))?;
            stream.write_all(b"PING\r\n")?;
            stream.read(&mut [0; 256])
        };
        self.socket().and_then(UnixStream::connect).and_then(ask).is_ok_and(|length| length > 0)
    }

    /// Starts the server unless it runs.
    pub fn ensure_running(&self) -> Result<()> {
        if self.answers() {
            return Ok(());
        }
        let program = program::find()?;
        let failed = |error: io::Error| unavailable(&self.dir, error);
        let socket = self.choose_socket().map_err(failed)?;
        match fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        fs::write(self.socket_note(), socket.as_os_str().as_bytes()).map_err(failed)?;
        let pid = program::start(&program, &self.arguments(&socket), &self.dir, &self.log()).map_err(failed)?;
        self.wait_for_start(pid)?;
        let name = program.file_name().unwrap_or_default().display();
        eprintln!("manyhands: started {name} in {}", self.dir.display());
        Ok(())
    }

    fn arguments(&self, socket: &Path) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut set = |name: &str, value: OsString| {
            arguments.push(format!("--{name}").into());
            arguments.push(value);
        };
        set("port", "0".into());
        set("unixsocket", socket.into());
        set("unixsocketperm", "700".into());
        set("dir", self.dir.clone().into());
        set("logfile", self.log().into());
        set("appendonly", "yes".into());
        set("appendfsync", "always".into());
        set("save", "".into());
        set("daemonize", "no".into());
        arguments
    }

    fn wait_for_start(&self, pid: libc::pid_t) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.replies() {
            if program::has_ended(pid) {
                return Err(unavailable(&self.dir, format!("did not start: {}", self.last_words())));
            }
            if Instant::now() > deadline {
                return Err(unavailable(&self.dir, format!("does not answer: {}", self.last_words())));
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// The end of the log, on one line.
    fn last_words(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(3)..].join(" / ")
    }

    /// Stops the server and waits until it is gone, its files written.
    pub fn stop(&self) {
        let Ok(mut stream) = self.socket().and_then(UnixStream::connect) else { return };
        let asked = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.write_all(b"SHUTDOWN\r\n"));
        // The answer to SHUTDOWN is the end of the connection.
        let deadline = Instant::now() + PATIENCE;
        if asked.is_err() || stream.read(&mut [0; 256]).is_ok_and(|length| length > 0) {
            return;
        }
        while self.answers() && Instant::now() < deadline {
            thread::sleep(POLL);
        }
    }

    /// A socket in the folder itself, or in the user's runtime folder when the path would be too long.
    fn choose_socket(&self) -> io::Result<PathBuf> {
        let here = self.dir.join("redis.sock");
        if here.as_os_str().len() <= LONGEST_SOCKET_PATH {
            return Ok(here);
        }
        let runtime = env::var_os("XDG_RUNTIME_DIR").map_or_else(env::temp_dir, PathBuf::from);
        // SAFETY: asks for a number.
        let user = unsafe { libc::getuid() };
        let folder = runtime.join(format!("manyhands-{user}"));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let found = fs::symlink_metadata(&folder)?;
        if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
            return Err(io::Error::other(format!("{} is not a private folder of this user", folder.display())));
        }
        Ok(folder.join(format!("{}.sock", identity::fingerprint(self.dir.as_os_str().as_bytes()))))
    }
}
