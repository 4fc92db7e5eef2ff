//! The master that keeps worker processes.
//!
//! A host's command opens a [`Supervisor`] and asks it, again and again, what there is to do ([`Supervisor::wait`]). All that
//! is left to the host is to make a process (fork, or start a program) and to end. The supervisor reads what its processes
//! say, waits for dead ones and gives back their jobs, replaces them, weighs them, hands on signals, and tells the service
//! manager; what it does when is decided in `policy`, which has no clock and no process.
//!
//! # A process
//! It finds in its environment `MANYHANDS_SUPERVISOR_FD`, its end of a socket, and `MANYHANDS_MARKS_FD`, memory that the
//! master reads when the process is dead. [`Worker`](crate::Worker) does the rest by itself at its first
//! [`next`](crate::Worker::next): says when it takes jobs, when a successor is needed, when a handler does not end; marks what
//! it has begun; obeys what the master says, as far as it can without the host, which finds the rest in
//! [`Worker::take_signal`](crate::Worker::take_signal); and does the same as at QUIT when the master is dead. Both write the words of
//! `word`, one a line.
//!
//! # The JSON face
//! For hosts that fork, [`Supervisor::event`] takes an object and answers one:
//!
//! | event | members | when |
//! |---|---|---|
//! | `wait` | `timeout_ms` | again and again, on the main thread without the host's lock; returns early for a task, a signal or a new status |
//! | `started` | `process`, `pid` | after a fork, in the master |
//! | `not_started` | `process`, `why` | the fork failed |
//! | `forked` | `process` | after a fork, in the child, before anything else; then it sets both variables of the task in its environment |
//! | `signal` | `name`: QUIT TERM INT USR1 USR2 CONT TTIN HUP | the master got one; from any thread, also during `wait` |
//!
//! The answer has `status`, a few words for the process title (not that to `signal`), and `tasks`, a list (empty but after `wait`) of
//! `{"do":"start","process":1,"environment":{…}}` and `{"do":"exit","status":0}`. Processes have numbers that are never used
//! again. An example, answers after the arrows:
//!
//! ```text
//! {"event":"wait","timeout_ms":1000}
//! → {"status":"0 of 1 processes serve","tasks":[{"do":"start","process":1,
//!       "environment":{"MANYHANDS_SUPERVISOR_FD":"7","MANYHANDS_MARKS_FD":"8"}}]}
//! {"event":"started","process":1,"pid":411}           the child: {"event":"forked","process":1}, and runs its worker
//! → {"status":"0 of 1 processes serve","tasks":[]}
//! {"event":"wait","timeout_ms":1000}
//! → {"status":"1 of 1 processes serve","tasks":[]}
//! {"event":"wait","timeout_ms":1000}                  it crashed: its jobs have gone back
//! → {"status":"0 of 1 processes serve","tasks":[{"do":"start","process":2,"environment":{…}}]}
//! {"event":"started","process":2,"pid":415}
//! {"event":"signal","name":"QUIT"}
//! {"event":"wait","timeout_ms":1000}
//! → {"status":"stopping; 0 processes left","tasks":[{"do":"exit","status":0}]}
//! ```

mod debts;
mod event;
mod lines;
mod master;
mod notify;
mod policy;
mod process;
mod signals;
mod word;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::settings::WorkSettings;
use crate::check;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::json::Fields;
use master::Master;
use signals::Signals;

pub use debts::settle;
pub use master::Task;
pub use word::{Signal, Word};

/// The environment variable with the descriptor of a process's socket to its master.
pub const LINK_VARIABLE: &str = "MANYHANDS_SUPERVISOR_FD";
/// The environment variable with the descriptor of its marks.
pub const MARKS_VARIABLE: &str = "MANYHANDS_MARKS_FD";
/// The name by which its marks are known from other files.
pub const MARKS_NAME: &str = "manyhands-marks";

/// A master: keeps as many worker processes as its settings say, see the module's own words.
#[derive(Debug)]
pub struct Supervisor {
    master: Mutex<Master>,
    signals: Signals,
}

impl Supervisor {
    /// A master under these settings. Nothing happens before the first [`Supervisor::wait`].
    ///
    /// # Errors
    /// `INTERNAL` when the system has no descriptor left.
    pub fn open(client: &Client, settings: &WorkSettings) -> Result<Supervisor> {
        let master = Master::new(client, settings)?;
        let signals = master.signals();
        Ok(Supervisor { master: Mutex::new(master), signals })
    }

    /// Looks after the processes until there is something for the host to do, or `timeout` is over, or a signal came to this
    /// thread, or [`Supervisor::status`] is another one. One thread at a time.
    pub fn wait(&self, timeout: Duration) -> Vec<Task> {
        self.master().wait(timeout)
    }

