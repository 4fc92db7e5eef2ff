//! What a worker process has begun, where its master still finds it when the process is dead: a table in memory that both
//! have mapped. Written at every start and end of a job, so it costs a copy of a jid and a store.
//!
//! Words 0 and 1 are the pid of the process that writes, and how many entries are used. An entry is a word with a length,
//! then text; a worker's first one has its name, those after it have the jids that its handlers run now.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;
use rustix::fs::{MemfdFlags, SealFlags};

use super::supervisor::MARKS_NAME;

/// Words before the entries.
const HEAD: usize = 8;
/// Bytes of a jid or a worker's name; longer ones are cut, and then nobody's.
const TEXT: usize = 256;
const ENTRY: usize = 1 + TEXT / 8;
/// Entries of a table. Memory is used only where something was written.
const ENTRIES: usize = 4_096;
const BYTES: usize = (HEAD + ENTRIES * ENTRY) * 8;

/// The table of one process, as its master sees it.
#[derive(Debug)]
pub struct Table {
    marks: Marks,
    file: File,
}

/// What a dead worker left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub worker: String,
    /// The jobs its handlers had begun.
    pub started: Vec<String>,
}

/// The same table, as the process sees it.
#[derive(Clone, Debug)]
pub struct Marks(Arc<MmapRaw>);

/// One worker's part.
#[derive(Debug)]
pub struct Region {
    marks: Marks,
    /// The entry with its name.
    name: usize,
    free: Vec<usize>,
}

/// Where a started job is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

impl Table {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no memory or no descriptor left.
    pub fn new() -> io::Result<Table> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = File::from(rustix::fs::memfd_create(MARKS_NAME, flags)?);
        file.set_len(BYTES as u64)?;
        // A file that shrinks would end whoever reads it.
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Table { marks: Marks(Arc::new(MmapRaw::map_raw(&file)?)), file })
    }

    /// Never closes the descriptor: this process inherits it.
    pub fn leave_open(self) {
        let _ = IntoRawFd::into_raw_fd(self.file);
    }

    /// The process that writes, once there is one.
    pub fn writer(&self) -> Option<u32> {
        let pid = i32::try_from(self.marks.words()[0].load(Ordering::Acquire)).ok()?;
        u32::try_from(pid).ok().filter(|pid| *pid != 0)
    }

    /// What the workers of the process have not let go of, as far as it can be read: one that crashed may have spoiled it.
    pub fn left(&self) -> Vec<Left> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some((text, slots)) = (at < ENTRIES).then(|| self.marks.read(at)).filter(|(_, slots)| *slots > 0) {
            let slots = slots.min(ENTRIES - at);
            if let Some(worker) = text {
                let started = (at + 1..at + slots).filter_map(|entry| self.marks.read(entry).0).collect();
                found.push(Left { worker, started });
            }
            at += slots;
        }
        found
    }
}

impl AsFd for Table {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Marks {
    /// The table behind a descriptor that a master handed down.
    ///
    /// # Errors
    /// When it is something else.
    pub fn inherited(descriptor: OwnedFd) -> io::Result<Marks> {
        let map = MmapRaw::map_raw(&File::from(descriptor))?;
        if map.len() != BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the marks are of another version"));
        }
        Ok(Marks(Arc::new(map)))
    }

    /// Makes this process the one that writes; false when another is, which then had forked or started this one.
    pub fn claim(&self) -> bool {
        let pid = u64::from(std::process::id());
        let claimed = self.words()[0].compare_exchange(0, pid, Ordering::AcqRel, Ordering::Acquire);
        claimed.is_ok_and(|_| true) || claimed == Err(pid)
    }

    /// A part for a worker that performs so many jobs at once; None when the table is full.
    pub fn region(&self, worker: &str, threads: usize) -> Option<Region> {
        let slots = threads as u64 + 1;
        let name = self.words()[1].fetch_add(slots, Ordering::Relaxed) as usize;
        if name + slots as usize > ENTRIES {
            // Whoever comes later would find a hole: the table stays full.
            return None;
        }
        self.write(name, worker, slots);
        Some(Region { marks: self.clone(), name, free: (name + 1..name + slots as usize).rev().collect() })
    }

