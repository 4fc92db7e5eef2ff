//! Why processes end, and what that costs the jobs they had begun.

use crate::worker::ending::STUCK;
use crate::worker::supervisor::event::Ended;

/// Why a process ends, when somebody knew before it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It has begun all the jobs it was made for.
    Spent,
    /// It had too much memory.
    Memory,
    /// One of its handlers cannot be ended.
    Stuck,
    /// Somebody wanted it.
    Asked,
}

/// Whether the jobs that a dead process had begun spend a retry.
pub fn spends(cause: Option<Cause>, how: Ended) -> bool {
    match (cause, how) {
        // It crashed, or one of its handlers did not end after its timeout: whoever asked for its end did not ask for that.
        (_, Ended::Signal(4 | 6 | 7 | 8 | 11 | 31) | Ended::Status(STUCK)) => true,
        (Some(Cause::Asked), _) => false,
        (Some(Cause::Memory | Cause::Stuck), _) => true,
        // It ended as programs do that are asked to, by whomever. Not with 0: a worker that ends well leaves nothing begun, so
        // a handler has ended its process, and would again.
        (_, Ended::Signal(1 | 2 | 3 | 15) | Ended::Status(129 | 130 | 131 | 143)) => false,
        _ => true,
    }
}

/// How it ended, for the log.
pub fn told(how: Ended) -> String {
    match how {
        Ended::Status(status) => format!("ended with status {status}"),
        Ended::Signal(signal) => format!("died of signal {signal}"),
    }
}
