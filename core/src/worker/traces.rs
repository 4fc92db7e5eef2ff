//! Where the threads of running handlers are: backtraces, from copies of their stacks.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::time::{Duration, Instant};

use addr2line::Loader;
use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, Module, UnwindRegsNative, Unwinder, UnwinderNative,
};
use object::{Object, ObjectSection, ObjectSegment, ReadCache};

use super::reach::{self, Stack};
use crate::middleware::{Aside, Lines};

/// Most calls of one thread.
const MOST_CALLS: usize = 64;
/// What a thread has to answer.
const PATIENCE: Duration = Duration::from_millis(100);
/// Most jobs that wait for it.
const MOST_WAITING: usize = 10_000;

/// A job, and the thread that took it.
pub struct Traced {
    pub jid: String,
    pub thread: u32,
}

/// Answers what says where the threads of such jobs are, on a thread of its own: to find names takes its time.
pub fn tracer(worker: String, lines: Lines) -> impl Fn(Vec<Traced>) + Send + Sync {
    let aside = Aside::new("mh-traces", MOST_WAITING, move |asked: Vec<Vec<Traced>>, _missed| {
        let jobs: Vec<Traced> = asked.into_iter().flatten().collect();
        trace(&jobs, |line| lines.say(format!("manyhands: worker {worker}, {line}")));
    });
    move |jobs| {
        let size = jobs.len();
        if size > 0 {
            aside.push(jobs, size);
        }
    }
}

fn trace(jobs: &[Traced], mut say: impl FnMut(String)) {
    // First all stacks, of one moment as far as can be; names take longer.
    let stacks: Vec<_> = jobs.iter().map(|job| (job, place(job))).collect();
    let mut images = Images::read();
    for (Traced { jid, thread }, place) in stacks {
        match place {
            Place::Gone => say(format!("job {jid}: thread {thread} has ended\n")),
            Place::Future => say(format!("job {jid}: a future has no thread of its own\n")),
            Place::Silent(name) => {
                say(format!("job {jid}, thread {thread} ({name}) does not answer, as one does that blocks signals\n"));
            }
            Place::In(name, stack) => {
                say(format!("job {jid}, thread {thread} ({name}) is in\n{}", images.calls(&stack)));
            }
        }
    }
}

/// Where a job runs.
enum Place {
    Gone,
    Future,
    Silent(String),
    In(String, Stack),
}

fn place(job: &Traced) -> Place {
    let Some(name) = name(job.thread) else { return Place::Gone };
    if name.starts_with("mh-") {
        return Place::Future;
    }
    match reach::stack(job.thread, Instant::now() + PATIENCE) {
        Some(stack) => Place::In(name, stack),
        None => Place::Silent(name),
    }
}

fn name(thread: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/self/task/{thread}/comm")).ok()?.trim_end().to_owned())
}

/// A file with code that this process has mapped.
struct Image {
    path: String,
    /// Where it is.
    start: u64,
    end: u64,
    /// What its own addresses begin with here.
    bias: u64,
    names: Option<Loader>,
}

/// All of them.
struct Images {
    images: Vec<Image>,
    unwinder: UnwinderNative<Vec<u8>, framehop::MayAllocateDuringUnwind>,
}

impl Images {
    fn read() -> Images {
        let (mut images, mut unwinder) = (Vec::new(), UnwinderNative::new());
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        for (path, mappings) in mapped(&maps) {
            let Some((image, module)) = read(path, &mappings) else { continue };
            images.push(image);
            unwinder.add_module(module);
        }
        Images { images, unwinder }
    }

    /// A line a call, innermost first.
    fn calls(&mut self, stack: &Stack) -> String {
        let mut read_stack = |address: u64| {
            let at = usize::try_from(address.checked_sub(stack.sp).ok_or(())?).map_err(drop)?;
            let word = stack.bytes.get(at..at + 8).ok_or(())?;
            Ok(u64::from_ne_bytes(word.try_into().map_err(drop)?))
        };
        let mut cache = CacheNative::new();
        let registers = registers(stack);
        let mut calls = self.unwinder.iter_frames(stack.pc, registers, &mut cache, &mut read_stack);
        let mut addresses = Vec::new();
        while let Ok(Some(call)) = calls.next()
            && addresses.len() < MOST_CALLS
        {
            addresses.push(match call {
                FrameAddress::InstructionPointer(address) => address,
                // Of the call, not of what follows it.
                FrameAddress::ReturnAddress(address) => address.get() - 1,
            });
        }
        addresses.into_iter().map(|address| self.named(address)).collect()
    }

    fn named(&mut self, address: u64) -> String {
        let image = self.images.iter_mut().find(|image| (image.start..image.end).contains(&address));
        let Some(image) = image else { return format!("    {address:#x}\n") };
        let own = address - image.bias;
        let said = said(image, own);
        if said.is_empty() { format!("    {} + {own:#x}\n", image.path) } else { said }
    }
}

fn said(image: &mut Image, own: u64) -> String {
    if image.names.is_none() {
        image.names = Loader::new(&image.path).ok();
    }
    let mut said = String::new();
    let Some(names) = &image.names else { return said };
    // Several where calls were inlined.
    if let Ok(mut frames) = names.find_frames(own) {
        while let Ok(Some(frame)) = frames.next() {
            let Some(function) =
                frame.function.as_ref().and_then(|function| Some(function.demangle().ok()?.into_owned()))
            else {
                continue;
            };
            let _ = write!(said, "    {function}");
            if let Some(location) = frame.location
                && let (Some(file), Some(line)) = (location.file, location.line)
            {
                let _ = write!(said, " at {file}:{line}");
            }
            said.push('\n');
        }
    }
    if said.is_empty()
        && let Some(symbol) = names.find_symbol(own)
    {
        let _ = writeln!(said, "    {}", addr2line::demangle_auto(symbol.into(), None));
    }
    said
}

