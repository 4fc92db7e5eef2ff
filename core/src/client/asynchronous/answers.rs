//! What comes from the server: bytes, made into answers.

use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use redis::{Parser, Value};
use tokio::io::AsyncReadExt;

use super::link::Reads;
use super::lock;
use crate::client::fault::Fault;

/// Read at a time.
const READ: usize = 1 << 16;

pub(super) type Answer = std::result::Result<Value, Fault>;

/// When something came last.
pub(super) struct Heard(Mutex<Instant>);

impl Heard {
    pub fn new() -> Heard {
        Heard(Mutex::new(Instant::now()))
    }

    fn now(&self) {
        *lock(&self.0) = Instant::now();
    }

    pub fn elapsed(&self) -> Duration {
        lock(&self.0).elapsed()
    }
}

/// Answers, one after another.
pub(super) struct Answers {
    reads: Reads,
    parser: Parser,
    came: Came,
    heard: Arc<Heard>,
}

/// Bytes that came and are not yet parsed.
struct Came {
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Came {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        if rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = rest.len().min(place.len());
        place[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

impl Answers {
    pub fn new(reads: Reads, heard: Arc<Heard>) -> Answers {
        Answers { reads, parser: Parser::new(), came: Came { bytes: Vec::new(), at: 0 }, heard }
    }

    pub async fn next(&mut self) -> Answer {
        loop {
            // The parser keeps what it has of a value when there is no more for now.
            match self.parser.parse_value(&mut self.came) {
                Ok(value) => return Ok(value),
                Err(error) if error.is_timeout() => {}
                Err(error) => return Err(error.into()),
            }
            self.came.at = 0;
            self.came.bytes.resize(READ, 0);
            let count = match self.reads.read(&mut self.came.bytes).await {
                // A server that dies says no goodbye in TLS.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                read => read?,
            };
            self.came.bytes.truncate(count);
            self.heard.now();
            if count == 0 {
                return Err(Fault::Broken("the server has closed the connection".to_owned()));
            }
        }
    }
}
