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
    seq: u64,
    token: i64,
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
    pub cancelled: BTreeMap<String, i64>,
    /// Every lease there was.
    pub leases: Vec<(String, i64)>,
    unit: BTreeMap<String, Option<Before>>,
    placeless: Vec<String>,
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

    pub fn dependencies(&self, jid: &str) -> Vec<String> {
        let mut found: Vec<_> = self.links.iter().filter(|((from, _), _)| from == jid).collect();
        found.sort_by_key(|((_, to), at)| (**at, to.clone()));
        found.into_iter().map(|((_, to), _)| to.clone()).collect()
    }

    pub fn dependents(&self, jid: &str) -> Vec<String> {
        let mut found: Vec<_> = self.links.iter().filter(|((_, to), _)| to == jid).collect();
        found.sort_by_key(|((from, _), at)| (**at, from.clone()));
        found.into_iter().map(|((from, _), _)| from.clone()).collect()
    }

    // ## Changes of a job

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

    pub fn release(&mut self, jid: &str) {
        let job = self.edit(jid);
        if job.history.last().is_some_and(|entry| entry["what"] == "reserved") {
            job.history.pop();
        }
        let ready_at = job.ready_at;
        self.wait(jid, ready_at, true);
    }

    /// Its lease is over: a retry is spent, or it fails.
    pub fn hand_on(&mut self, jid: &str, what: &str) {
        let now = self.now;
        let job = self.edit(jid);
        job.lost = Some("expired");
        job.note(json!({"what": what, "at_ms": now}));
        let (queue, worker) = (job.queue.clone(), job.worker.clone());
        if job.remaining > 0 {
            job.remaining -= 1;
            return self.wait(jid, now, true);
        }
        let message = format!("the lease of worker {worker} ran out and no retry was left");
        self.fail(jid, &format!("failed-retries-{queue}"), &message, "");
    }

    // ## Dependencies

    pub fn unlink_all(&mut self, jid: &str) {
        self.links.retain(|(from, _), _| from != jid);
    }

    pub fn link(&mut self, jid: &str, on: &[String]) {
        for other in on {
            self.edit(other);
            self.links.insert((jid.into(), other.clone()), self.now);
        }
    }

    /// Of `on`: those to wait for, and those that are completed or unknown.
    pub fn split(&self, on: &[String]) -> (Vec<String>, Vec<String>) {
        on.iter().cloned().partition(|jid| self.jobs.get(jid).is_some_and(|job| job.state != State::Completed))
    }

    pub fn would_wait_for_itself(&self, jid: &str, on: &[String]) -> bool {
        let (mut seen, mut line) = (BTreeSet::new(), on.to_vec());
        while let Some(other) = line.pop() {
            if other == jid {
                return true;
            }
            if seen.insert(other.clone()) {
                line.extend(self.dependencies(&other));
            }
        }
        false
    }

    /// Nothing is left that a job waits for.
    pub fn unblock(&mut self, jid: &str) {
        let now = self.now;
        let (state, due) = (self.edit(jid).state, self.edit(jid).ready_at);
        if state != State::Blocked {
        } else if due > now {
            self.schedule(jid, due);
        } else {
            self.wait(jid, now, false);
        }
    }

    pub fn free_dependents(&mut self, jid: &str) {
        for dependent in self.dependents(jid) {
            self.links.remove(&(dependent.clone(), jid.into()));
            if self.dependencies(&dependent).is_empty() {
                self.unblock(&dependent);
            }
        }
    }

    // ## Throttles

    pub fn limit(&self, id: &str) -> Option<(i64, Option<i64>)> {
        self.throttles.get(id).copied().filter(|(_, until)| until.is_none_or(|until| until > self.now))
    }

    pub fn holders(&self, id: &str) -> Vec<String> {
        match id.strip_prefix("queue:") {
            Some(queue) => self.pick(
                |job| job.is_running() && job.queue == queue,
                |jid, job| (job.grace_until.is_some(), job.grace_until.unwrap_or(job.lease_until), jid.to_owned()),
            ),
            None => self.pick(
                |job| job.is_running() && job.throttles.iter().any(|own| own == id),
                |jid, job| (job.reserved_at, jid.to_owned()),
            ),
        }
    }

    pub fn pending(&self, id: &str) -> Vec<String> {
        self.pick(|job| job.state == State::Throttled && job.pending.as_deref() == Some(id), |_, job| job.place())
    }

    pub fn room(&self, id: &str) -> Option<i64> {
        Some(self.limit(id)?.0 - self.holders(id).len() as i64)
    }

    /// A job's throttles: its queue's, and its own.
    pub fn throttles_of(&self, jid: &str) -> Vec<String> {
        let job = &self.jobs[jid];
        let mut ids = vec![of_queue(&job.queue)];
        ids.extend(job.throttles.iter().cloned());
        ids
    }

    /// The throttle that keeps a job from running: the first that is full.
    pub fn full_throttle(&self, jid: &str) -> Option<String> {
        self.throttles_of(jid).into_iter().find(|id| self.room(id).is_some_and(|room| room <= 0))
    }

    /// The first that wait for a throttle with room wait in their queues again, where they were. How many. Those called may
    /// stand where nobody serves, so others are called a second later.
    pub fn call_forward(&mut self, id: &str) -> usize {
        let room = self.room(id).unwrap_or(i64::MAX).max(0) as usize;
        let pending = self.pending(id);
        let called = &pending[..pending.len().min(room)];
        for jid in called {
            let job = self.jobs.get_mut(jid).expect("pending jobs are there");
            job.state = State::Waiting;
            job.pending = None;
        }
        if room > 0 && called.len() < pending.len() {
            self.look_at_throttle(id, self.now + 1000);
        }
        called.len()
    }

    pub fn look_at_throttle(&mut self, id: &str, at: i64) {
        let noted = self.freeing.entry(id.into()).or_insert(at);
        *noted = at.min(*noted);
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
            self.call_forward(&id);
        }
    }

    // ## What falls due

    fn due<K: Ord>(&self, at: impl Fn(&Job) -> Option<i64>, order: impl Fn(&str, &Job) -> K) -> Vec<String> {
        self.pick(|job| at(job).is_some_and(|at| at <= self.now), order)
    }

    /// Everything due in a queue; how much it was.
    pub fn sweep_queue(&mut self, queue: &str) -> usize {
        let graces = self.due(
            |job| job.grace_until.filter(|_| job.is_running() && job.queue == queue),
            |jid, job| (job.grace_until, jid.to_owned()),
        );
        let leases = self.due(
            |job| Some(job.lease_until).filter(|_| job.is_running() && job.queue == queue && job.grace_until.is_none()),
            |jid, job| (job.lease_until, jid.to_owned()),
        );
        for jid in &graces {
            self.hand_on(jid, "lost");
        }
        let grace = self.setting("grace-period", queue);
        for jid in &leases {
            if grace == 0 {
                self.hand_on(jid, "lost");
            } else {
                let until = self.now + grace;
                self.edit(jid).grace_until = Some(until);
            }
        }
        let mut moved = graces.len() + leases.len() + self.recur(queue);
        let scheduled = self.due(
            |job| Some(job.ready_at).filter(|_| job.state == State::Scheduled && job.queue == queue),
            |_, job| (job.ready_at, job.seq),
        );
        for jid in &scheduled {
            let due = self.jobs[jid].ready_at;
            self.wait(jid, due, false);
        }
        moved += scheduled.len();
        self.commit();
        moved
    }

    fn recur(&mut self, queue: &str) -> usize {
        let due = self.templates.iter().filter(|(_, it)| it.queue == queue && it.missed(self.now) > 0);
        let mut due: Vec<_> = due.map(|(jid, it)| (it.next_at, jid.clone())).collect();
        due.sort();
        let mut moved = 0;
        for (_, parent) in due {
            let mut template = self.templates[&parent].clone();
            let missed = template.missed(self.now);
            if template.backlog > 0 && missed > template.backlog {
                template.next_at += (missed - template.backlog) * template.interval;
            }
            while template.next_at <= self.now {
                template.count += 1;
                let jid = format!("{parent}-{}", template.count);
                if !self.jobs.contains_key(&jid) {
                    let mut job = Job::new(&template.kind, queue, template.data.clone(), self.now);
                    crate::operations::take_shared(&mut job, &|name| template.options.get(name).cloned());
                    job.remaining = job.retries;
                    job.parent = Some(parent.clone());
                    self.insert(&jid, job);
                    self.wait(&jid, template.next_at, false);
                }
                template.next_at += template.interval;
                moved += 1;
            }
            self.templates.insert(parent, template);
        }
        moved
    }

    /// When something falls due next in a queue.
    pub fn next_due(&self, queue: &str) -> Option<i64> {
        let jobs = self.jobs.values().filter(|job| job.queue == queue).filter_map(|job| match job.state {
            State::Scheduled => Some(job.ready_at),
            State::Running => Some(job.grace_until.unwrap_or(job.lease_until)),
            _ => None,
        });
        let templates = self.templates.values().filter(|it| it.queue == queue && !it.paused).map(|it| it.next_at);
        jobs.chain(templates).min()
    }

    /// Throttles whose limit ended let their pending jobs go. How many.
    pub fn free_throttles(&mut self) -> usize {
        let mut moved = 0;
        let mut due: Vec<_> =
            self.freeing.iter().filter(|(_, at)| **at <= self.now).map(|(id, at)| (*at, id.clone())).collect();
        due.sort();
        for (_, id) in due {
            self.freeing.remove(&id);
            match self.limit(&id) {
                Some((_, Some(until))) => self.look_at_throttle(&id, until),
                Some(_) => (),
                None => {
                    self.throttles.remove(&id);
                }
            }
            moved += self.call_forward(&id);
        }
        moved
    }

    /// Forgets completed jobs that are too many or too old; how many.
    pub fn trim(&mut self, limit: usize, only_surplus: bool) -> usize {
        let completed = self.pick(|job| job.state == State::Completed, |jid, job| (job.ended_at, jid.to_owned()));
        let surplus = completed.len() as i64 - self.setting("jobs-history-count", "");
        if only_surplus && surplus <= 0 {
            return 0;
        }
        let (oldest, minute) = (self.now - self.setting("jobs-history", ""), self.now - 60_000);
        let doomed: Vec<_> = completed
            .into_iter()
            .take(limit)
            .enumerate()
            .take_while(|(index, jid)| {
                let ended_at = self.jobs[jid].ended_at;
                ended_at <= oldest || ((*index as i64) < surplus && ended_at <= minute)
            })
            .map(|(_, jid)| jid)
            .collect();
        for jid in &doomed {
            self.remove(jid);
        }
        self.commit();
        doomed.len()
    }

    // ## Leases

    /// Whether `token` still holds the job; else why not.
    pub fn held(&self, jid: &str, token: i64) -> Result<(), &'static str> {
        let job = self.jobs.get(jid);
        if job.is_some_and(|job| job.is_running() && job.token == token) {
            return Ok(());
        }
        if self.cancelled.get(jid) == Some(&token) {
            return Err("cancelled");
        }
        let job = job.ok_or("unknown")?;
        match token.cmp(&job.token) {
            std::cmp::Ordering::Equal => Err(job.lost.unwrap_or("finished")),
            std::cmp::Ordering::Less => Err("expired"),
            std::cmp::Ordering::Greater => Err("unknown"),
        }
    }

    pub fn new_token(&mut self) -> i64 {
        self.token = (self.token + 1).max(self.now * 1024);
        self.token
    }

    /// What is left of the lease in ms, renewed when less than `share` of its length is.
    pub fn renew(&mut self, jid: &str, share: f64) -> i64 {
        let now = self.now;
        let length = self.setting("heartbeat", &self.jobs[jid].queue);
        let job = &self.jobs[jid];
        if ((job.lease_until - now) as f64) < length as f64 * share || job.grace_until.is_some() {
            let job = self.edit(jid);
            job.lease_until = now + length;
            job.grace_until = None;
        }
        self.jobs[jid].lease_until - now
    }
}

impl Template {
    /// How many of its instants have passed.
    pub fn missed(&self, now: i64) -> i64 {
        if self.paused || self.next_at > now { 0 } else { (now - self.next_at) / self.interval + 1 }
    }
}
