//! The model: what there is, and how a job moves. No indexes, no bounds on work: everything is looked up by looking at
//! every job. Written from the rules of the design (§4.2) and the headers of the operations.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

/// Longest history of a job.
const HISTORY: usize = 100;
/// Retries of a job that does not say.
pub const RETRIES: i64 = 5;

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Waiting,
    Scheduled,
    Blocked,
    Throttled,
    Running,
    Failed,
    Completed,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Scheduled => "scheduled",
            State::Blocked => "blocked",
            State::Throttled => "throttled",
            State::Running => "running",
            State::Failed => "failed",
            State::Completed => "completed",
        }
    }

    /// It takes part in the limits of its throttles: it has them, or may take them next.
    fn claims(self) -> bool {
        matches!(self, State::Waiting | State::Running)
    }

    pub fn is_over(self) -> bool {
        matches!(self, State::Failed | State::Completed)
    }
}

/// A job.
#[derive(Clone, Debug)]
pub struct Job {
    pub kind: String,
    pub queue: String,
    pub state: State,
    pub data: Json,
    pub result: Json,
    pub priority: i64,
    pub seq: u64,
    pub retries: i64,
    pub remaining: i64,
    pub snoozes: u32,
    pub put_at: i64,
    pub ready_at: i64,
    pub tags: Vec<String>,
    pub route: Vec<String>,
    pub throttles: Vec<String>,
    /// The throttle it waits for, while throttled.
    pub pending: Option<String>,
    pub tracked: bool,
    pub parent: Option<String>,
    pub progress: Json,
    pub failure: Json,
    pub history: Vec<Json>,
    /// The last run: its token (0: none yet), and how it was lost.
    pub token: i64,
    pub lost: Option<&'static str>,
    pub worker: String,
    pub reserved_at: i64,
    pub lease_until: i64,
    pub grace_until: Option<i64>,
    pub group: String,
    pub ended_at: i64,
    /// Its throttles were set anew in the call in progress.
    rethrottled: bool,
}

impl Job {
    pub fn new(kind: &str, queue: &str, data: Json, now: i64) -> Job {
        Job {
            kind: kind.into(),
            queue: queue.into(),
            state: State::Waiting,
            data,
            result: Json::Null,
            priority: 0,
            seq: 0,
            retries: RETRIES,
            remaining: RETRIES,
            snoozes: 0,
            put_at: now,
            ready_at: now,
            tags: vec![],
            route: vec![],
            throttles: vec![],
            pending: None,
            tracked: false,
            parent: None,
            progress: Json::Null,
            failure: Json::Null,
            history: vec![json!({"what": "put", "at_ms": now, "queue": queue})],
            token: 0,
            lost: None,
            worker: String::new(),
            reserved_at: 0,
            lease_until: 0,
            grace_until: None,
            group: String::new(),
            ended_at: 0,
            rethrottled: false,
        }
    }

    /// Its place in line.
    pub fn place(&self) -> (Reverse<i64>, u64) {
        (Reverse(self.priority), self.seq)
    }

    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    pub fn is_stalled(&self, now: i64) -> bool {
        self.is_running() && (self.grace_until.is_some() || self.lease_until <= now)
    }

    pub fn set_throttles(&mut self, ids: Vec<String>) {
        self.throttles = ids;
        self.rethrottled = true;
    }

    pub fn note(&mut self, entry: Json) {
        self.history.push(entry);
        if self.history.len() > HISTORY {
            self.history.remove(1); // the first is kept
        }
    }
}

/// A recurring job.
#[derive(Clone, Debug)]
pub struct Template {
    pub kind: String,
    pub queue: String,
    pub data: Json,
    pub interval: i64,
    pub next_at: i64,
    pub count: i64,
    pub backlog: i64,
    pub paused: bool,
    pub options: BTreeMap<String, Json>,
}

/// What happened in a queue on a day.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub waits: Vec<i64>,
    pub runs: Vec<i64>,
    pub failures: i64,
    pub retries: i64,
}

/// What the call in progress found before it changed it.
#[derive(Clone, Debug)]
struct Before {
    state: State,
    queue: String,
    throttles: Vec<String>,
}

/// Everything in a namespace.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub now: i64,
    pub seq: u64,
    pub token: i64,
    pub jobs: BTreeMap<String, Job>,
    /// Who waits for whom, since when.
    pub links: BTreeMap<(String, String), i64>,
    pub templates: BTreeMap<String, Template>,
    /// By id or `queue:<name>`: the limit, and until when.
    pub throttles: BTreeMap<String, (i64, Option<i64>)>,
    /// Throttles whose pending jobs are looked at again at an instant.
    pub freeing: BTreeMap<String, i64>,
    pub paused: BTreeSet<String>,
    /// Queues, since when.
    pub queues: BTreeMap<String, i64>,
    /// By name, or `name:queue`.
    pub config: BTreeMap<String, i64>,
    /// The last pulse, or minus the instant of the loss.
    pub workers: BTreeMap<String, i64>,
    pub kinds: BTreeMap<String, i64>,
    /// What the workers say of themselves.
    pub statuses: BTreeMap<String, Json>,
    /// By day and queue.
    pub figures: BTreeMap<(i64, String), Figures>,
    pub cancelled: BTreeMap<String, i64>,
    /// Every lease there was.
    pub leases: Vec<(String, i64)>,
    unit: BTreeMap<String, Option<Before>>,
    placeless: Vec<String>,
}

pub fn day_of(instant: i64) -> i64 {
    instant.div_euclid(86_400_000)
}

pub fn of_queue(queue: &str) -> String {
    format!("queue:{queue}")
}

