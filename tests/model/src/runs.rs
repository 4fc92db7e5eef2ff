//! Runs: how they begin, what keeps their lease, how they end.

use serde_json::{Value as Json, json};

use crate::due::SWEEP;
use crate::job::State;
use crate::limits::AT_ONCE;
use crate::operations::{Refusal, Reply, item_error, lost, number, refuse, text, texts, token};
use crate::world::{Figures, World, day_of, of_queue};

/// So many that a throttle holds back are passed by in one reserve.
const LOOK_AHEAD: usize = 100;

/// How a look into a queue ended.
enum Taken {
    /// It has nothing more to take.
    Drained,
    /// All that was asked for is taken.
    Asked,
    /// Too many were passed by: the call ends.
    LookedEnough,
}

impl World {
    pub fn release(&mut self, jid: &str) {
        let job = self.edit(jid);
        if job.history.last().is_some_and(|entry| entry["what"] == "reserved") {
            job.history.pop();
        }
        let ready_at = job.ready_at;
        self.wait(jid, ready_at, true);
    }

    /// The figures of today, of the job's queue.
    pub fn figures(&mut self, jid: &str) -> &mut Figures {
        let of = (day_of(self.now), self.jobs[jid].queue.clone());
        self.figures.entry(of).or_default()
    }

    /// The outcome of a run: how long it ran, and what it had waited before.
    pub fn sample(&mut self, jid: &str, run: i64) {
        let wait = (self.now - run - self.jobs[jid].ready_at).max(0);
        let figures = self.figures(jid);
        figures.waits.push(wait);
        figures.runs.push(run);
    }

    /// Its lease is over: a retry is spent, or it fails; `why` says it of the worker `{}`.
    pub fn hand_on(&mut self, jid: &str, what: &str, why: &str) {
        let now = self.now;
        if self.jobs[jid].remaining > 0 {
            self.figures(jid).retries += 1;
        } else {
            self.figures(jid).failures += 1;
        }
        let job = self.edit(jid);
        job.lost = Some("expired");
        job.note(json!({"what": what, "at_ms": now}));
        let (queue, worker) = (job.queue.clone(), job.worker.clone());
        if job.remaining > 0 {
            job.remaining -= 1;
            return self.wait(jid, now, true);
        }
        let message = why.replace("{}", &worker) + " and no retry was left";
        self.fail(jid, &format!("failed-retries-{queue}"), &message, "");
    }

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

    /// The same, held by the call's token.
    pub fn leased(&self, args: &Json) -> Result<String, Refusal> {
        let jid = text(args, "jid");
        self.held(jid, token(args)).map(|()| jid.to_owned()).map_err(lost)
    }

    pub fn refuse_lost(&self, args: &Json) -> Result<(), Refusal> {
        if self.workers.get(text(args, "worker")).is_some_and(|pulse| *pulse < 0) {
            refuse("WRONG_STATE")
        } else {
            Ok(())
        }
    }

    /// `version`: that of the queues as the call began.
    pub fn reserve(&mut self, args: &Json, version: i64) -> Reply {
        let limit = number(args, "limit", 1) as usize;
        if limit == 0 {
            return Ok(json!({"jobs": [], "next_due_ms": null, "queues_version": version}));
        }
        let mut budget = SWEEP - self.free_step(SWEEP);
        let queues = texts(&args["queues"]);
        for queue in &queues {
            budget -= self.sweep_queue(queue, budget);
        }
        let due = queues.iter().filter_map(|queue| self.next_due(queue)).min();
        let open: Vec<_> = queues.into_iter().filter(|queue| !self.paused.contains(queue)).collect();
        let jobs = self.take_from_all(args, &open, limit);
        self.commit();
        let next_due = json!({"$at_most": due.map(|due| (due - self.now).max(0))});
        Ok(json!({"jobs": jobs, "next_due_ms": next_due, "queues_version": version}))
    }

    pub fn take_from_all(&mut self, args: &Json, open: &[String], limit: usize) -> Vec<Json> {
        let mut share = limit;
        if args["share"] == true && open.len() > 1 {
            let active = open.iter().filter(|queue| !self.waiting(queue).is_empty()).count();
            share = limit.div_ceil(active.max(1)).max(1);
        }
        let (mut jobs, mut drained, mut token, mut look) = (vec![], vec![], None, LOOK_AHEAD);
        for pass in 0..if share < limit { 2 } else { 1 } {
            for queue in open {
                let rest = limit - jobs.len();
                if rest > 0 && !drained.contains(queue) {
                    let most = if pass == 0 { share.min(rest) } else { rest };
                    match self.take(args, queue, most, &mut token, &mut jobs, &mut look) {
                        Taken::Drained => drained.push(queue.clone()),
                        Taken::Asked => {}
                        Taken::LookedEnough => return jobs,
                    }
                }
            }
        }
        jobs
    }

