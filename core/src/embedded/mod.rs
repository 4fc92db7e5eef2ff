//! `embedded:DIR`: a private server in a folder of its own, which starts with its first user and stops with its last.
//!
//! Two lock files (flock) in the folder decide everything, also after crashes, because the kernel drops a dead
//! process's locks. `users.lock` is held shared by whoever uses the server, for as long as it does. `gate.lock` is
//! held exclusively while anyone enters, leaves, starts or stops. Who leaves and then gets `users.lock` exclusively
//! was the last. A process that is killed leaves the server running for the next.

mod lock;
mod program;
mod server;
mod stays;

use std::fs::DirBuilder;
use std::os::fd::RawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::client::{Connection, Fault};
use crate::endpoint::Endpoint;
use crate::error::{Code, Error, Result};
use lock::Lock;
use server::Server;
use stays::Stay;

/// A try to connect that failed after so long has met a server that is there, but does not answer.
const SILENT: Duration = Duration::from_secs(1);

/// One user's share in a private server. Dropping it leaves.
pub(crate) struct Presence {
    server: Server,
    users: RawFd,
    stay: Stay,
}

/// What is held while a user stays.
struct Held {
    server: Server,
    users: Lock,
    keep: bool,
}

impl Presence {
    /// Enters: starts the server in `dir` unless it runs. With `keep` it is not stopped by this user's leaving.
    ///
    /// # Errors
    /// `NO_SERVER_PROGRAM`; `UNAVAILABLE` when the server does not start; `INVALID_ARGUMENT` when the folder cannot be
    /// used; `CLOSED` when this process is ending.
    pub fn enter(dir: &Path, keep: bool) -> Result<Presence> {
        let unusable = |error: std::io::Error| Error::invalid(format!("url: the folder {}: {error}", dir.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable)?;
        let server = Server::new(dir.canonicalize().map_err(unusable)?);
        let gate = lock::exclusive(&gate_path(&server.dir)).map_err(unusable)?;
        if stays::process_is_ending() {
            return Err(Error::new(Code::Closed, "this process is ending"));
        }
        server.ensure_running()?;
        let users = lock::shared(&users_path(&server.dir)).map_err(unusable)?;
        drop(gate);
        let fd = users.descriptor();
        let stay = Stay::begin(Held { server: server.clone(), users, keep });
        Ok(Presence { server, users: fd, stay })
    }

    /// A connection to the server; starts it again when it has died.
    ///
    /// # Errors
    /// Those of [`Presence::enter`], and those of connecting.
    pub fn connect(&mut self, deadline: Instant) -> std::result::Result<Connection, Fault> {
        let begun = Instant::now();
        match self.try_connect(deadline) {
            // One that is there and silent has used up the time of this try.
            Err(Fault::Broken(_) | Fault::Unsent(_)) if begun.elapsed() < SILENT => {}
            result => return result,
        }
        let gate = lock::exclusive(&gate_path(&self.server.dir)).map_err(|error| Fault::Broken(error.to_string()))?;
        if self.stay.has_ended() {
            return Err(Fault::Refused(Error::new(Code::Closed, "this user of the private server has left")));
        }
        self.server.ensure_running().map_err(Fault::Refused)?;
        drop(gate);
        self.try_connect(deadline)
    }

    fn try_connect(&self, deadline: Instant) -> std::result::Result<Connection, Fault> {
        Connection::open(&self.endpoint()?, deadline)
    }

    /// How to connect to the server.
    pub fn endpoint(&self) -> std::result::Result<Endpoint, Fault> {
        let socket = self.server.socket().map_err(|error| Fault::Broken(error.to_string()))?;
        Ok(Endpoint::socket(&socket))
    }

    /// The descriptor that holds `users.lock`. A forked child that uses the server takes a lock of its own and closes
    /// this copy, without which a killed parent would seem to stay.
    pub fn descriptor(&self) -> RawFd {
        self.users
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.stay.end();
    }
}

impl Held {
    /// Leaves; the last one stops the server. Failures leave the server running, which is the safe side.
    fn leave(self) {
        if self.keep {
            return;
        }
        let Ok(gate) = lock::exclusive(&gate_path(&self.server.dir)) else { return };
        drop(self.users);
        if let Ok(Some(alone)) = lock::try_exclusive(&users_path(&self.server.dir)) {
            self.server.stop();
            drop(alone);
        }
        drop(gate);
    }
}

fn gate_path(dir: &Path) -> PathBuf {
    dir.join("gate.lock")
}

fn users_path(dir: &Path) -> PathBuf {
    dir.join("users.lock")
}

/// The private server could not be started or reached.
fn unavailable(dir: &Path, what: impl std::fmt::Display) -> Error {
    Error::new(Code::Unavailable, format!("the private server in {}: {what}", dir.display()))
}