    /// Keeps processes of a program until a signal ends it, for hosts that do not fork. Answers the status to end with. The title
    /// of this process shows the queues, where the settings say them, and how the service does.
    ///
    /// `command` makes the command of one process.
    pub fn keep(&self, mut command: impl FnMut() -> Command) -> u8 {
        self.master().show_title();
        loop {
            for task in self.wait(Duration::MAX) {
                match task {
                    // When it fails, the policy has said so, and tries again.
                    Task::Start { number, .. } => drop(self.spawn(number, &mut command())),
                    Task::Exit(status) => return status,
                }
            }
        }
    }

    /// Process `number` was made.
    pub fn started(&self, number: u64, pid: u32) {
        self.master().started(number, pid);
    }

    /// Makes process `number` by starting a program, for hosts that do not fork: it inherits and finds what it needs, in a
    /// process group of its own; what the service manager gave the master is taken out of its environment. Answers its pid.
    ///
    /// # Errors
    /// Those of [`Command::spawn`]; the supervisor knows of them.
    pub fn spawn(&self, number: u64, command: &mut Command) -> io::Result<u32> {
        for name in notify::VARIABLES {
            command.env_remove(name);
        }
        self.master().spawn(number, command)
    }

    /// Process `number` could not be made.
    pub fn not_started(&self, number: u64, why: &str) {
        self.master().not_started(number, why);
    }

    /// In a forked child that is process `number`: closes all that belongs to the master and to other processes.
    pub fn forked(&self, number: u64) {
        self.master().forked(number);
    }

    /// The master got a signal. Never waits; from any thread.
    pub fn signal(&self, signal: Signal) {
        self.signals.send(signal);
    }

    /// Ends a [`Supervisor::wait`], or the next one at once, for hosts whose signal handlers only note what came. From any thread,
    /// and from a signal handler.
    pub fn nudge(&self) {
        self.signals.nudge();
    }

    /// A socket for hosts that write a byte when a signal comes: one below 128 does what [`Supervisor::nudge`] does.
    pub fn waker(&self) -> BorrowedFd<'_> {
        self.signals.as_fd()
    }

    /// How the service does, in a few words.
    pub fn status(&self) -> String {
        self.master().status().to_owned()
    }

    /// The JSON face, see the module's own words.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the member.
    pub fn event(&self, event_json: &str) -> Result<String> {
        let mut fields = Fields::parse(event_json, "event")?.unplaced();
        let event = fields.required_text("event")?;
        let process = |fields: &mut Fields| {
            let number = fields.integer_in("process", 1, i64::MAX)?;
            number.map(i64::unsigned_abs).ok_or_else(|| Error::invalid("process is missing"))
        };
        let mut tasks = Vec::new();
        match event.as_str() {
            "wait" => {
                let timeout_ms = fields.integer_in("timeout_ms", 0, check::MAX_SPAN_MS)?.unwrap_or(0).unsigned_abs();
                fields.end()?;
                tasks = self.wait(Duration::from_millis(timeout_ms));
            }
            "started" => {
                let (number, pid) = (process(&mut fields)?, fields.integer_in("pid", 1, i64::from(i32::MAX))?);
                let pid = pid.ok_or_else(|| Error::invalid("pid is missing"))?;
                fields.end()?;
                self.started(number, pid as u32);
            }
            "not_started" => {
                let (number, why) = (process(&mut fields)?, fields.required_text("why")?);
                fields.end()?;
                self.not_started(number, &why);
            }
            "forked" => {
                let number = process(&mut fields)?;
                fields.end()?;
                self.forked(number);
            }
            "signal" => {
                let name = fields.required_text("name")?;
                fields.end()?;
                let known = Signal::named(&name);
                self.signal(known.ok_or_else(|| Error::invalid(format!("name {name} is no signal of a master")))?);
                // Not with the status: whoever waits has the master.
                return Ok(json!({ "tasks": [] }).to_string());
            }
            _ => return Err(Error::invalid(format!("event {event} is unknown"))),
        }
        let tasks: Vec<_> = tasks.iter().map(task_json).collect();
        Ok(json!({ "status": self.status(), "tasks": tasks }).to_string())
    }

    fn master(&self) -> MutexGuard<'_, Master> {
        self.master.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn task_json(task: &Task) -> serde_json::Value {
    match task {
        Task::Start { number, .. } => {
            let environment: serde_json::Map<_, _> =
                task.environment().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            json!({ "do": "start", "process": number, "environment": environment })
        }
        Task::Exit(status) => json!({ "do": "exit", "status": status }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nudge_ends_one_wait() {
        let client = Client::open(Some("unix:///nowhere/redis.sock"), "{}").unwrap();
        let supervisor = Supervisor::open(&client, &WorkSettings::from_flags("{}").unwrap()).unwrap();
        assert_eq!(supervisor.wait(Duration::MAX).len(), 1, "a process to start");
        supervisor.nudge();
        assert_eq!(supervisor.wait(Duration::MAX), []);
        rustix::io::write(supervisor.waker(), &[15]).unwrap();
        assert_eq!(supervisor.wait(Duration::MAX), []);
    }
}
