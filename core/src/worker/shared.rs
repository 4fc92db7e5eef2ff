//! What a worker's threads share: the shift behind one lock, and the bells by which they wake each other.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::last_resort::Host;
use super::news::News;
use super::options::WorkerOptions;
use super::patterns::{self, Served};
use super::shift::Shift;
use super::signals::Told;
use super::strategy::{Queues, Strategy};
use super::supervised::Link;
use super::supervisor::Word;
use crate::client::{Client, Lane};
use crate::error::Result;
use crate::identity;
use crate::middleware::{Hooked, Hooks, Lines, Log, Statsd};

/// How long a native thread's lane tries before the thread looks around: whether to leave, and whether to pulse first.
const PATIENCE: Duration = Duration::from_secs(2);

/// Most jobs of a status.
const MOST_JOBS: usize = 100;

/// The queues that are served now, and where their wake tokens come.
pub struct Wakes {
    pub queues: Vec<String>,
    /// Those that the worker's entries stand for, as far as was looked up, of which the host may want only some asked.
    pub serving: Vec<String>,
    /// The wake list of each queue, in this order: of several tokens the first queue's comes first. Before them, of a worker
    /// on patterns, the list that tells of new queues.
    pub keys: Vec<String>,
}

/// The queues that the worker's entries stand for, and the host's order of them.
struct Line {
    /// None before the first lookup of a worker on patterns.
    served: Served,
    order: Option<Vec<String>>,
    /// What is named while there is no queue.
    stand_in: String,
}

impl Line {
    fn new(options: &WorkerOptions) -> Line {
        let follows = options.follows();
        let served = if follows { Served::default() } else { Served::plain(options.queues.clone()) };
        // What patterns stand for a host must have seen before it can choose.
        let order = (follows && options.strategy == Strategy::Callback).then(Vec::new);
        Line { served, order, stand_in: options.queues.first().cloned().unwrap_or_default() }
    }

    /// What is asked.
    fn asked(&self) -> Served {
        if self.served.names.is_empty() {
            // A call needs a queue: until there is one, that of the pattern's own name.
            return Served::plain(vec![self.stand_in.clone()]);
        }
        let Some(order) = &self.order else { return self.served.clone() };
        let mut left: HashSet<&String> = self.served.names.iter().collect();
        Served::plain(order.iter().filter(|name| left.remove(name)).cloned().collect())
    }
}

/// One worker in one process.
pub struct Shared {
    pub name: String,
    pub client: Client,
    pub options: WorkerOptions,
    shift: Mutex<Shift>,
    wakes: Mutex<Arc<Wakes>>,
    /// Which queues there are for the worker, and in which order the host wants some of them asked.
    line: Mutex<Line>, // locked before the shift
    /// Threads in `next`.
    pub hosts: Bell,
    pub runner: Bell,
    pub waiter: Bell,
    /// Whoever waits for the end: of the started jobs, of the native threads.
    pub end: Bell,
    /// The host, when it wants to be called.
    pub news: News,
    /// The connection on which the waiter blocks, as Redis numbers it; 0 before the first.
    pub blocked: AtomicI64,
    pub hooks: Hooked,
    pub lines: Lines,
    since: Instant,
    /// Signals of the master that the host has not looked at.
    pub told: Told,
    /// The master, when there is one.
    pub link: OnceLock<Arc<Link>>,
    pub host: Host,
}

impl Wakes {
    fn new(client: &Client, served: &Served, serving: &Served, follows: bool) -> Wakes {
        let news = follows.then(|| client.new_queues_key());
        let keys = news.into_iter().chain(served.names.iter().map(|queue| client.wake_key(queue)));
        Wakes { queues: served.names.clone(), serving: serving.names.clone(), keys: keys.collect() }
    }

    /// Which of the queues this list belongs to; None: it tells of new queues.
    pub fn queue_of(&self, key: &str) -> Option<usize> {
        let at = self.keys.iter().position(|known| known == key)?;
        at.checked_sub(self.keys.len() - self.queues.len())
    }
}

