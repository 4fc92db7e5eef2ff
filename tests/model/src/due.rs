//! What falls due: leases, graces, scheduled and recurring jobs, old completed ones.

use serde_json::{Value as Json, json};

use crate::job::{Job, State};
use crate::operations::{Reply, change_tags, number, refuse, take_shared, text, texts};
use crate::world::{Template, World};

/// So many jobs are moved by one sweep or reserve before it takes any.
pub const SWEEP: usize = 100;

const RAN_OUT: &str = "the lease of worker {} ran out";
const SHARED: [&str; 8] = ["priority", "retries", "tags", "throttles", "route", "headers", "timeout_ms", "backoff_ms"];

impl World {
    pub fn due<K: Ord>(&self, at: impl Fn(&Job) -> Option<i64>, order: impl Fn(&str, &Job) -> K) -> Vec<String> {
        self.pick(|job| at(job).is_some_and(|at| at <= self.now), order)
    }

    /// What is due in a queue, at most `limit`; how much it was.
    pub fn sweep_queue(&mut self, queue: &str, limit: usize) -> usize {
        let graces = self.due(
            |job| job.grace_until.filter(|_| job.is_running() && job.queue == queue),
            |jid, job| (job.grace_until, jid.to_owned()),
        );
        let leases = self.due(
            |job| Some(job.lease_until).filter(|_| job.is_running() && job.queue == queue && job.grace_until.is_none()),
            |jid, job| (job.lease_until, jid.to_owned()),
        );
        let graces = &graces[..graces.len().min(limit)];
        let leases = &leases[..leases.len().min(limit - graces.len())];
        for jid in graces {
            self.hand_on(jid, "lost", RAN_OUT);
        }
        let grace = self.setting("grace-period", queue);
        for jid in leases {
            if grace == 0 {
                self.hand_on(jid, "lost", RAN_OUT);
            } else {
                let until = self.now + grace;
                self.edit(jid).grace_until = Some(until);
            }
        }
        let mut moved = graces.len() + leases.len();
        moved += self.recur(queue, limit - moved);
        let scheduled = self.due(
            |job| Some(job.ready_at).filter(|_| job.state == State::Scheduled && job.queue == queue),
            |_, job| (job.ready_at, job.seq),
        );
        let scheduled = &scheduled[..scheduled.len().min(limit - moved)];
        for jid in scheduled {
            let due = self.jobs[jid].ready_at;
            self.wait(jid, due, false);
        }
        moved += scheduled.len();
        self.commit();
        moved
    }

