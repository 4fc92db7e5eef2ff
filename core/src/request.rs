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
    bytes: Vec<u8>,
    count: usize,
}

impl Args {
    pub(crate) fn new() -> Args {
        Args { bytes: Vec::new(), count: 0 }
    }

    /// Appends a text.
    pub fn text(&mut self, text: &str) -> &mut Args {
        self.bytes.reserve(text.len() + LENGTH_BYTES);
        write_length(&mut self.bytes, b'$', text.len());
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
        self.count += 1;
        self
    }

    /// Appends a whole number.
    pub fn integer(&mut self, number: i64) -> &mut Args {
        self.text(&number.to_string())
    }

    /// The bytes to send: a call of `function` on the namespace whose meta key is `meta_key`, with who calls and its number.
    /// These can be said when the rest is long encoded.
    pub(crate) fn packed(&self, function: &str, meta_key: &str, caller: &str, number: &str) -> Vec<u8> {
        let mut head = Args::new();
        head.text("FCALL").text(function).text("1").text(meta_key).text(caller).text(number);
        let mut packed = Vec::with_capacity(LENGTH_BYTES + head.bytes.len() + self.bytes.len());
        write_length(&mut packed, b'*', head.count + self.count);
        packed.extend_from_slice(&head.bytes);
        packed.extend_from_slice(&self.bytes);
        packed
    }
}

/// Most bytes that stand around a text.
const LENGTH_BYTES: usize = 25;

fn write_length(out: &mut Vec<u8>, kind: u8, length: usize) {
    let (mut digits, mut at, mut rest) = ([0; 20], 20, length);
    while at == 20 || rest > 0 {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.push(kind);
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_what_redis_would_write() {
        let long = "é".repeat(600);
        for text in ["", "a\r\n$1", &long] {
            let mut args = Args::new();
            args.text(text).integer(-10);
            let mut command = redis::cmd("FCALL");
            command.arg("f").arg(1).arg("k").arg("c").arg(7).arg(text).arg(-10);
            assert_eq!(args.packed("f", "k", "c", "7"), command.get_packed_command());
        }
    }
}