    /// Takes up to `most` of a queue. It looks at as many as it still wants; those that a throttle holds back then wait
    /// for it, and it looks at as many again.
    fn take(
        &mut self,
        args: &Json,
        queue: &str,
        most: usize,
        token: &mut Option<i64>,
        taken: &mut Vec<Json>,
        look: &mut usize,
    ) -> Taken {
        let wanted = taken.len() + most;
        loop {
            let slice = wanted - taken.len();
            let looked: Vec<_> = self.waiting(queue).into_iter().take(slice).collect();
            for jid in &looked {
                let token = *token.get_or_insert_with(|| self.new_token());
                match self.full_throttle(jid) {
                    Some(_) if *look == 0 => return Taken::LookedEnough,
                    Some(id) => {
                        *look -= 1;
                        let job = self.edit(jid);
                        job.state = State::Throttled;
                        job.pending = Some(id);
                    }
                    None => taken.push(self.run(jid, text(args, "worker"), token)),
                }
            }
            if looked.len() < slice || self.room(&of_queue(queue)).is_some_and(|room| room <= 0) {
                return Taken::Drained;
            }
            if taken.len() >= wanted {
                return Taken::Asked;
            }
        }
    }

    pub fn run(&mut self, jid: &str, worker: &str, token: i64) -> Json {
        let (now, lease) = (self.now, self.setting("heartbeat", &self.jobs[jid].queue));
        self.leases.push((jid.into(), token));
        let job = self.edit(jid);
        job.state = State::Running;
        job.token = token;
        job.worker = worker.into();
        job.reserved_at = now;
        job.lease_until = now + lease;
        job.lost = None;
        job.progress = Json::Null;
        job.note(json!({"what": "reserved", "at_ms": now, "worker": worker}));
        json!({
            "jid": jid, "kind": job.kind, "queue": job.queue, "data": job.data, "priority": job.priority,
            "retries": job.retries, "remaining": job.remaining, "token": token.to_string(), "lease_ms": lease,
            "put_at_ms": job.put_at, "worker": worker, "tags": job.tags, "route": job.route, "headers": job.headers,
            "timeout_ms": job.timeout, "backoff_ms": job.backoff,
        })
    }

    /// Outcomes, item by item; the verb is the operation's, or each item's own.
    pub fn end_runs(&mut self, args: &Json, verb: Option<&str>) -> Json {
        let items = args["jobs"].as_array().cloned().unwrap_or_default();
        let (mut answers, mut completed) = (vec![], 0);
        self.free_budget = AT_ONCE;
        for item in &items {
            let jid = text(item, "jid");
            let answer = self.leased(item).and_then(|_| self.end_run(verb.unwrap_or(text(item, "verb")), jid, item));
            completed += usize::from(answer == Ok("completed"));
            answers.push(match answer {
                Ok(outcome) => json!({"jid": jid, "outcome": outcome}),
                Err(refusal) => item_error(jid, &refusal),
            });
        }
        self.commit();
        if completed > 0 {
            self.trim((2 * completed).min(completed.max(SWEEP)), true);
        }
        answers.into()
    }

