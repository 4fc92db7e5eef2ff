//! What each changing operation does to the world, and answers: JSON in and out, as at the engine's own door.

use serde_json::{Value as Json, json};

use crate::views;
use crate::world::{Job, State, Template, World, of_queue};

/// Why a call or an item was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub name: &'static str,
    pub reason: Option<&'static str>,
}

pub type Reply = Result<Json, Refusal>;

fn refuse<T>(name: &'static str) -> Result<T, Refusal> {
    Err(Refusal { name, reason: None })
}

fn lost(reason: &'static str) -> Refusal {
    Refusal { name: "LOCK_LOST", reason: Some(reason) }
}

/// How a refused item looks in a reply.
fn item_error(jid: &str, refusal: &Refusal) -> Json {
    let error = match refusal.reason {
        Some(reason) => json!({"name": refusal.name, "reason": reason}),
        None => json!({"name": refusal.name}),
    };
    json!({"jid": jid, "error": error})
}

pub fn text<'a>(args: &'a Json, name: &str) -> &'a str {
    args[name].as_str().unwrap_or_default()
}

pub fn number(args: &Json, name: &str, default: i64) -> i64 {
    args[name].as_i64().unwrap_or(default)
}

pub fn texts(value: &Json) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    for item in value.as_array().into_iter().flatten() {
        let item = item.as_str().unwrap_or_default();
        if !found.iter().any(|known| known == item) {
            found.push(item.into());
        }
    }
    found
}

fn token(args: &Json) -> i64 {
    text(args, "token").parse().unwrap_or(0)
}

/// The throttle that a call names.
pub fn throttle_id(args: &Json) -> String {
    match args["queue"].as_str() {
        Some(queue) => of_queue(queue),
        None => text(args, "id").to_owned(),
    }
}

/// Sets what is given of what jobs and recurring jobs may both say of themselves.
pub fn take_shared(job: &mut Job, given: &dyn Fn(&str) -> Option<Json>) {
    let given = |name: &str| given(name).filter(|value| !value.is_null());
    if let Some(priority) = given("priority") {
        job.priority = priority.as_i64().unwrap_or(0);
    }
    if let Some(retries) = given("retries") {
        job.retries = retries.as_i64().unwrap_or(0);
    }
    if let Some(tags) = given("tags") {
        job.tags = texts(&tags);
    }
    if let Some(route) = given("route") {
        job.route = route.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect();
    }
    if let Some(throttles) = given("throttles") {
        job.set_throttles(texts(&throttles));
    }
}

const SHARED: [&str; 5] = ["priority", "retries", "tags", "throttles", "route"];

impl World {
    /// Performs a call: all of it, or nothing when it is refused.
    pub fn call(&mut self, operation: &str, args: &Json) -> Reply {
        if let Some(reply) = views::read(self, operation, args) {
            return reply;
        }
        let before = self.clone();
        let reply = self.perform(operation, args);
        if reply.is_err() {
            *self = before;
        }
        reply
    }

