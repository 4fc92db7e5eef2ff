//! The model: what there is, and how a job moves. No indexes: everything is looked up by looking at every job. Written
//! from the rules of the design (§4.2) and the headers of the operations.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::events::{Event, Turns};
use crate::job::{Job, State};

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
pub struct Before {
    pub state: State,
    pub queue: String,
    throttles: Vec<String>,
    pub worker: String,
    pub in_grace: bool,
    pub lease_until: i64,
}

/// A job that the call in progress may have changed.
#[derive(Clone, Debug)]
pub struct Touched {
    pub jid: String,
    /// None: it is new.
    pub before: Option<Before>,
    /// A new one took its place.
    pub replaced: bool,
    /// What it was when it disappeared, and whether somebody wanted that.
    pub gone: Option<Job>,
    pub cancelled: bool,
}

/// A job waits for another.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub since: i64,
    /// The other is completed, and has yet to free the one that waits.
    pub orphaned: bool,
}

/// What a completed job has yet to free: it had more dependents than one call frees.
#[derive(Clone, Debug)]
pub struct Leftover {
    pub at: i64,
    pub number: u64,
    pub jid: String,
    pub dependents: Vec<String>,
}

/// Everything in a namespace.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub now: i64,
    pub seq: u64,
    pub token: i64,
    pub jobs: BTreeMap<String, Job>,
    /// Who waits for whom.
    pub links: BTreeMap<(String, String), Link>,
    /// Those of the unit in progress.
    pub new_links: BTreeSet<(String, String)>,
    pub leftovers: Vec<Leftover>,
    /// How many dependents the call in progress may still free.
    pub free_budget: usize,
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
    /// What each worker is asked to do, and has not heard.
    pub orders: BTreeMap<String, Vec<(i64, String)>>,
    /// By day and queue.
    pub figures: BTreeMap<(i64, String), Figures>,
    pub cancelled: BTreeMap<String, i64>,
    /// Every lease there was.
    pub leases: Vec<(String, i64)>,
    /// Names of lists of queue patterns, and the order of serving.
    pub identifiers: Json,
    pub priorities: Vec<Json>,
    pub queues_version: i64,
    /// The setting `events` is `all`.
    pub all_events: bool,
    /// What the call in progress tells.
    pub events: Vec<Event>,
    pub turns: Turns,
    /// In the order in which they were touched.
    unit: Vec<Touched>,
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

    /// The same, each with its rank: those that are alike in order have the same.
    pub fn ranked<K: Ord>(&self, wanted: impl Fn(&Job) -> bool, order: impl Fn(&Job) -> K) -> Vec<(usize, String)> {
        let jids = self.pick(wanted, |jid, job| (order(job), jid.to_owned()));
        let mut rank = 0;
        let ranks: Vec<_> = (0..jids.len())
            .map(|index| {
                let is_other = index > 0 && order(&self.jobs[&jids[index]]) != order(&self.jobs[&jids[index - 1]]);
                rank += usize::from(is_other);
                rank
            })
            .collect();
        ranks.into_iter().zip(jids).collect()
    }

    pub fn waiting(&self, queue: &str) -> Vec<String> {
        self.pick(|job| job.state == State::Waiting && job.queue == queue, |_, job| job.place())
    }

    /// A job that the call in progress may change.
    pub fn edit(&mut self, jid: &str) -> &mut Job {
        let job = self.jobs.get_mut(jid).expect("the job is there");
        if !self.unit.iter().any(|touched| touched.jid == jid) {
            let before = Before {
                state: job.state,
                queue: job.queue.clone(),
                throttles: job.throttles.clone(),
                worker: job.worker.clone(),
                in_grace: job.grace_until.is_some(),
                lease_until: job.lease_until,
            };
            self.unit.push(Touched::new(jid, Some(before)));
            job.rethrottled = false;
        }
        job
    }

    fn touched(&mut self, jid: &str) -> &mut Touched {
        self.unit.iter_mut().find(|touched| touched.jid == jid).expect("the job was touched")
    }

    /// A new job; what was there before is replaced.
    pub fn insert(&mut self, jid: &str, mut job: Job) {
        if self.jobs.contains_key(jid) {
            self.edit(jid);
            self.touched(jid).replaced = true;
            job.rethrottled = true;
        } else {
            self.unit.push(Touched::new(jid, None));
        }
        self.jobs.insert(jid.into(), job);
    }

    pub fn remove(&mut self, jid: &str, cancelled: bool) {
        self.edit(jid);
        let gone = self.jobs.remove(jid);
        let touched = self.touched(jid);
        (touched.gone, touched.cancelled) = (gone, cancelled);
    }

    /// The first sight of queues makes them known, and workers on patterns look again.
    pub fn know(&mut self, queues: impl IntoIterator<Item = String>) {
        let known = self.queues.len();
        for queue in queues {
            self.queues.entry(queue).or_insert(self.now);
        }
        self.queues_version += i64::from(self.queues.len() > known);
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

    /// The end of a unit, a step of a call: places in line are given out, what happened is told, and what was let go of
    /// calls others forward.
    pub fn commit(&mut self) {
        for jid in std::mem::take(&mut self.placeless) {
            self.seq += 1;
            if let Some(job) = self.jobs.get_mut(&jid) {
                job.seq = self.seq;
            }
        }
        self.new_links.clear();
        for leftover in self.leftovers.iter_mut().filter(|leftover| leftover.number == 0) {
            self.seq += 1;
            leftover.number = self.seq;
        }
        let unit = std::mem::take(&mut self.unit);
        self.tell(&unit);
        let (mut freed, mut entered) = (BTreeSet::new(), vec![]);
        for Touched { jid, before, .. } in unit {
            if let Some(job) = self.jobs.get(&jid).filter(|job| !job.is_running() && !job.state.is_over()) {
                entered.push(job.queue.clone());
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
        self.know(entered);
        self.forward_freed(freed);
    }
}

impl Touched {
    fn new(jid: &str, before: Option<Before>) -> Touched {
        Touched { jid: jid.into(), before, replaced: false, gone: None, cancelled: false }
    }
}