impl World {
    pub fn setting(&self, name: &str, queue: &str) -> i64 {
        let default = match name {
            "heartbeat" => 60_000,
            "grace-period" => 10_000,
            "jobs-history" => 7 * 86_400_000,
            "jobs-history-count" => 50_000,
            other => panic!("the model has no setting {other}"),
        };
        let own = self.config.get(&format!("{name}:{queue}"));
        *own.or_else(|| self.config.get(name)).unwrap_or(&default)
    }

    /// The jids of the jobs that `wanted` picks, ordered by `order`.
    pub fn pick<K: Ord>(&self, wanted: impl Fn(&Job) -> bool, order: impl Fn(&str, &Job) -> K) -> Vec<String> {
        let mut found: Vec<_> = self.jobs.iter().filter(|(_, job)| wanted(job)).collect();
        found.sort_by_key(|(jid, job)| order(jid, job));
        found.into_iter().map(|(jid, _)| jid.clone()).collect()
    }

    pub fn waiting(&self, queue: &str) -> Vec<String> {
        self.pick(|job| job.state == State::Waiting && job.queue == queue, |_, job| job.place())
    }

    /// A job that the call in progress may change.
    pub fn edit(&mut self, jid: &str) -> &mut Job {
        let job = self.jobs.get_mut(jid).expect("the job is there");
        if !self.unit.contains_key(jid) {
            let before = Before { state: job.state, queue: job.queue.clone(), throttles: job.throttles.clone() };
            self.unit.insert(jid.into(), Some(before));
            job.rethrottled = false;
        }
        job
    }

    /// A new job; what was there before is replaced.
    pub fn insert(&mut self, jid: &str, mut job: Job) {
        if self.jobs.contains_key(jid) {
            self.edit(jid);
            job.rethrottled = true;
        } else {
            self.unit.entry(jid.into()).or_insert(None);
        }
        self.jobs.insert(jid.into(), job);
    }

    pub fn remove(&mut self, jid: &str) {
        self.edit(jid);
        self.jobs.remove(jid);
    }

    pub fn wait(&mut self, jid: &str, ready_at: i64, keep_place: bool) {
        let job = self.edit(jid);
        job.state = State::Waiting;
        job.ready_at = ready_at;
        job.grace_until = None;
        job.pending = None;
        if !keep_place {
            self.placeless.push(jid.into());
        }
    }

    pub fn schedule(&mut self, jid: &str, due: i64) {
        self.wait(jid, due, false);
        self.edit(jid).state = State::Scheduled;
    }

    pub fn block(&mut self, jid: &str, due: i64) {
        self.wait(jid, due, true);
        self.edit(jid).state = State::Blocked;
    }

    pub fn wait_after(&mut self, jid: &str, delay: i64) -> &'static str {
        let now = self.now;
        if delay > 0 {
            self.schedule(jid, now + delay);
            return "scheduled";
        }
        self.wait(jid, now, false);
        "waiting"
    }

    /// Into a queue as by a new put: at the end of the line, with all its retries.
    pub fn enter(&mut self, jid: &str, queue: &str, delay: i64, blocked: bool) -> &'static str {
        let now = self.now;
        let job = self.edit(jid);
        job.queue = queue.into();
        job.put_at = now;
        job.remaining = job.retries;
        job.snoozes = 0;
        job.progress = Json::Null;
        job.note(json!({"what": "put", "at_ms": now, "queue": queue}));
        if blocked {
            self.block(jid, now + delay);
            return "blocked";
        }
        self.wait_after(jid, delay)
    }

    /// The same from any state; who runs it loses it.
    pub fn place_again(&mut self, jid: &str, queue: &str, delay: i64, blocked: bool) -> &'static str {
        let now = self.now;
        let job = self.edit(jid);
        if job.is_running() {
            job.lost = Some("replaced");
        }
        if !job.state.is_over() {
            job.note(json!({"what": "requeued", "at_ms": now}));
        }
        self.enter(jid, queue, delay, blocked)
    }

    pub fn fail(&mut self, jid: &str, group: &str, message: &str, trace: &str) {
        let now = self.now;
        self.note_failure(jid, group, message, trace);
        let job = self.edit(jid);
        job.note(json!({"what": "failed", "at_ms": now, "group": group}));
        job.state = State::Failed;
        job.group = group.into();
        job.grace_until = None;
        job.ended_at = now;
    }

    pub fn note_failure(&mut self, jid: &str, group: &str, message: &str, trace: &str) {
        let now = self.now;
        let job = self.edit(jid);
        job.failure =
            json!({"group": group, "message": message, "trace": trace, "at_ms": now, "worker": job.worker.clone()});
    }

    /// The end of a step of a call: places in line are given out, and what was let go of calls others forward.
    pub fn commit(&mut self) {
        for jid in std::mem::take(&mut self.placeless) {
            self.seq += 1;
            if let Some(job) = self.jobs.get_mut(&jid) {
                job.seq = self.seq;
            }
        }
        let mut freed = BTreeSet::new();
        for (jid, before) in std::mem::take(&mut self.unit) {
            if let Some(job) = self.jobs.get(&jid).filter(|job| !job.is_running() && !job.state.is_over()) {
                self.queues.entry(job.queue.clone()).or_insert(self.now);
            }
            let Some(before) = before.filter(|before| before.state.claims()) else { continue };
            let after = self.jobs.get(&jid);
            let keeps = after.is_some_and(|job| {
                job.state.claims() && !job.rethrottled && (before.state == State::Waiting || job.is_running())
            });
            if !keeps {
                freed.extend(before.throttles);
            }
            if !after.is_some_and(|job| job.is_running() && job.queue == before.queue) {
                freed.insert(of_queue(&before.queue));
            }
        }
        for id in freed {
            self.call_forward(&id, false);
        }
    }
}
