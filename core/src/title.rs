//! The title of this process in `ps` and `top`.
//!
//! The kernel is told that the arguments stand elsewhere: in memory of our own. The arguments and the environment stay as they are
//! for whoever still reads them.

use std::fs;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::process::PrctlMmMap;

/// Longest title in bytes; what is longer is cut.
const LONGEST: usize = 400;

/// Once the kernel has been asked to show it.
static TITLE: Mutex<Option<Title>> = Mutex::new(None);

struct Title {
    /// What the kernel reads, also while it is written.
    place: &'static [AtomicU8],
    shown: String,
    /// What was shown before there was any.
    arguments: String,
}

/// Shows this. Nothing happens where the kernel does not let a process say so (it is built without `CHECKPOINT_RESTORE`).
pub fn show(text: &str) {
    // Whoever shows something else at this moment does so as well next time.
    let Ok(mut title) = TITLE.try_lock() else { return };
    if title.is_none() {
        let arguments = fs::read("/proc/self/cmdline").unwrap_or_default();
        // Not a static: the kernel shows no memory that has come from a file. The last byte stays 0.
        let place: &[AtomicU8] = Box::leak((0..=LONGEST).map(|_| AtomicU8::new(0)).collect());
        write(place, text);
        // What is refused now is refused for ever.
        let _ = begin(place);
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        *title = Some(Title { place, shown: text.to_owned(), arguments });
    } else if let Some(title) = &mut *title
        && title.shown != text
    {
        write(title.place, text);
        title.shown = text.to_owned();
    }
}

/// Shows the arguments again.
pub fn show_arguments() {
    let arguments = TITLE.try_lock().ok().and_then(|title| Some(title.as_ref()?.arguments.clone()));
    if let Some(arguments) = arguments {
        show(&arguments);
    }
}

fn write(place: &[AtomicU8], text: &str) {
    let end = (0..=LONGEST).rev().find(|at| text.is_char_boundary(*at) || *at > text.len()).unwrap_or(0);
    let bytes = text.bytes().take(end).chain(std::iter::repeat(0));
    place[..LONGEST].iter().zip(bytes).for_each(|(place, byte)| place.store(byte, Ordering::Relaxed));
}

/// Has the kernel look there from now on.
fn begin(place: &'static [AtomicU8]) -> io::Result<()> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The second word, a name in parentheses, may have spaces.
    let words: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let word =
        |number: usize| words.get(number - 3).and_then(|word| word.parse().ok()).ok_or(io::ErrorKind::InvalidData);
    let start = place.as_ptr() as u64;
    let mut map = PrctlMmMap {
        start_code: word(26)?,
        end_code: word(27)?,
        start_data: word(45)?,
        end_data: word(46)?,
        start_brk: word(47)?,
        brk: end_of_data()?,
        start_stack: word(28)?,
        arg_start: start,
        arg_end: start + place.len() as u64,
        env_start: word(50)?,
        env_end: word(51)?,
        auxv: std::ptr::null_mut(),
        auxv_size: 0,
        exe_fd: -1,
    };
    loop {
        // SAFETY: all but the place of the arguments is as the kernel has it; that memory is never given back. Should another thread
        // move the end of the heap at this very moment, up or down, that is put right below.
        unsafe { rustix::process::configure_virtual_memory_map(&map) }?;
        match heap()? {
            Some(end) if end != map.brk.next_multiple_of(rustix::param::page_size() as u64) => map.brk = end,
            _ => return Ok(()),
        }
    }
}

/// Where the kernel takes the heap to end.
fn end_of_data() -> io::Result<u64> {
    // SAFETY: asked for nothing, brk changes nothing and answers where the heap ends.
    u64::try_from(unsafe { libc::syscall(libc::SYS_brk, 0) }).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Where its memory ends.
fn heap() -> io::Result<Option<u64>> {
    let maps = fs::read_to_string("/proc/self/maps")?;
    let heap = maps.lines().rfind(|line| line.ends_with("[heap]"));
    Ok(heap.and_then(|line| u64::from_str_radix(line.split([' ', '-']).nth(1)?, 16).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The one test that shows a title: there is one for a process.
    #[test]
    fn a_title_is_shown_and_cut_and_the_arguments_stay() {
        let before: Vec<String> = std::env::args().collect();
        show("something");
        let shown = || fs::read_to_string("/proc/self/cmdline").unwrap().trim_end_matches('\0').to_owned();
        assert_eq!(shown(), "something");
        show(&"é".repeat(LONGEST));
        assert_eq!(shown(), "é".repeat(LONGEST / 2));
        show("less");
        assert_eq!(shown(), "less");
        show_arguments();
        assert_eq!(shown(), before.join("\0"));
        assert_eq!(std::env::args().collect::<Vec<_>>(), before);
        assert!(std::env::var_os("PATH").is_some());
    }
}
