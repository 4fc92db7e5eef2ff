//! Where the threads of running handlers are: backtraces, on machines that have them.

use std::fs;
use std::time::{Duration, Instant};

use super::backtrace::{self, Images, Stack};
use crate::middleware::{Aside, Lines};
use crate::native;

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
                say(format!("job {jid}, thread {thread} ({name}) {}\n", backtrace::SILENT));
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
    if native::is_ours(job.thread) {
        return Place::Future;
    }
    match backtrace::stack(job.thread, Instant::now() + PATIENCE) {
        Some(stack) => Place::In(name, stack),
        // It was ending: it is still listed for a moment after it can be joined.
        None if self::name(job.thread).is_none() => Place::Gone,
        None => Place::Silent(name),
    }
}

fn name(thread: u32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/self/task/{thread}/comm")).ok()?.trim_end().to_owned())
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    #[inline(never)]
    fn waits_here(told: &std::sync::mpsc::Sender<u32>, end: &std::sync::mpsc::Receiver<()>) {
        told.send(native::this_thread()).unwrap();
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
        // Of the program's own, whatever its name.
        let waits = thread::Builder::new().name("mh-x".to_owned()).spawn(move || waits_here(&told, &end)).unwrap();
        let thread = heard.recv().unwrap();
        let mut said = String::new();
        trace(&[Traced { jid: "j".to_owned(), thread }], |line| said += &line);
        assert!(said.starts_with(&format!("job j, thread {thread} (mh-x) is in\n")), "{said}");
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