    fn perform(&mut self, operation: &str, args: &Json) -> Reply {
        let reply = match operation {
            "config_set" => self.config_set(args),
            "queue_put" => self.queue_put(args),
            "queue_reserve" => {
                self.refuse_lost(args)?;
                self.reserve(args)
            }
            "worker_turn" => {
                self.refuse_lost(args)?;
                let jobs = self.end_runs(args, None);
                let reserved = self.reserve(args)?;
                Ok(json!({"jobs": jobs, "reserved": reserved}))
            }
            "worker_pulse" => self.worker_pulse(args),
            "worker_lost" => self.worker_lost(args),
            "worker_deregister" => Ok(texts(&args["workers"])
                .iter()
                .filter(|worker| self.workers.remove(*worker).is_some())
                .count()
                .into()),
            "job_complete" | "job_fail" | "job_retry" | "job_snooze" | "job_release" => {
                Ok(self.end_runs(args, operation.strip_prefix("job_")))
            }
            "job_heartbeat" => Ok(self.job_heartbeat(args)),
            "job_save" => {
                let jid = self.leased(args)?;
                self.edit(&jid).data = args["data"].clone();
                Ok(self.renew(&jid, 1.0).into())
            }
            "job_progress" => {
                let (jid, now) = (self.leased(args)?, self.now);
                let progress = json!({"value": args["progress"], "note": text(args, "note"), "at_ms": now});
                self.edit(&jid).progress = progress;
                Ok("OK".into())
            }
            "job_log" => self.job_log(args),
            "job_cancel" => self.job_cancel(args),
            "job_requeue" => self.job_requeue(args),
            "job_prioritize" => {
                let jid = self.existing(args)?;
                if self.jobs[&jid].state.is_over() {
                    return refuse("WRONG_STATE");
                }
                self.edit(&jid).priority = number(args, "priority", 0);
                Ok("OK".into())
            }
            "job_tag" | "job_untag" => {
                let jid = self.existing(args)?;
                let tags = &mut self.edit(&jid).tags;
                change_tags(tags, operation == "job_tag", &args["tags"]);
                Ok(tags.clone().into())
            }
            "job_track" | "job_untrack" => {
                let wanted = operation == "job_track";
                let mut count = 0;
                for jid in texts(&args["jids"]) {
                    if self.jobs.get(&jid).is_some_and(|job| job.tracked != wanted) {
                        self.edit(&jid).tracked = wanted;
                        count += 1;
                    }
                }
                Ok(count.into())
            }
            "job_depend" => self.job_depend(args),
            "job_undepend" => self.job_undepend(args),
            "job_timeout" => {
                let jid = self.existing(args)?;
                if !self.jobs[&jid].is_running() {
                    return refuse("WRONG_STATE");
                }
                self.hand_on(&jid, "timed_out");
                Ok(self.jobs[&jid].state.name().into())
            }
            "queue_pause" => {
                let now = self.now;
                let names = texts(&args["queues"]);
                for queue in &names {
                    self.queues.entry(queue.clone()).or_insert(now);
                }
                Ok(names.into_iter().filter(|queue| self.paused.insert(queue.clone())).count().into())
            }
            "queue_unpause" => {
                Ok(texts(&args["queues"]).iter().filter(|queue| self.paused.remove(*queue)).count().into())
            }
            "queue_forget" => self.queue_forget(args),
            "failure_unfail" => {
                let group = text(args, "group");
                let failed = self.pick(
                    |job| job.state == State::Failed && job.group == group,
                    |jid, job| (job.ended_at, jid.to_owned()),
                );
                let limit = number(args, "limit", 25) as usize;
                let count = failed.len().min(limit);
                for jid in &failed[..count] {
                    let queue = args["queue"].as_str().unwrap_or(&self.jobs[jid].queue).to_owned();
                    self.place_again(jid, &queue, 0, false);
                }
                Ok(count.into())
            }
            "throttle_set" => {
                let id = throttle_id(args);
                let until = args["expires_ms"].as_i64().map(|span| self.now + span);
                self.throttles.insert(id.clone(), (number(args, "limit", 0), until));
                if let Some(until) = until {
                    self.look_at_throttle(&id, until);
                }
                self.call_forward(&id);
                Ok("OK".into())
            }
            "throttle_delete" => {
                let id = throttle_id(args);
                let there = self.throttles.remove(&id).is_some();
                self.call_forward(&id);
                Ok(i64::from(there).into())
            }
            "throttle_release" => self.throttle_release(args),
            "sweep" => self.sweep(args),
            _ if operation.starts_with("recurring_") => self.recurring(operation, args),
            other => panic!("the model does not know {other}"),
        }?;
        self.commit();
        Ok(reply)
    }

    /// The job that a call is about.
    fn existing(&self, args: &Json) -> Result<String, Refusal> {
        let jid = text(args, "jid");
        if self.jobs.contains_key(jid) { Ok(jid.into()) } else { refuse("JOB_NOT_FOUND") }
    }

    /// The same, held by the call's token.
    fn leased(&self, args: &Json) -> Result<String, Refusal> {
        let jid = text(args, "jid");
        self.held(jid, token(args)).map(|()| jid.to_owned()).map_err(lost)
    }

    fn config_set(&mut self, args: &Json) -> Reply {
        let (name, value) = (text(args, "name"), args["value"].as_i64());
        if name == "test-clock" {
            self.now = value.unwrap_or(0);
            return Ok("OK".into());
        }
        let name = args["queue"].as_str().map_or(name.to_owned(), |queue| format!("{name}:{queue}"));
        match value {
            Some(value) => self.config.insert(name, value),
            None => self.config.remove(&name),
        };
        Ok("OK".into())
    }

    // ## Putting

    fn queue_put(&mut self, args: &Json) -> Reply {
        let items = args["jobs"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| self.put(item)).collect::<Result<Vec<_>, _>>().map(Json::from)
    }

