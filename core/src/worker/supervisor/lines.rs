//! A master's lines on standard error. A master forks, so it has no thread that writes them: it writes when there is room.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// Most lines that wait for a reader; later ones are left out.
const MOST_WAITING: usize = 1_000;
/// What a pipe with room takes in one piece.
const PIECE: usize = 4_096;

/// Lines in the order in which they were said. Only another writer that fills a pipe at this very moment can hold one up, until its
/// reader goes on.
pub struct Lines<Out = BorrowedFd<'static>> {
    out: Out,
    /// As bytes: a piece may end within a letter.
    waiting: VecDeque<Vec<u8>>,
    missed: u64,
}

impl Default for Lines {
    fn default() -> Lines {
        Lines::to(rustix::stdio::stderr())
    }
}

impl<Out: AsFd> Lines<Out> {
    fn to(out: Out) -> Lines<Out> {
        Lines { out, waiting: VecDeque::new(), missed: 0 }
    }

    /// Says this, or has it wait for room.
    pub fn say(&mut self, line: &str) {
        match self.waiting.len() < MOST_WAITING {
            true => self.waiting.push_back(format!("manyhands: {line}\n").into_bytes()),
            false => self.missed += 1,
        }
        self.write();
    }

    /// Writes what there is room for.
    pub fn write(&mut self) {
        while !self.waiting.is_empty() && self.has_room(Some(Timespec::default())) {
            self.write_one();
        }
    }

    /// Writes all, or as much as there is room for until then.
    pub fn flush(&mut self, until: Instant) {
        while !self.waiting.is_empty() && Instant::now() < until {
            if self.has_room(Timespec::try_from(until.saturating_duration_since(Instant::now())).ok()) {
                self.write_one();
            }
        }
    }

    /// What to poll for room while something waits.
    pub fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        (!self.waiting.is_empty()).then(|| self.out.as_fd())
    }

    fn has_room(&self, within: Option<Timespec>) -> bool {
        rustix::event::poll(&mut [PollFd::new(&self.out, PollFlags::OUT)], within.as_ref()).is_ok_and(|ready| ready > 0)
    }

    fn write_one(&mut self) {
        let Some(line) = self.waiting.front_mut() else { return };
        match rustix::io::write(&self.out, &line[..line.len().min(PIECE)]) {
            Ok(written) if written < line.len() => drop(line.drain(..written)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            // Without a standard error there is nobody to tell.
            Ok(_) | Err(_) => {
                self.waiting.pop_front();
            }
        }
        if self.waiting.is_empty() && self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            let line = format!("manyhands: {missed} lines are left out here: nobody read them in time\n");
            self.waiting.push_back(line.into_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write, pipe};

    use super::*;

    #[test]
    fn what_has_no_room_waits_and_comes_in_order() {
        let (mut reader, mut writer) = pipe().unwrap();
        let room = rustix::pipe::fcntl_getpipe_size(&writer).unwrap();
        writer.write_all(&vec![b'.'; room]).unwrap();
        let mut lines = Lines::to(writer);
        for number in 0..MOST_WAITING + 2 {
            lines.say(&number.to_string());
        }
        assert!(lines.waits_for().is_some());

        let mut read = vec![0; room];
        reader.read_exact(&mut read).unwrap();
        lines.write();
        assert!(lines.waits_for().is_none());
        drop(lines);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        let wanted: String = (0..MOST_WAITING).map(|number| format!("manyhands: {number}\n")).collect();
        assert_eq!(rest, wanted + "manyhands: 2 lines are left out here: nobody read them in time\n");
    }

    #[test]
    fn a_line_longer_than_a_piece_keeps_its_letters() {
        let (mut reader, writer) = pipe().unwrap();
        let long = "é".repeat(PIECE);
        let mut lines = Lines::to(writer);
        lines.say(&long);
        drop(lines);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, format!("manyhands: {long}\n"));
    }

    #[test]
    fn without_a_reader_lines_are_dropped() {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut lines = Lines::to(writer);
        lines.say(&"long ".repeat(2 * PIECE));
        lines.say("more");
        assert!(lines.waits_for().is_none());
    }
}
