//! A request is a value without I/O: it encodes itself into arguments and decodes its own reply.

pub use redis::Value;

use crate::error::Result;

/// One operation of the engine with its arguments. Any client can send it.
pub trait Request {
    /// The operation's name, one of [`crate::ops::OPERATIONS`].
    const OPERATION: &'static str;
    /// What the operation answers.
    type Reply;

    /// Appends the operation's own arguments.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the argument; nothing is sent then.
    fn encode(&self, args: &mut Args) -> Result<()>;

    /// Reads the engine's answer.
    ///
    /// # Errors
    /// `INTERNAL` when the answer has another shape than the operation promises.
    fn decode(&self, value: Value) -> Result<Self::Reply>;
}

/// The arguments of one call, in the form Redis reads.
pub struct Args {
    command: redis::Cmd,
}

impl Args {
    /// Begins a call of `function` on the namespace whose meta key is `meta_key`.
    pub(crate) fn new(function: &str, meta_key: &str) -> Args {
        let mut command = redis::cmd("FCALL");
        command.arg(function).arg(1).arg(meta_key);
        Args { command }
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) -> &mut Args {
        self.command.arg(text.as_bytes());
        self
    }

    /// Appends a whole number.
    pub fn integer(&mut self, number: i64) -> &mut Args {
        self.command.arg(number);
        self
    }

    /// The bytes to send.
    pub(crate) fn packed(&self) -> Vec<u8> {
        self.command.get_packed_command()
    }
}