impl Shared {
    pub fn new(client: Client, options: WorkerOptions) -> Shared {
        let name = identity::worker();
        let line = Line::new(&options);
        let asked = line.asked();
        let queues =
            Queues::new(&asked, options.strategy).weighing(options.weights.clone()).looking_after(options.interval);
        let shift = Shift::new(name.clone(), queues, options.threads, Instant::now())
            .limited(options.timeouts.clone(), options.max_jobs);
        let lines = Lines::to_stderr();
        let hooks = Hooked::new(name.clone(), observers(&options, &lines), lines.clone());
        let follows = options.follows();
        let wakes = Wakes::new(&client, &asked, &line.served, follows);
        Shared {
            name,
            client,
            options,
            shift: Mutex::new(if follows { shift.following() } else { shift }),
            wakes: Mutex::new(Arc::new(wakes)),
            line: Mutex::new(line),
            hosts: Bell::default(),
            runner: Bell::default(),
            waiter: Bell::default(),
            end: Bell::default(),
            news: News::default(),
            blocked: AtomicI64::new(0),
            hooks,
            lines,
            since: Instant::now(),
            told: Told::default(),
            link: OnceLock::new(),
            host: Host::default(),
        }
    }

    /// The shift, locked. Nothing waits for a socket while it holds this.
    pub fn shift(&self) -> MutexGuard<'_, Shift> {
        self.shift.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queues that are served now.
    pub fn wakes(&self) -> Arc<Wakes> {
        Arc::clone(&self.wakes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Jobs come from these queues from now on: those that the worker's patterns stand for in this version.
    pub fn serve(&self, served: Served, queues_version: i64) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        line.served = served;
        let asked = line.asked();
        let wakes = Arc::new(Wakes::new(&self.client, &asked, &line.served, true));
        let mut shift = self.shift();
        *self.wakes.lock().unwrap_or_else(PoisonError::into_inner) = wakes;
        shift.serve(&asked, queues_version, Instant::now());
        self.announce(shift, 0);
    }

    /// Looks up the queues that the worker's entries stand for, and the version of the set of queues.
    pub fn resolve(&self, lane: &mut Lane) -> Result<(i64, Served)> {
        let (version, known) = lane.queues()?;
        Ok((version, patterns::resolve(&self.options.queues, &known, &lane.patterns()?)))
    }

    /// The queues that the worker's entries stand for; never a pattern.
    pub fn serving(&self) -> Vec<String> {
        self.wakes().serving.clone()
    }

    /// Asks these of them from now on, in this order. When it is another than before, the runner ends the waiter's blocking
    /// call on the old ones.
    pub fn set_order(&self, order: Vec<String>) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        if line.order.as_ref() == Some(&order) {
            return;
        }
        line.order = Some(order);
        let asked = line.asked();
        if asked.names == self.wakes().queues {
            return;
        }
        let wakes = Arc::new(Wakes::new(&self.client, &asked, &line.served, self.options.follows()));
        let mut shift = self.shift();
        *self.wakes.lock().unwrap_or_else(PoisonError::into_inner) = wakes;
        shift.reorder(&asked, self.blocked.load(Ordering::Acquire) != 0);
        self.announce(shift, 0);
    }

    /// Sleeps until `ended` is true of the shift, at most until then (None: for ever).
    pub fn wait_for_end(&self, until: Option<Instant>, ended: impl Fn(&Shift) -> bool) {
        let mut shift = self.shift();
        while !ended(&shift) && until.is_none_or(|until| Instant::now() < until) {
            shift = self.end.wait(shift, until);
        }
    }

    /// The worker's status, as a pulse tells it.
    pub fn status(&self, shift: &Shift) -> String {
        let WorkerOptions { threads, language, .. } = &self.options;
        // Of a worker that serves no queue its patterns say more.
        let queues = Some(self.serving()).filter(|queues| !queues.is_empty());
        let now = Instant::now();
        let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let jobs: Vec<_> = shift
            .hand
            .oldest_started(MOST_JOBS, now)
            .map(|(jid, kind, queue, ran)| serde_json::json!({"jid": jid, "kind": kind, "queue": queue, "since_ms": ms(ran)}))
            .collect();
        serde_json::json!({
            "since_ms": ms(now.saturating_duration_since(self.since)),
            "memory": identity::memory(),
            "paused": shift.duty.is_paused(),
            "jobs": jobs,
            "language": language,
            "version": env!("CARGO_PKG_VERSION"),
            "host": identity::host(),
            "pid": std::process::id(),
            "threads": threads,
            "queues": queues.as_ref().unwrap_or(&self.options.queues),
            "kinds": shift.hand.kinds.known(&self.options.kinds),
            "running": shift.hand.started(),
            "quiet": shift.duty.has_ended(),
            "heard": shift.duty.heard(),
        })
        .to_string()
    }