    fn put(&mut self, item: &Json) -> Reply {
        let jid = text(item, "jid");
        let old = self.jobs.get(jid).cloned();
        if let Some(old) = &old {
            match text(item, "on_conflict") {
                "keep" => return Ok(json!({"jid": jid, "outcome": "kept"})),
                "reject" => return Ok(json!({"jid": jid, "outcome": "exists", "error": {"name": "JOB_EXISTS"}})),
                "move" => (),
                _ if old.is_running() => return Ok(json!({"jid": jid, "outcome": "kept"})),
                _ => (),
            }
        }
        let on = texts(&item["dependencies"]);
        let (open, satisfied) = self.split(&on);
        if self.would_wait_for_itself(jid, &on) {
            return refuse("CYCLE");
        }
        if item["missing"] == "reject" && on.iter().any(|other| !self.jobs.contains_key(other)) {
            return refuse("UNKNOWN_DEPENDENCY");
        }
        let mut job = Job::new(text(item, "kind"), text(item, "queue"), item["data"].clone(), self.now);
        take_shared(&mut job, &|name| item.get(name).cloned());
        job.remaining = job.retries;
        if let Some(old) = &old {
            job.token = old.token;
            job.lost = (old.token > 0).then_some("replaced");
            job.tracked = old.tracked;
        }
        self.unlink_all(jid);
        self.insert(jid, job);
        let delay = number(item, "delay_ms", 0);
        if open.is_empty() {
            self.wait_after(jid, delay);
        } else {
            self.link(jid, &open);
            self.block(jid, self.now + delay);
        }
        let outcome = if old.is_some() { "replaced" } else { "put" };
        if satisfied.is_empty() {
            return Ok(json!({"jid": jid, "outcome": outcome}));
        }
        Ok(json!({"jid": jid, "outcome": outcome, "satisfied": satisfied}))
    }

    fn job_requeue(&mut self, args: &Json) -> Reply {
        let jid = self.existing(args)?;
        let mut blocked = !self.dependencies(&jid).is_empty();
        if args["dependencies"].is_array() {
            let on = texts(&args["dependencies"]);
            if args["missing"] == "reject" && on.iter().any(|other| !self.jobs.contains_key(other)) {
                return refuse("UNKNOWN_DEPENDENCY");
            }
            let (open, _) = self.split(&on);
            if self.would_wait_for_itself(&jid, &open) {
                return refuse("CYCLE");
            }
            self.unlink_all(&jid);
            self.link(&jid, &open);
            blocked = !open.is_empty();
        }
        let job = self.edit(&jid);
        take_shared(job, &|name| args.get(name).cloned());
        if !args["data"].is_null() {
            job.data = args["data"].clone();
        }
        let queue = args["queue"].as_str().unwrap_or(&job.queue).to_owned();
        Ok(self.place_again(&jid, &queue, number(args, "delay_ms", 0), blocked).into())
    }

    fn job_depend(&mut self, args: &Json) -> Reply {
        let jid = self.existing(args)?;
        let job = &self.jobs[&jid];
        if job.is_running() || job.state.is_over() {
            return refuse("WRONG_STATE");
        }
        let on = texts(&args["on"]);
        if args["missing"] == "reject" && on.iter().any(|other| !self.jobs.contains_key(other)) {
            return refuse("UNKNOWN_DEPENDENCY");
        }
        let (open, satisfied) = self.split(&on);
        if self.would_wait_for_itself(&jid, &open) {
            return refuse("CYCLE");
        }
        if !open.is_empty() {
            let due = job.ready_at;
            self.link(&jid, &open);
            self.block(&jid, due);
        }
        Ok(satisfied.into())
    }

    fn job_undepend(&mut self, args: &Json) -> Reply {
        let jid = self.existing(args)?;
        let all = args["all"] == true;
        let on = texts(&args["on"]);
        self.links.retain(|(from, to), _| *from != jid || !(all || on.contains(to)));
        if self.jobs[&jid].state == State::Blocked && self.dependencies(&jid).is_empty() {
            self.unblock(&jid);
        }
        Ok(self.jobs[&jid].state.name().into())
    }

    fn job_cancel(&mut self, args: &Json) -> Reply {
        let jids = texts(&args["jids"]);
        if jids.iter().any(|jid| self.dependents(jid).iter().any(|dependent| !jids.contains(dependent))) {
            return refuse("HAS_DEPENDENTS");
        }
        let there: Vec<_> = jids.into_iter().filter(|jid| self.jobs.contains_key(jid)).collect();
        for jid in &there {
            if self.jobs[jid].is_running() {
                self.cancelled.insert(jid.clone(), self.jobs[jid].token);
            }
            self.unlink_all(jid);
            self.remove(jid);
        }
        Ok(there.into())
    }

    // ## Runs

    fn refuse_lost(&self, args: &Json) -> Result<(), Refusal> {
        if self.workers.get(text(args, "worker")).is_some_and(|pulse| *pulse < 0) {
            refuse("WRONG_STATE")
        } else {
            Ok(())
        }
    }

