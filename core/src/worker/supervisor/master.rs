//! Carries out what the policy decides, but for making processes: that is the host's, which forks or starts a program.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::Signal as SystemSignal;

use super::debts::Debts;
use super::event::{Action, Event, Number, Rules};
use super::lines::Lines;
use super::notify::Notify;
use super::policy::Policy;
use super::process::{self, Process, variables};
use super::signals::{Inbox, Signals};
use super::word::Signal;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::title;
use crate::worker::settings::{KILL_MS, SHUTDOWN_MS, WorkSettings};

/// How often memory is looked at.
const WEIGH_EVERY: Duration = Duration::from_secs(1);
/// Longest sleep: more than anybody waits for.
const LONGEST: Duration = Duration::from_secs(3_600);
/// How long it waits for a log that nobody reads.
const LAST_LINES: Duration = Duration::from_millis(500);
/// How long the end of a master waits for Redis to take back what its processes held.
const SETTLE: Duration = Duration::from_secs(2);

/// What only the host can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Make process `number`, which inherits these descriptors; then [`Supervisor::started`] or [`Supervisor::not_started`].
    ///
    /// [`Supervisor::started`]: super::Supervisor::started
    /// [`Supervisor::not_started`]: super::Supervisor::not_started
    Start {
        /// Which.
        number: Number,
        /// Its value for `MANYHANDS_SUPERVISOR_FD`.
        link: i32,
        /// Its value for `MANYHANDS_MARKS_FD`.
        marks: i32,
    },
    /// End with this status.
    Exit(u8),
}

impl Task {
    /// The variables that a process which is to be made must find in its environment.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        match self {
            Task::Start { link, marks, .. } => variables(*link, *marks).into(),
            Task::Exit(_) => Vec::new(),
        }
    }
}

impl std::fmt::Debug for Master {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Master({})", self.status)
    }
}

/// A master at work.
pub struct Master {
    policy: Policy,
    processes: BTreeMap<Number, Process>,
    debts: Debts,
    lines: Lines,
    notify: Notify,
    signals: Inbox,
    sender: Signals,
    begun: Instant,
    weigh_at: Option<Instant>,
    tasks: Vec<Task>,
    /// The wait is to end: the host wants it, or the status is another one.
    nudged: bool,
    /// The status to end with, and when at the latest.
    exit: Option<(u8, Instant)>,
    status: String,
    queues: Vec<String>,
    /// The process has a title of ours.
    titled: bool,
}

impl Master {
    pub fn new(client: &Client, settings: &WorkSettings) -> Result<Master> {
        let (signals, sender) =
            Inbox::new().map_err(|error| Error::internal(format!("the system gave no socket: {error}")))?;
        let now = Instant::now();
        let memory = (settings.max_memory_mb > 0).then_some(settings.max_memory_mb * 1024 * 1024);
        let shutdown_ms = settings.shutdown_ms.unwrap_or(SHUTDOWN_MS);
        let kill_ms = settings.kill_ms.unwrap_or(KILL_MS);
        let rules = Rules { processes: settings.processes, shutdown_ms, kill_ms, memory };
        Ok(Master {
            policy: Policy::new(rules),
            processes: BTreeMap::new(),
            debts: Debts::new(client),
            lines: Lines::default(),
            notify: Notify::from_environment(now),
            signals,
            sender,
            begun: now,
            weigh_at: memory.map(|_| now),
            tasks: Vec::new(),
            nudged: false,
            exit: None,
            status: String::new(),
            queues: settings.queues.clone(),
            titled: false,
        })
    }

    /// From now on the title of this process shows how the service does.
    pub fn show_title(&mut self) {
        self.titled = true;
        self.retitle();
    }

    fn retitle(&self) {
        if self.titled {
            // What a program serves when nobody says so its master does not know.
            let queues = match self.queues.as_slice() {
                [] => String::new(),
                queues => format!(" [{}]", queues.join(",")),
            };
            title::show(format!("manyhands master{queues} {}", self.status).trim_end());
        }
    }

    pub fn signals(&self) -> Signals {
        self.sender.clone()
    }

    /// How the service does, in a few words.
    pub fn status(&self) -> &str {
        &self.status
    }