    /// Text first, then its length: who reads finds all of it or nothing.
    fn write(&self, entry: usize, text: &str, slots: u64) {
        let words = &self.words()[HEAD + entry * ENTRY..][..ENTRY];
        let text = &text.as_bytes()[..text.len().min(TEXT)];
        for (word, bytes) in words[1..].iter().zip(text.chunks(8)) {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(padded), Ordering::Relaxed);
        }
        words[0].store(slots << 32 | text.len() as u64, Ordering::Release);
    }

    /// An entry's text, None when there is none, and how many entries it is the first of.
    fn read(&self, entry: usize) -> (Option<String>, usize) {
        let words = &self.words()[HEAD + entry * ENTRY..][..ENTRY];
        let head = words[0].load(Ordering::Acquire);
        let length = TEXT.min((head & u64::from(u32::MAX)) as usize);
        let bytes: Vec<u8> = words[1..].iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes()).collect();
        let text = (length > 0).then(|| String::from_utf8(bytes[..length].to_vec()).ok()).flatten();
        (text, (head >> 32) as usize)
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is aligned to a page, BYTES long (checked or made so), sealed against shrinking, and lives as
        // long as self. Both processes touch it through atomics alone.
        unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), BYTES / 8) }
    }
}

impl Region {
    /// Notes that a job has begun; None when more run than the worker said it would.
    pub fn begin(&mut self, jid: &str) -> Option<Mark> {
        let entry = self.free.pop()?;
        self.marks.write(entry, jid, 0);
        Some(Mark(entry))
    }

    /// Notes that it has ended.
    pub fn end(&mut self, mark: Mark) {
        self.marks.write(mark.0, "", 0);
        self.free.push(mark.0);
    }

    /// The worker holds nothing any more: there is nothing to do when its process ends.
    pub fn let_go(&self) {
        let slots = self.marks.read(self.name).1 as u64;
        self.marks.write(self.name, "", slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inherited(table: &Table) -> Marks {
        Marks::inherited(table.as_fd().try_clone_to_owned().unwrap()).unwrap()
    }

    fn left(worker: &str, started: &[&str]) -> Left {
        Left { worker: worker.to_owned(), started: started.iter().map(|jid| (*jid).to_owned()).collect() }
    }

    #[test]
    fn a_master_finds_what_was_begun_and_not_ended() {
        let table = Table::new().unwrap();
        let marks = inherited(&table);
        assert_eq!((table.writer(), table.left()), (None, Vec::new()));
        assert!(marks.claim() && marks.claim());
        assert_eq!(table.writer(), Some(std::process::id()));
        let mut first = marks.region("host:1:ab", 2).unwrap();
        let mut second = marks.region("host:1:cd", 1).unwrap();
        let a = first.begin("a").unwrap();
        let long = "é".repeat(127);
        first.begin(&long).unwrap();
        assert_eq!(first.begin("too many"), None);
        second.begin("0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(
            table.left(),
            [left("host:1:ab", &["a", &long]), left("host:1:cd", &["0123456789abcdef0123456789abcdef"])]
        );
        first.end(a);
        first.begin("b").unwrap();
        assert_eq!(table.left()[0], left("host:1:ab", &["b", &long]), "places are used again");
        first.let_go();
        assert_eq!(table.left().len(), 1);
    }

    #[test]
    fn another_process_does_not_write() {
        let table = Table::new().unwrap();
        let marks = inherited(&table);
        marks.words()[0].store(1, Ordering::Relaxed);
        assert!(!marks.claim());
    }

    #[test]
    fn a_full_table_has_no_part_left() {
        let table = Table::new().unwrap();
        let marks = inherited(&table);
        assert!((0..4).all(|_| marks.region("w", 1_000).is_some()));
        assert!(marks.region("w", 1_000).is_none());
        assert!(marks.region("w", 1).is_none());
        assert_eq!(table.left().len(), 4);
    }

    #[test]
    fn what_a_process_has_spoiled_harms_no_master() {
        let table = Table::new().unwrap();
        let marks = inherited(&table);
        marks.region("w", 1).unwrap().begin("a").unwrap();
        marks.write(0, "w", u64::from(u32::MAX));
        marks.words()[0].store(u64::from(u32::MAX), Ordering::Relaxed);
        assert_eq!((table.left(), table.writer()), (vec![left("w", &["a"])], None));
    }

    #[test]
    fn something_else_is_refused() {
        let other = rustix::fs::memfd_create("other", MemfdFlags::CLOEXEC).unwrap();
        File::from(other.try_clone().unwrap()).set_len(4_096).unwrap();
        assert_eq!(Marks::inherited(other).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