    /// Tells the master, if there is one, when a successor is needed soon, so that there is time for it to come up.
    pub fn report_start(&self, shift: &Shift) {
        if let Some(link) = self.link.get()
            && shift.fetch.wants_successor()
        {
            link.say(Word::Spent);
        }
    }

    /// Tells the master, if there is one, that the worker takes jobs, and when a handler does not end.
    pub fn report_pulse(&self, shift: &Shift, now: Instant) {
        let Some(link) = self.link.get() else { return };
        link.say(Word::Ready);
        if shift.hand.is_stuck(now) {
            link.say(Word::Stuck);
        }
    }

    /// The same at once: who has just learned of it may end the process before the next pulse, and that is no crash.
    pub fn report_stuck(&self) {
        self.host.knows.store(true, Ordering::Relaxed);
        if let Some(link) = self.link.get() {
            link.say(Word::Stuck);
        }
    }

    /// A connection of a native thread's own.
    pub fn lane(&self) -> Lane {
        self.client.lane().with_timeout(PATIENCE)
    }

    /// Wakes the waiter if there is something for it to do.
    pub fn ring_waiter(&self, shift: &mut Shift, now: Instant) {
        if shift.must_ring_waiter(now) {
            self.waiter.ring();
        }
    }

    /// Lets go of the shift after an answer, and wakes whom it concerns: `came` jobs came.
    pub fn announce(&self, mut shift: MutexGuard<'_, Shift>, came: usize) {
        let (fault, news) = (shift.fault().is_some(), shift.has_news());
        let jobs = came.min(shift.fetch.waiting());
        let waiter = shift.must_ring_waiter(Instant::now());
        let (notice, losses) = (shift.take_notice(), shift.take_losses());
        let runner = shift.wants_runner() || shift.in_trouble();
        drop(shift);
        // A drain waits for answers.
        self.end.ring();
        if news {
            self.news.ring();
        }
        if fault {
            self.hosts.ring_all();
        }
        for _ in 0..jobs {
            self.hosts.ring();
        }
        if waiter {
            self.waiter.ring();
        }
        if runner {
            self.runner.ring();
        }
        if let Some(notice) = notice {
            self.lines.say(format!("manyhands: {notice}\n"));
        }
        for (lease, reason) in losses {
            self.hooks.lost(&self.name, lease, reason);
        }
    }
}

/// What the options want to be told to.
fn observers(options: &WorkerOptions, lines: &Lines) -> Vec<Box<dyn Hooks>> {
    let log = options.log.map(|format| Box::new(Log::new(format, options.verbose, lines.clone())) as Box<dyn Hooks>);
    let statsd = options.statsd.clone().map(|statsd| Box::new(Statsd::new(statsd, lines.clone())) as Box<dyn Hooks>);
    log.into_iter().chain(statsd).collect()
}

/// Threads sleep here on the shift's lock until it rings. Ringing where nobody sleeps costs next to nothing.
#[derive(Default)]
pub struct Bell {
    condvar: Condvar,
    /// Counted up under the lock before it is let go, so that no ring after a change is missed.
    sleepers: AtomicUsize,
}

impl Bell {
    /// Sleeps until a ring, at most until then (None: for ever). May wake for nothing.
    pub fn wait<'a>(&self, shift: MutexGuard<'a, Shift>, until: Option<Instant>) -> MutexGuard<'a, Shift> {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
        let shift = match until {
            None => self.condvar.wait(shift).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let span = until.saturating_duration_since(Instant::now());
                self.condvar.wait_timeout(shift, span).unwrap_or_else(PoisonError::into_inner).0
            }
        };
        self.sleepers.fetch_sub(1, Ordering::Relaxed);
        shift
    }

    /// Wakes one sleeper.
    pub fn ring(&self) {
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.condvar.notify_one();
        }
    }

    /// Wakes all sleepers.
    pub fn ring_all(&self) {
        self.condvar.notify_all();
    }
}
