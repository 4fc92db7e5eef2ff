//! What a master is told of, and what it does about it: the two languages of `policy`.

use super::word::{Signal, Word};

/// A process's number.
pub type Number = u64;

/// What the user asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Processes that serve at once.
    pub processes: usize,
    /// How long started jobs may run on after QUIT.
    pub shutdown_ms: u64,
    /// How long handlers have after TERM.
    pub kill_ms: u64,
    /// A process with more memory than this (bytes) is replaced.
    pub memory: Option<u64>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Status(i32),
    Signal(i32),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing but that time passed. The first one begins.
    Tick,
    /// The process asked for by [`Action::Start`] is there.
    Started { number: Number, pid: u32 },
    /// It could not be made.
    NotStarted { number: Number, why: String },
    /// It wrote a line.
    Said { number: Number, word: Word },
    /// This is how much memory it has, in bytes.
    Weighed { number: Number, memory: u64 },
    /// It has been waited for.
    Ended { number: Number, how: Ended },
    /// The master got this signal.
    Signal(Signal),
}

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a process; `told` are lines that it must find when it begins to read.
    Start { number: Number, told: Vec<Signal> },
    /// Write this signal's name as a line to the process.
    Tell { number: Number, signal: Signal },
    /// Send it SIGTERM: it may not read lines yet.
    Terminate { number: Number },
    /// Send it SIGKILL.
    Kill { number: Number },
    /// The process is dead: what it held goes back. What its handlers had begun spends a retry when `spends`.
    Settle { number: Number, spends: bool },
    /// Every process has come up for the first time.
    Ready,
    /// The master is about to end.
    Stopping,
    /// How the service does, when that has changed.
    Status(String),
    /// A line for the log.
    Say(String),
    /// End with this status.
    Exit(u8),
}
