//! What a master does when: which processes there are, who is asked to end, and what that costs the jobs of a dead one.
//!
//! No clock, no process, no socket: events come in with their time (milliseconds of a clock that never goes back), actions
//! go out. Processes have numbers of our own, which are never used again as pids are.

mod cause;
mod place;
mod stop;

use std::collections::{BTreeMap, VecDeque};

use super::event::{Action, Ended, Event, Number, Rules};
use super::word::{Signal, Word};
use cause::{Cause, spends, told};
use place::Place;
use stop::Stop;

/// A process that ended sooner after it was ready had not proved itself: its successor may wait.
const PROVED_MS: u64 = 10_000;
/// What a process has beyond the time it was given, before it is killed: it ends by itself first.
const MARGIN_MS: u64 = 1_000;
/// Most processes of one place: one that serves and one that comes or goes.
const MOST_IN_PLACE: usize = 2;
/// Most processes that come up at once: more would only be slower, and a signal would wait for all of them.
const MOST_COMING_UP: usize = 16;
/// The status of a master whose program cannot be started.
const NO_PROGRAM_STATUS: u8 = 127;

struct Process {
    place: usize,
    pid: Option<u32>,
    ready_at: Option<u64>,
    cause: Option<Cause>,
    kill_at: Option<u64>,
}

/// The state of a master.
pub struct Policy {
    rules: Rules,
    places: Vec<Place>,
    processes: BTreeMap<Number, Process>,
    last: Number,
    paused: bool,
    stop: Option<Stop>,
    /// Processes still to be replaced, one after another, after HUP.
    reload: VecDeque<Number>,
    was_ready: bool,
    any_started: bool,
    /// Since it is to stop.
    any_killed: bool,
    status: String,
    actions: Vec<Action>,
}

impl Policy {
    pub fn new(rules: Rules) -> Policy {
        Policy {
            rules,
            places: (0..rules.processes).map(|_| Place::default()).collect(),
            processes: BTreeMap::new(),
            last: 0,
            paused: false,
            stop: None,
            reload: VecDeque::new(),
            was_ready: false,
            any_started: false,
            any_killed: false,
            status: String::new(),
            actions: Vec::new(),
        }
    }

    /// Takes an event; answers what is to be done.
    pub fn on(&mut self, event: Event, now: u64) -> Vec<Action> {
        match event {
            Event::Tick => {}
            Event::Started { number, pid } => self.started(number, pid, now),
            Event::NotStarted { number, why } => self.not_started(number, &why, now),
            Event::Said { number, word } => self.said(number, word, now),
            Event::Weighed { number, memory } => self.weighed(number, memory),
            Event::Ended { number, how } => self.ended(number, how, now),
            Event::Signal(signal) => self.signal(signal, now),
        }
        self.kill_overdue(now);
        self.reload_next();
        self.fill(now);
        self.report();
        std::mem::take(&mut self.actions)
    }

    /// When the next tick is needed, if nothing happens until then.
    pub fn tick_at(&self) -> Option<u64> {
        let kills = self.processes.values().filter_map(|process| process.kill_at);
        let places = if self.room() > 0 { self.places.len() } else { 0 };
        let starts = (0..places).filter(|at| self.is_vacant(*at)).map(|at| self.places[at].start_at);
        kills.chain(starts).min()
    }