#[cfg(target_arch = "x86_64")]
fn registers(stack: &Stack) -> UnwindRegsNative {
    UnwindRegsNative::new(stack.pc, stack.sp, stack.fp)
}

#[cfg(target_arch = "aarch64")]
fn registers(stack: &Stack) -> UnwindRegsNative {
    UnwindRegsNative::new(stack.lr, stack.sp, stack.fp)
}

/// A part of a file in memory: start, end, offset in the file, and whether it is code.
type Mapping = (u64, u64, u64, bool);

/// The files that are mapped.
fn mapped(maps: &str) -> BTreeMap<&str, Vec<Mapping>> {
    let mut files: BTreeMap<&str, Vec<Mapping>> = BTreeMap::new();
    for line in maps.lines() {
        let Some(path) = line.find('/').map(|at| &line[at..]) else { continue };
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let mapping = words[0].split_once('-').and_then(|(start, end)| {
            Some((number(start)?, number(end)?, number(words.get(2)?)?, words.get(1)?.contains('x')))
        });
        files.entry(path).or_default().extend(mapping);
    }
    files.retain(|_, mappings| mappings.iter().any(|(.., is_code)| *is_code));
    files
}

fn read(path: &str, mappings: &[Mapping]) -> Option<(Image, Module<Vec<u8>>)> {
    let cache = ReadCache::new(File::open(path).ok()?);
    let object = object::File::parse(&cache).ok()?;
    let (code_start, code_end, code_offset, _) = *mappings.iter().find(|(.., is_code)| *is_code)?;
    let bias = object.segments().find_map(|segment| {
        let (offset, _) = segment.file_range();
        let within = offset.checked_sub(code_offset).filter(|within| *within < code_end - code_start)?;
        Some((code_start + within).wrapping_sub(segment.address()))
    })?;
    let start = mappings.iter().map(|(start, ..)| *start).min()?;
    let end = mappings.iter().map(|(_, end, ..)| *end).max()?;
    let section = |name: &str| object.section_by_name(name);
    let range = |name: &str| section(name).map(|found| found.address()..found.address() + found.size());
    let data = |name: &str| Some(section(name)?.uncompressed_data().ok()?.into_owned());
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: range(".text"),
        got_svma: range(".got"),
        eh_frame_svma: range(".eh_frame"),
        eh_frame: data(".eh_frame"),
        eh_frame_hdr_svma: range(".eh_frame_hdr"),
        eh_frame_hdr: data(".eh_frame_hdr"),
        ..ExplicitModuleSectionInfo::default()
    };
    let module = Module::new(path.to_owned(), start..end, bias, sections);
    Some((Image { path: path.to_owned(), start, end, bias, names: None }, module))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[inline(never)]
    fn waits_here(told: &std::sync::mpsc::Sender<u32>, end: &std::sync::mpsc::Receiver<()>) {
        told.send(rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned()).unwrap();
        let _ = end.recv();
    }

    /// A thread that blocks all signals until the other end is dropped, and its number.
    fn deaf() -> (thread::JoinHandle<()>, u32, std::sync::mpsc::Sender<()>) {
        let ((told, heard), (go_on, end)) = (channel(), channel());
        let deaf = thread::spawn(move || {
            let _held = crate::client::SignalsHeld::new();
            waits_here(&told, &end);
        });
        let thread = heard.recv().unwrap();
        (deaf, thread, go_on)
    }

    #[test]
    fn one_that_blocks_signals_hides_no_other_and_keeps_no_signal() {
        let (silent, thread, end_silent) = deaf();
        let ((told, heard), (go_on, end)) = (channel(), channel());
        let waits = thread::spawn(move || waits_here(&told, &end));
        let jobs = [thread, heard.recv().unwrap()].map(|thread| Traced { jid: format!("of-{thread}"), thread });
        let mut said = Vec::new();
        trace(&jobs, |line| said.push(line));
        assert!(said[0].contains("does not answer"), "{said:?}");
        assert!(said[1].contains("is in\n"), "{said:?}");
        let status = fs::read_to_string(format!("/proc/self/task/{thread}/status")).unwrap();
        let pending = status.lines().find_map(|line| line.strip_prefix("SigPnd:")).unwrap();
        assert_eq!(u64::from_str_radix(pending.trim(), 16), Ok(0));
        drop((go_on, end_silent));
        waits.join().unwrap();
        silent.join().unwrap();
    }

    #[test]
    fn a_thread_says_what_it_was_called_by() {
        let ((told, heard), (go_on, end)) = (channel(), channel());
        let waits = thread::Builder::new().name("waits".to_owned()).spawn(move || waits_here(&told, &end)).unwrap();
        let thread = heard.recv().unwrap();
        let mut said = String::new();
        trace(&[Traced { jid: "j".to_owned(), thread }], |line| said += &line);
        assert!(said.starts_with(&format!("job j, thread {thread} (waits) is in\n")), "{said}");
        let own =
            said.lines().find(|line| line.contains("traces::tests::waits_here")).unwrap_or_else(|| panic!("{said}"));
        assert!(own.contains("traces.rs:"), "{said}");
        go_on.send(()).unwrap();
        waits.join().unwrap();
        said.clear();
        trace(&[Traced { jid: "j".to_owned(), thread }], |line| said += &line);
        assert!(said.contains("has ended"), "{said}");
    }
}