    pub fn recur(&mut self, queue: &str, limit: usize) -> usize {
        let due = self.templates.iter().filter(|(_, it)| it.queue == queue && it.missed(self.now) > 0);
        let mut due: Vec<_> = due.map(|(jid, it)| (it.next_at, jid.clone())).collect();
        due.sort();
        let mut moved = 0;
        for (_, parent) in due {
            if moved >= limit {
                break;
            }
            let mut template = self.templates[&parent].clone();
            let missed = template.missed(self.now);
            if template.backlog > 0 && missed > template.backlog {
                template.next_at += (missed - template.backlog) * template.interval;
            }
            while template.next_at <= self.now && moved < limit {
                template.count += 1;
                while self.jobs.contains_key(&format!("{parent}-{}", template.count)) {
                    template.count += 1;
                }
                let jid = format!("{parent}-{}", template.count);
                let mut job = Job::new(&template.kind, queue, template.data.clone(), self.now);
                take_shared(&mut job, &|name| template.options.get(name).cloned());
                job.remaining = job.retries;
                job.parent = Some(parent.clone());
                self.insert(&jid, job);
                self.wait(&jid, template.next_at, false);
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

    /// Forgets completed jobs that are too many or too old; how many.
    pub fn trim(&mut self, limit: usize, only_surplus: bool) -> usize {
        let completed = self.pick(|job| job.state == State::Completed, |jid, job| (job.ended_at, jid.to_owned()));
        let kept = self.setting("jobs-history-count", "");
        let surplus = completed.len() as i64 - kept;
        if only_surplus && surplus <= kept / 1000 {
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
            self.remove(jid, false);
        }
        self.commit();
        doomed.len()
    }

    pub fn sweep(&mut self, _: &Json) -> Reply {
        let mut moved = self.free_step(SWEEP);
        let mut due: Vec<_> =
            self.all_queues().into_iter().filter_map(|queue| Some((self.next_due(&queue)?, queue))).collect();
        due.sort();
        self.turns.together = true;
        for (_, queue) in due {
            if moved < SWEEP {
                moved += self.sweep_queue(&queue, SWEEP - moved);
            }
        }
        self.turns.together = false;
        self.end_turn();
        let trimmed = if moved < SWEEP { self.trim(SWEEP - moved, false) } else { 0 };
        let next = self.all_queues().iter().filter_map(|queue| self.next_due(queue)).min();
        Ok(
            json!({"moved": moved, "trimmed": trimmed, "next_due_ms": {"$at_most": next.map(|next| (next - self.now).max(0))}}),
        )
    }

    pub fn all_queues(&self) -> Vec<String> {
        let mut names: Vec<_> = self.jobs.values().map(|job| job.queue.clone()).collect();
        names.extend(self.templates.values().map(|template| template.queue.clone()));
        names.sort();
        names.dedup();
        names
    }

    pub fn recurring(&mut self, operation: &str, args: &Json) -> Reply {
        let jid = text(args, "jid");
        if operation == "recurring_put" {
            return self.recurring_put(args);
        }
        if operation == "recurring_cancel" {
            return Ok(texts(&args["jids"]).iter().filter(|jid| self.templates.remove(*jid).is_some()).count().into());
        }
        let now = self.now;
        let Some(template) = self.templates.get_mut(jid) else { return refuse("JOB_NOT_FOUND") };
        match operation {
            "recurring_update" => {
                template.take(args);
                if let Some(interval) = args["interval_ms"].as_i64() {
                    template.next_at = now + interval;
                }
                let queue = template.queue.clone();
                self.know([queue]);
                Ok("OK".into())
            }
            "recurring_tag" | "recurring_untag" => {
                let mut tags = texts(template.options.get("tags").unwrap_or(&Json::Null));
                change_tags(&mut tags, operation == "recurring_tag", &args["tags"]);
                template.options.insert("tags".into(), tags.clone().into());
                Ok(tags.into())
            }
            "recurring_pause" => Ok(i64::from(!std::mem::replace(&mut template.paused, true)).into()),
            "recurring_resume" => {
                if !template.paused {
                    return Ok(0.into());
                }
                template.paused = false;
                template.next_at += template.missed(now) * template.interval;
                Ok(1.into())
            }
            other => panic!("the model does not know {other}"),
        }
    }

    pub fn recurring_put(&mut self, args: &Json) -> Reply {
        let jid = text(args, "jid");
        let mut template = Template {
            kind: String::new(),
            queue: String::new(),
            data: Json::Null,
            interval: 1,
            next_at: self.now + number(args, "offset_ms", 0),
            count: self.templates.get(jid).map_or(0, |old| old.count),
            backlog: 0,
            paused: false,
            options: Default::default(),
        };
        template.take(args);
        self.know([template.queue.clone()]);
        self.templates.insert(jid.into(), template);
        Ok("OK".into())
    }
}

impl Template {
    /// How many of its instants have passed.
    pub fn missed(&self, now: i64) -> i64 {
        if self.paused || self.next_at > now { 0 } else { (now - self.next_at) / self.interval + 1 }
    }

    /// Sets what is given.
    fn take(&mut self, args: &Json) {
        let set = |field: &mut String, name: &str| {
            if let Some(value) = args[name].as_str() {
                *field = value.into();
            }
        };
        set(&mut self.kind, "kind");
        set(&mut self.queue, "queue");
        if !args["data"].is_null() {
            self.data = args["data"].clone();
        }
        self.interval = number(args, "interval_ms", self.interval);
        self.backlog = number(args, "backlog", self.backlog);
        for name in SHARED {
            if !args[name].is_null() {
                self.options.insert(name.into(), args[name].clone());
            }
        }
    }
}