    fn started(&mut self, number: Number, pid: u32, now: u64) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        process.pid = Some(pid);
        self.any_started = true;
        if let Some(stop) = self.stop {
            self.end(number, stop, now);
        }
    }

    fn not_started(&mut self, number: Number, why: &str, now: u64) {
        let Some(process) = self.processes.remove(&number) else { return };
        if !self.any_started {
            self.say(format!("no process can be started: {why}"));
            self.stop = Some(Stop::Quit);
            self.actions.push(Action::Exit(NO_PROGRAM_STATUS));
            return;
        }
        if self.stop.is_some() {
            self.exit_when_alone();
            return;
        }
        let wait = self.places[process.place].failed(now);
        self.say(format!("a process cannot be started: {why}; {}", again(wait)));
    }

    fn said(&mut self, number: Number, word: Word, now: u64) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        let at = process.place;
        match word {
            Word::Ready => {
                process.ready_at.get_or_insert(now);
                if self.stop.is_some() {
                    return;
                }
                if let Some((predecessor, cause)) = self.places[at].predecessor.take_if(|(other, _)| *other != number) {
                    self.quit(predecessor, cause, now);
                }
            }
            // Both take no new jobs from now on, or soon: somebody else must.
            Word::Spent => self.leaves(number, Cause::Spent),
            Word::Stuck => {
                process.kill_at.get_or_insert(now + self.rules.shutdown_ms + self.rules.kill_ms + MARGIN_MS);
                let name = self.name(number);
                self.say(format!("{name} has a handler that does not end; it is replaced"));
                self.leaves(number, Cause::Stuck);
            }
        }
    }

    fn weighed(&mut self, number: Number, memory: u64) {
        let (Some(most), Some(process)) = (self.rules.memory, self.processes.get(&number)) else { return };
        let serves = process.ready_at.is_some() && process.cause.is_none();
        if memory > most && serves && self.stop.is_none() && self.replace(number, Cause::Memory) {
            let mib = |bytes: u64| bytes / (1024 * 1024);
            let name = self.name(number);
            self.say(format!("{name} has {} MB of memory, more than {}; it is replaced", mib(memory), mib(most)));
        }
    }

    fn ended(&mut self, number: Number, how: Ended, now: u64) {
        let name = self.name(number);
        let Some(process) = self.processes.remove(&number) else { return };
        self.actions.push(Action::Settle { number, spends: spends(process.cause, how) });
        let served = self.places[process.place].leave(number);
        if self.stop.is_some() {
            self.exit_when_alone();
            return;
        }
        let proved = process.ready_at.is_some_and(|at| now - at >= PROVED_MS);
        match process.cause {
            Some(Cause::Spent) if how == Ended::Status(0) => self.places[process.place].failures = 0,
            Some(Cause::Asked | Cause::Memory | Cause::Stuck) => {}
            // Another is there already.
            _ if !served => self.say(format!("{name} {}", told(how))),
            _ => {
                if proved {
                    self.places[process.place].failures = 0;
                }
                let wait = if proved { 0 } else { self.places[process.place].failed(now) };
                self.say(format!("{name} {}; {}", told(how), again(wait)));
            }
        }
    }

    /// Asks one process to end after its jobs, because another serves in its place.
    fn quit(&mut self, number: Number, cause: Cause, now: u64) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        process.cause.get_or_insert(cause);
        process.kill_at.get_or_insert(now + self.rules.shutdown_ms + MARGIN_MS);
        self.actions.push(Action::Tell { number, signal: Signal::Quit });
    }

    /// The process ends by itself: its place is free for another.
    fn leaves(&mut self, number: Number, cause: Cause) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        process.cause.get_or_insert(cause);
        self.places[process.place].leave(number);
    }

    /// Lets another come up before this one is asked to end; false when it is not the one that serves.
    fn replace(&mut self, number: Number, cause: Cause) -> bool {
        let Some(process) = self.processes.get(&number) else { return false };
        self.places[process.place].replace(number, cause)
    }

    /// One after another, so that the machine never holds twice as many processes.
    fn reload_next(&mut self) {
        while !self.places.iter().any(|place| matches!(place.predecessor, Some((_, Cause::Asked)))) {
            let Some(number) = self.reload.pop_front() else { return };
            self.replace(number, Cause::Asked);
        }
    }

    fn kill_overdue(&mut self, now: u64) {
        for (number, process) in &mut self.processes {
            if process.kill_at.take_if(|at| *at <= now).is_some() {
                self.any_killed = true;
                self.actions.push(Action::Kill { number: *number });
            }
        }
    }

    /// How many processes may be started now.
    fn room(&self) -> usize {
        let comes_up = |process: &&Process| process.ready_at.is_none() && process.cause.is_none();
        match self.stop {
            Some(_) => 0,
            None => MOST_COMING_UP.saturating_sub(self.processes.values().filter(comes_up).count()),
        }
    }

    fn is_vacant(&self, at: usize) -> bool {
        self.places[at].current.is_none()
            && self.processes.values().filter(|process| process.place == at).count() < MOST_IN_PLACE
    }

    fn fill(&mut self, now: u64) {
        let mut room = self.room();
        for at in 0..self.places.len() {
            if room > 0 && self.places[at].start_at <= now && self.is_vacant(at) {
                room -= 1;
                self.last += 1;
                let number = self.last;
                let process = Process { place: at, pid: None, ready_at: None, cause: None, kill_at: None };
                self.processes.insert(number, process);
                self.places[at].current = Some(number);
                let told = if self.paused { vec![Signal::Usr2] } else { Vec::new() };
                self.actions.push(Action::Start { number, told });
            }
        }
    }

    fn report(&mut self) {
        let serve = |place: &Place| {
            let one = |number| self.processes.get(&number).is_some_and(|process| process.ready_at.is_some());
            place.current.is_some_and(one) || place.predecessor.is_some_and(|(number, _)| one(number))
        };
        let serving = self.places.iter().filter(|place| serve(place)).count();
        let all = self.places.len();
        if serving == all && !self.was_ready && self.stop.is_none() {
            self.was_ready = true;
            self.actions.push(Action::Ready);
        }
        let status = match self.stop {
            Some(_) => format!("stopping; {} processes left", self.processes.len()),
            None if self.paused => format!("{serving} of {all} processes serve, paused"),
            None => format!("{serving} of {all} processes serve"),
        };
        if status != self.status {
            self.status.clone_from(&status);
            self.actions.push(Action::Status(status));
        }
    }

    fn tell_all(&mut self, signal: Signal) {
        // A line waits for a process that does not read yet; to kill and to describe there is nothing before it does.
        let lasts = matches!(signal, Signal::Usr2 | Signal::Cont);
        let heard = self.processes.iter().filter(|(_, process)| lasts || process.ready_at.is_some());
        self.actions.extend(heard.map(|(number, _)| Action::Tell { number: *number, signal }));
    }

    fn say(&mut self, line: String) {
        self.actions.push(Action::Say(line));
    }

    fn name(&self, number: Number) -> String {
        match self.processes.get(&number).and_then(|process| process.pid) {
            Some(pid) => format!("process {number} (pid {pid})"),
            None => format!("process {number}"),
        }
    }

    fn described(&self, number: Number) -> String {
        let process = &self.processes[&number];
        let what = match (process.cause, process.ready_at) {
            (Some(Cause::Spent), _) => "has begun all its jobs",
            (Some(Cause::Memory), _) => "ends for its memory",
            (Some(Cause::Stuck), _) => "has a handler that does not end",
            (Some(Cause::Asked), _) => "was asked to end",
            (None, Some(_)) => "serves",
            (None, None) => "comes up",
        };
        format!("{} {what}", self.name(number))
    }
}

fn again(wait_ms: u64) -> String {
    match wait_ms {
        0 => "another comes up".to_owned(),
        wait => format!("another comes up in {} s", wait / 1_000),
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