    pub fn started(&mut self, number: Number, pid: u32) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        match process.started(pid) {
            Ok(()) => self.on(Event::Started { number, pid }),
            Err(error) => {
                process.signal(SystemSignal::KILL);
                self.lines.say(&format!("process {pid} cannot be followed: {error}"));
                self.not_started(number, "it cannot be followed");
            }
        }
    }

    pub fn spawn(&mut self, number: Number, command: &mut Command) -> io::Result<u32> {
        let process = self.processes.get(&number).ok_or(io::ErrorKind::NotFound)?;
        let made = process.spawn(command);
        match &made {
            Ok(pid) => self.started(number, *pid),
            Err(error) => self.not_started(number, &error.to_string()),
        }
        made
    }

    pub fn not_started(&mut self, number: Number, why: &str) {
        if self.processes.remove(&number).is_some() {
            self.on(Event::NotStarted { number, why: why.to_owned() });
        }
    }

    /// In the process that a fork made for this number: lets go of everything but what that one inherits.
    pub fn forked(&mut self, number: Number) {
        if let Some(process) = self.processes.remove(&number) {
            process.become_it();
        }
        self.processes.clear();
        // What waits is the master's to say.
        self.lines = Lines::default();
    }

    /// Looks after the processes until there is something for the host to do, or that time is over, or a signal came,
    /// or the status has changed.
    pub fn wait(&mut self, timeout: Duration) -> Vec<Task> {
        let until = Instant::now() + timeout.min(LONGEST);
        loop {
            self.look();
            let now = Instant::now();
            if std::mem::take(&mut self.nudged) || !self.tasks.is_empty() || until <= now {
                return std::mem::take(&mut self.tasks);
            }
            if !self.sleep(until, now) {
                return Vec::new();
            }
        }
    }

    /// Everything that is due.
    fn look(&mut self) {
        self.on(Event::Tick);
        for number in self.processes.keys().copied().collect::<Vec<_>>() {
            self.look_at(number);
        }
        // A signal concerns those that are ready: whoever has said so before it came was heard.
        let (signals, nudged) = self.signals.take();
        self.nudged |= nudged;
        for signal in signals {
            self.on(Event::Signal(signal));
        }
        if std::process::id() == 1 {
            process::wait_for_orphans(&self.processes);
        }
        self.lines.write();
        let now = Instant::now();
        self.weigh(now);
        self.notify.live(now);
        if let Some(line) = self.debts.settle(now) {
            self.lines.say(&line);
        }
        if let Some((status, by)) = self.exit
            && (self.debts.due_at().is_none() || by <= now)
        {
            self.lines.flush(now + LAST_LINES);
            self.tasks.push(Task::Exit(status));
            self.exit = None;
        }
    }

    fn look_at(&mut self, number: Number) {
        let Some(process) = self.processes.get_mut(&number) else { return };
        // In this order: what it said before it died is heard.
        let ended = process.ended();
        for word in process.hear() {
            self.on(Event::Said { number, word });
        }
        if let Some(how) = ended {
            self.on(Event::Ended { number, how });
        }
    }

    fn weigh(&mut self, now: Instant) {
        if self.weigh_at.is_none_or(|at| now < at) {
            return;
        }
        self.weigh_at = Some(now + WEIGH_EVERY);
        let memory = |(number, process): (&Number, &Process)| Some((*number, process.memory()?));
        for (number, memory) in self.processes.iter().filter_map(memory).collect::<Vec<_>>() {
            self.on(Event::Weighed { number, memory });
        }
    }

    /// Sleeps until something may have to be done; false when a signal of the host's ended it.
    fn sleep(&mut self, until: Instant, now: Instant) -> bool {
        let tick = self.policy.tick_at().map(|at| self.begun + Duration::from_millis(at));
        let exit = self.exit.map(|(_, by)| by);
        let moments = [Some(until), tick, exit, self.debts.due_at(), self.weigh_at, self.notify.live(now)];
        let wake = moments.into_iter().flatten().min().unwrap_or(until);
        // A millisecond more: the policy counts whole ones.
        let span = wake.saturating_duration_since(now) + Duration::from_millis(1);
        let span = Timespec::try_from(span).ok();
        let mut descriptors: Vec<PollFd<'_>> = self
            .processes
            .values()
            .flat_map(Process::news)
            .chain([self.signals.as_fd()])
            .map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN))
            .chain(self.lines.waits_for().map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)))
            .collect();
        rustix::event::poll(&mut descriptors, span.as_ref()) != Err(Errno::INTR)
    }

    fn on(&mut self, event: Event) {
        let now = self.begun.elapsed().as_millis() as u64;
        for action in self.policy.on(event, now) {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Start { number, told } => self.prepare(number, &told),
            Action::Tell { number, signal } => {
                self.processes.get(&number).inspect(|process| process.tell(signal));
            }
            Action::Terminate { number } => {
                self.processes.get(&number).inspect(|process| process.signal(SystemSignal::TERM));
            }
            Action::Kill { number } => {
                self.processes.get(&number).inspect(|process| process.signal(SystemSignal::KILL));
            }
            Action::Settle { number, spends } => {
                let left = self.processes.remove(&number).map_or(Vec::new(), |process| process.left());
                for mut left in left {
                    if !spends {
                        left.started.clear();
                    }
                    self.debts.add(left);
                }
            }
            Action::Ready => self.notify.tell("READY=1"),
            Action::Stopping => self.notify.tell("STOPPING=1"),
            Action::Status(status) => {
                self.notify.tell(&format!("STATUS={status}"));
                self.nudged |= self.status != status;
                self.status = status;
                self.retitle();
            }
            Action::Say(line) => self.lines.say(&line),
            Action::Exit(status) => self.exit = Some((status, Instant::now() + SETTLE)),
        }
    }

    fn prepare(&mut self, number: Number, told: &[Signal]) {
        match Process::new(told) {
            Ok(process) => {
                let (link, marks) = process.legacy();
                self.processes.insert(number, process);
                self.tasks.push(Task::Start { number, link, marks });
            }
            Err(error) => self.on(Event::NotStarted { number, why: error.to_string() }),
        }
    }
}
