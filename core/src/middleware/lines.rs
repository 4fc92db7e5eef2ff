//! A worker's lines on standard error.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::aside::Aside;

/// Most bytes of lines that wait to be written.
const MOST_WAITING: usize = 1024 * 1024;
/// What reaches a pipe in one piece, whoever else writes there.
const PIECE: usize = 4_096;

/// Writes lines in the order in which they are said, on a thread of its own: who reads them, or does not, holds up nobody.
/// When more than a MiB waits, lines are left out, and a line says how many.
#[derive(Clone)]
pub struct Lines(Arc<Aside<String>>);

impl Lines {
    /// Those on standard error.
    pub fn to_stderr() -> Lines {
        Lines::to(Stderr)
    }

    pub(crate) fn to(mut out: impl Write + Send + 'static) -> Lines {
        let write = move |lines: Vec<String>, missed| {
            // Where nothing can be written, nobody can be told.
            let _ = write_all(&mut out, lines, missed);
        };
        Lines(Arc::new(Aside::new("mh-log", MOST_WAITING, write)))
    }

    /// Says this, which ends with a line's end.
    pub fn say(&self, line: String) {
        let size = line.len();
        self.0.push(line, size);
    }

    /// Waits until all is written, at most until then.
    pub fn flush(&self, until: Instant) {
        self.0.flush(until);
    }
}

fn write_all(out: &mut impl Write, lines: Vec<String>, missed: u64) -> io::Result<()> {
    let missing =
        (missed > 0).then(|| format!("manyhands: {missed} lines are left out here: nobody read them in time\n"));
    let mut piece = String::new();
    for line in lines.into_iter().chain(missing) {
        if !piece.is_empty() && piece.len() + line.len() > PIECE {
            out.write_all(piece.as_bytes())?;
            piece.clear();
        }
        piece.push_str(&line);
    }
    out.write_all(piece.as_bytes())
}

/// Standard error without the standard library's lock: whoever else writes to it, a panic for one, does not wait for us.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stderr = rustix::stdio::stderr();
        loop {
            match rustix::io::write(stderr, bytes) {
                // Some hosts make it a non-blocking one.
                Err(Errno::AGAIN) => {
                    let _ = rustix::event::poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None);
                }
                Err(Errno::INTR) => {}
                written => return Ok(written?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was written, piece by piece.
    #[derive(Default)]
    struct Pieces(Vec<String>);

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_written_whole_and_those_left_out_are_counted() {
        let line = |letter: &str, length: usize| format!("{}\n", letter.repeat(length - 1));
        let mut out = Pieces::default();
        let lines = vec![line("a", 96), line("b", PIECE - 96), line("c", 2 * PIECE), line("d", 1)];
        write_all(&mut out, lines, 7).unwrap();
        assert_eq!(out.0[..2], [line("a", 96) + &line("b", PIECE - 96), line("c", 2 * PIECE)]);
        assert_eq!(out.0[2..], ["\nmanyhands: 7 lines are left out here: nobody read them in time\n"]);
    }
}