    fn reserve(&mut self, args: &Json) -> Reply {
        let limit = number(args, "limit", 1) as usize;
        if limit == 0 {
            return Ok(json!({"jobs": [], "next_due_ms": null}));
        }
        self.free_throttles();
        let queues = texts(&args["queues"]);
        for queue in &queues {
            self.sweep_queue(queue);
        }
        let due = queues.iter().filter_map(|queue| self.next_due(queue)).min();
        let open: Vec<_> = queues.into_iter().filter(|queue| !self.paused.contains(queue)).collect();
        let jobs = self.take_from_all(args, &open, limit);
        self.commit();
        Ok(json!({"jobs": jobs, "next_due_ms": {"$at_most": due.map(|due| due - self.now)}}))
    }

    fn take_from_all(&mut self, args: &Json, open: &[String], limit: usize) -> Vec<Json> {
        let mut share = limit;
        if args["share"] == true && open.len() > 1 {
            let active = open.iter().filter(|queue| !self.waiting(queue).is_empty()).count();
            share = limit.div_ceil(active.max(1)).max(1);
        }
        let (mut jobs, mut drained, mut token) = (vec![], vec![], None);
        for pass in 0..if share < limit { 2 } else { 1 } {
            for queue in open {
                let rest = limit - jobs.len();
                if rest > 0 && !drained.contains(queue) {
                    let most = if pass == 0 { share.min(rest) } else { rest };
                    if self.take(args, queue, most, &mut token, &mut jobs) {
                        drained.push(queue.clone());
                    }
                }
            }
        }
        jobs
    }

    /// Takes up to `most` of a queue. It looks at as many as it still wants; those that a throttle holds back then wait
    /// for it, and it looks at as many again. True when there is nothing more to take.
    fn take(&mut self, args: &Json, queue: &str, most: usize, token: &mut Option<i64>, taken: &mut Vec<Json>) -> bool {
        let wanted = taken.len() + most;
        loop {
            let slice = wanted - taken.len();
            let looked: Vec<_> = self.waiting(queue).into_iter().take(slice).collect();
            for jid in &looked {
                let token = *token.get_or_insert_with(|| self.new_token());
                match self.full_throttle(jid) {
                    Some(id) => {
                        let job = self.edit(jid);
                        job.state = State::Throttled;
                        job.pending = Some(id);
                    }
                    None => taken.push(self.run(jid, text(args, "worker"), token)),
                }
            }
            if looked.len() < slice || self.room(&of_queue(queue)).is_some_and(|room| room <= 0) {
                return true;
            }
            if taken.len() >= wanted {
                return false;
            }
        }
    }