    pub fn end_run(&mut self, verb: &str, jid: &str, item: &Json) -> Result<&'static str, Refusal> {
        let now = self.now;
        let delay = number(item, "delay_ms", 0);
        match verb {
            "complete" => self.complete(jid, item),
            "fail" => {
                self.give_up(jid, item);
                self.fail(jid, text(item, "group"), text(item, "message"), text(item, "trace"));
                Ok("failed")
            }
            "retry" => {
                let (message, trace) = (text(item, "message"), text(item, "trace"));
                let spent = format!("failed-retries-{}", self.jobs[jid].queue);
                let group = item["group"].as_str().unwrap_or(&spent);
                if self.jobs[jid].remaining == 0 {
                    self.give_up(jid, item);
                    self.fail(jid, group, message, trace);
                    return Ok("failed");
                }
                if !message.is_empty() || !trace.is_empty() || item["group"].is_string() {
                    self.note_failure(jid, group, message, trace);
                }
                self.sample(jid, number(item, "run_ms", 0));
                self.figures(jid).retries += 1;
                let job = self.edit(jid);
                job.remaining -= 1;
                let mut entry = json!({"what": "retried", "at_ms": now});
                if item["group"].is_string() {
                    entry["group"] = group.into();
                }
                job.note(entry);
                Ok(self.wait_after(jid, delay))
            }
            "snooze" => {
                self.edit(jid).note(json!({"what": "snoozed", "at_ms": now}));
                Ok(self.wait_after(jid, delay))
            }
            "release" => {
                self.release(jid);
                Ok("waiting")
            }
            "unknown_kind" => {
                let kind = self.jobs[jid].kind.clone();
                if self.kinds.get(&kind).is_none_or(|pulse| *pulse < now - 10_000) {
                    let message = format!("no live worker knows the kind {kind}");
                    self.give_up(jid, item);
                    self.fail(jid, &format!("unknown-kind:{kind}"), &message, "");
                    return Ok("failed");
                }
                let job = self.edit(jid);
                job.snoozes += 1;
                job.note(json!({"what": "snoozed", "at_ms": now}));
                let delay = (1000 << (job.snoozes - 1).min(10)).min(60_000);
                Ok(self.wait_after(jid, delay))
            }
            other => panic!("there is no verb {other}"),
        }
    }

    /// The figures of a job that fails by its worker's word.
    pub fn give_up(&mut self, jid: &str, item: &Json) {
        self.sample(jid, number(item, "run_ms", 0));
        self.figures(jid).failures += 1;
    }

    pub fn complete(&mut self, jid: &str, item: &Json) -> Result<&'static str, Refusal> {
        let now = self.now;
        let given = item["queue"].as_str().map(str::to_owned);
        let queue = given.clone().or_else(|| self.jobs[jid].route.first().cloned());
        let (open, _) = match &queue {
            Some(_) => self.split(&texts(&item["dependencies"])),
            None => (vec![], vec![]),
        };
        if self.would_wait_for_itself(jid, &open) {
            return refuse("CYCLE");
        }
        self.sample(jid, number(item, "run_ms", 0));
        if !item["data"].is_null() {
            self.edit(jid).data = item["data"].clone();
        }
        self.link(jid, &open); // what it waits for is touched before it
        let job = self.edit(jid);
        job.result = item["result"].clone();
        job.note(json!({"what": "completed", "at_ms": now, "run_ms": number(item, "run_ms", 0)}));
        if given.is_none() && queue.is_some() {
            job.route.remove(0);
        }
        let Some(queue) = queue else {
            job.state = State::Completed;
            job.ended_at = now;
            job.grace_until = None;
            self.free_dependents(jid);
            return Ok("completed");
        };
        Ok(self.enter(jid, &queue, number(item, "delay_ms", 0), !open.is_empty()))
    }

    pub fn job_heartbeat(&mut self, args: &Json) -> Json {
        let items = args["jobs"].as_array().cloned().unwrap_or_default();
        let answers = items.iter().map(|item| match self.leased(item) {
            Ok(jid) => json!({"jid": jid, "lease_ms": self.renew(&jid, 1.0)}),
            Err(refusal) => item_error(text(item, "jid"), &refusal),
        });
        answers.collect::<Vec<_>>().into()
    }

    pub fn worker_pulse(&mut self, args: &Json) -> Reply {
        self.refuse_lost(args)?;
        let version = self.queues_version;
        let items = args["jobs"].as_array().cloned().unwrap_or_default();
        let mut answers = vec![];
        for item in &items {
            answers.push(match self.leased(item) {
                Ok(jid) => {
                    self.renew(&jid, 2.0 / 3.0);
                    json!({"jid": jid, "held": true})
                }
                Err(refusal) => item_error(text(item, "jid"), &refusal),
            });
        }
        self.commit();
        self.workers.insert(text(args, "worker").into(), self.now);
        self.statuses.insert(text(args, "worker").into(), args["status"].clone());
        for kind in texts(&args["status"]["kinds"]) {
            self.kinds.insert(kind, self.now);
        }
        self.sweep(&json!({}))?;
        let (orders, last) = self.orders_after(args["status"]["heard"].as_i64(), text(args, "worker"));
        Ok(json!({"jobs": answers, "orders": orders, "queues_version": version, "heard": last}))
    }

    /// What the worker is told: what comes after what it heard, or, of one that does not say, all and never again.
    fn orders_after(&mut self, heard: Option<i64>, worker: &str) -> (Vec<String>, i64) {
        let from = heard.unwrap_or(0).max(self.now - 60_000);
        let orders = self.orders.get(worker).into_iter().flatten();
        let told: Vec<_> = orders.filter(|(number, _)| *number > from).cloned().collect();
        if heard.is_none() && !told.is_empty() {
            self.orders.remove(worker);
        }
        let last = told.last().map_or(0, |(number, _)| *number);
        (told.into_iter().map(|(_, order)| order).collect(), last)
    }

    pub fn worker_order(&mut self, worker: &str, order: &str) -> usize {
        let heard = |pulse: i64| if worker == "*" { pulse >= self.now - 60_000 } else { true };
        let named = |name: &str| worker == "*" || worker == name;
        let known = self.workers.iter().filter(|(name, pulse)| named(name) && **pulse >= 0 && heard(**pulse));
        let names: Vec<String> = known.map(|(name, _)| name.clone()).collect();
        for name in &names {
            let orders = self.orders.entry(name.clone()).or_default();
            let number = orders.last().map_or(0, |(last, _)| last + 1).max(self.now);
            orders.retain(|(_, other)| other != order);
            orders.push((number, order.to_owned()));
        }
        names.len()
    }

    pub fn worker_lost(&mut self, args: &Json) -> Reply {
        let (worker, started) = (text(args, "worker"), texts(&args["started"]));
        self.workers.insert(worker.into(), -self.now);
        self.statuses.remove(worker);
        let (mut handed_on, mut released) = (0, 0);
        for jid in
            self.pick(|job| job.is_running() && job.worker == worker, |jid, job| (job.lease_until, jid.to_owned()))
        {
            if started.contains(&jid) {
                self.hand_on(&jid, "lost", "worker {} was declared lost");
                handed_on += 1;
            } else {
                self.release(&jid);
                released += 1;
            }
        }
        Ok(json!({"lost": handed_on, "released": released}))
    }
}
