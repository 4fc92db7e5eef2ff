//! What the harness asks of a program in Rust. README.md says what each mode is.

use std::error::Error;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The arguments, and what was started so far.
pub struct Protocol {
    pub socket: String,
    pub jobs: usize,
    pub payload: String,
    mode: String,
    started: AtomicUsize,
    begun: OnceLock<f64>,
}

impl Protocol {
    pub fn new() -> Result<Protocol, Box<dyn Error>> {
        let arguments: Vec<String> = std::env::args().collect();
        let [_, socket, jobs, size, mode] = arguments.as_slice() else { return Err("SOCKET JOBS SIZE MODE".into()) };
        Ok(Protocol {
            socket: socket.clone(),
            jobs: jobs.parse()?,
            payload: "x".repeat(size.parse::<usize>()? - 2),
            mode: mode.clone(),
            started: AtomicUsize::new(0),
            begun: OnceLock::new(),
        })
    }

    pub fn puts(&self) -> bool {
        ["put", "putter"].contains(&self.mode.as_str())
    }

    /// Calls `bulk` until all jobs are put, with how many, at most `at_once`; or `one` for each line that comes.
    pub fn put<E: Into<Box<dyn Error>>>(
        &self,
        at_once: usize,
        mut bulk: impl FnMut(usize) -> Result<(), E>,
        mut one: impl FnMut() -> Result<(), E>,
    ) -> Result<(), Box<dyn Error>> {
        if self.mode == "put" {
            let begun = seconds();
            for first in (0..self.jobs).step_by(at_once) {
                bulk(at_once.min(self.jobs - first)).map_err(Into::into)?;
            }
            say(seconds() - begun);
            return Ok(());
        }
        for _ in std::io::stdin().lines() {
            let begun = seconds();
            one().map_err(Into::into)?;
            say(begun);
        }
        Ok(())
    }

    /// What every job does; true when the worker is to end as its users would end it.
    pub fn start(&self) -> bool {
        let now = seconds();
        if self.mode != "drain" {
            say(now);
            if self.mode == "hold" {
                std::thread::sleep(std::time::Duration::from_secs(3600));
            }
            return false;
        }
        let begun = *self.begun.get_or_init(|| now);
        let last = self.started.fetch_add(1, Ordering::Relaxed) + 1 == self.jobs;
        if last {
            say(now - begun);
        }
        last
    }
}

fn say(seconds: f64) {
    println!("{seconds:.6}");
}

/// By the clock that all processes share.
fn seconds() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is ours, and the clock is one that Linux always has.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