    fn run(&mut self, jid: &str, worker: &str, token: i64) -> Json {
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
            "put_at_ms": job.put_at, "worker": worker, "tags": job.tags, "route": job.route,
        })
    }

    /// Outcomes, item by item; the verb is the operation's, or each item's own.
    fn end_runs(&mut self, args: &Json, verb: Option<&str>) -> Json {
        let items = args["jobs"].as_array().cloned().unwrap_or_default();
        let (mut answers, mut completed) = (vec![], 0);
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
            self.trim((2 * completed).min(completed.max(200)), true);
        }
        answers.into()
    }

    fn end_run(&mut self, verb: &str, jid: &str, item: &Json) -> Result<&'static str, Refusal> {
        let now = self.now;
        let delay = number(item, "delay_ms", 0);
        match verb {
            "complete" => self.complete(jid, item),
            "fail" => {
                self.fail(jid, text(item, "group"), text(item, "message"), text(item, "trace"));
                Ok("failed")
            }
            "retry" => {
                let (message, trace) = (text(item, "message"), text(item, "trace"));
                let spent = format!("failed-retries-{}", self.jobs[jid].queue);
                let group = item["group"].as_str().unwrap_or(&spent);
                if self.jobs[jid].remaining == 0 {
                    self.fail(jid, group, message, trace);
                    return Ok("failed");
                }
                if !message.is_empty() || !trace.is_empty() || item["group"].is_string() {
                    self.note_failure(jid, group, message, trace);
                }
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

    fn complete(&mut self, jid: &str, item: &Json) -> Result<&'static str, Refusal> {
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
        let job = self.edit(jid);
        job.result = item["result"].clone();
        if !item["data"].is_null() {
            job.data = item["data"].clone();
        }
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
        self.link(jid, &open);
        Ok(self.enter(jid, &queue, number(item, "delay_ms", 0), !open.is_empty()))
    }

    fn job_heartbeat(&mut self, args: &Json) -> Json {
        let items = args["jobs"].as_array().cloned().unwrap_or_default();
        let answers = items.iter().map(|item| match self.leased(item) {
            Ok(jid) => json!({"jid": jid, "lease_ms": self.renew(&jid, 1.0)}),
            Err(refusal) => item_error(text(item, "jid"), &refusal),
        });
        answers.collect::<Vec<_>>().into()
    }

    fn job_log(&mut self, args: &Json) -> Reply {
        let jid = if args["token"].is_string() { self.leased(args)? } else { self.existing(args)? };
        let entry = json!({"what": "log", "at_ms": self.now, "message": args["message"], "data": args["data"]});
        self.edit(&jid).note(entry);
        Ok("OK".into())
    }

    // ## Workers, queues, throttles

    fn worker_pulse(&mut self, args: &Json) -> Reply {
        self.refuse_lost(args)?;
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
        for kind in texts(&args["status"]["kinds"]) {
            self.kinds.insert(kind, self.now);
        }
        self.sweep(&json!({}))?;
        Ok(json!({"jobs": answers}))
    }

    fn worker_lost(&mut self, args: &Json) -> Reply {
        let (worker, started) = (text(args, "worker"), texts(&args["started"]));
        self.workers.insert(worker.into(), -self.now);
        let (mut handed_on, mut released) = (0, 0);
        for jid in
            self.pick(|job| job.is_running() && job.worker == worker, |jid, job| (job.lease_until, jid.to_owned()))
        {
            if started.contains(&jid) {
                self.hand_on(&jid, "lost");
                handed_on += 1;
            } else {
                self.release(&jid);
                released += 1;
            }
        }
        Ok(json!({"lost": handed_on, "released": released}))
    }

    fn queue_forget(&mut self, args: &Json) -> Reply {
        let names = texts(&args["queues"]);
        let used = |queue: &String| {
            self.jobs.values().any(|job| job.queue == *queue && !job.state.is_over())
                || self.templates.values().any(|template| template.queue == *queue)
        };
        if names.iter().any(used) {
            return refuse("WRONG_STATE");
        }
        for queue in &names {
            self.paused.remove(queue);
            self.config.retain(|name, _| !name.ends_with(&format!(":{queue}")));
        }
        Ok(names.iter().filter(|queue| self.queues.remove(*queue).is_some()).count().into())
    }

    fn throttle_release(&mut self, args: &Json) -> Reply {
        let (jid, id) = (self.existing(args)?, text(args, "id"));
        if !self.jobs[&jid].throttles.iter().any(|own| own == id) {
            return Ok(0.into());
        }
        let job = self.edit(&jid);
        let rest = job.throttles.iter().filter(|own| *own != id).cloned().collect();
        job.set_throttles(rest);
        if job.pending.as_deref() == Some(id) {
            let ready_at = job.ready_at;
            self.wait(&jid, ready_at, true);
        }
        Ok(1.into())
    }

    fn sweep(&mut self, _: &Json) -> Reply {
        let mut moved = self.free_throttles();
        let mut due: Vec<_> =
            self.all_queues().into_iter().filter_map(|queue| Some((self.next_due(&queue)?, queue))).collect();
        due.sort();
        for (_, queue) in due {
            moved += self.sweep_queue(&queue);
        }
        let trimmed = self.trim(200, false);
        let next = self.all_queues().iter().filter_map(|queue| self.next_due(queue)).min();
        Ok(json!({"moved": moved, "trimmed": trimmed, "next_due_ms": {"$at_most": next.map(|next| next - self.now)}}))
    }

    fn all_queues(&self) -> Vec<String> {
        let mut names: Vec<_> = self.jobs.values().map(|job| job.queue.clone()).collect();
        names.extend(self.templates.values().map(|template| template.queue.clone()));
        names.sort();
        names.dedup();
        names
    }

    // ## Recurring jobs

    fn recurring(&mut self, operation: &str, args: &Json) -> Reply {
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
                self.queues.entry(queue).or_insert(now);
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

    fn recurring_put(&mut self, args: &Json) -> Reply {
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
        self.queues.entry(template.queue.clone()).or_insert(self.now);
        self.templates.insert(jid.into(), template);
        Ok("OK".into())
    }
}

impl Template {
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

fn change_tags(tags: &mut Vec<String>, add: bool, given: &Json) {
    let given = texts(given);
    if add {
        tags.extend(given.into_iter().filter(|tag| !tags.contains(tag)).collect::<Vec<_>>());
    } else {
        tags.retain(|tag| !given.contains(tag));
    }
}
