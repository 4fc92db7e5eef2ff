//! What each changing operation does to the world, and answers: JSON in and out, as at the engine's own door.

use serde_json::{Value as Json, json};

use crate::job::{Job, State};
use crate::limits::AT_ONCE;
use crate::views;
use crate::world::{World, of_queue};

/// Why a call or an item was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub name: &'static str,
    pub reason: Option<&'static str>,
}

pub type Reply = Result<Json, Refusal>;

pub fn refuse<T>(name: &'static str) -> Result<T, Refusal> {
    Err(Refusal { name, reason: None })
}

pub fn lost(reason: &'static str) -> Refusal {
    Refusal { name: "LOCK_LOST", reason: Some(reason) }
}

/// How a refused item looks in a reply.
pub fn item_error(jid: &str, refusal: &Refusal) -> Json {
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

pub fn token(args: &Json) -> i64 {
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
    if let Some(headers) = given("headers") {
        job.headers = headers;
    }
    if let Some(timeout) = given("timeout_ms") {
        job.timeout = timeout;
    }
    if let Some(backoff) = given("backoff_ms") {
        job.backoff = backoff;
    }
    if let Some(throttles) = given("throttles") {
        job.set_throttles(texts(&throttles));
    }
}

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
            "config_set" | "config_unset" => self.config_set(args),
            "queue_put" => self.queue_put(args),
            "queue_reserve" => {
                self.refuse_lost(args)?;
                self.reserve(args, self.queues_version)
            }
            "worker_turn" => {
                self.refuse_lost(args)?;
                let version = self.queues_version;
                let jobs = self.end_runs(args, None);
                let reserved = self.reserve(args, version)?;
                Ok(json!({"jobs": jobs, "reserved": reserved}))
            }
            "worker_pulse" => self.worker_pulse(args),
            "worker_lost" => self.worker_lost(args),
            "worker_order" => Ok(self.worker_order(text(args, "worker"), text(args, "order")).into()),
            "worker_deregister" => {
                let names = texts(&args["workers"]);
                self.statuses.retain(|name, _| !names.contains(name));
                Ok(names.iter().filter(|worker| self.workers.remove(*worker).is_some()).count().into())
            }
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
                        let job = self.jobs[&jid].clone();
                        self.note(&jid, &job, if wanted { "track" } else { "untrack" });
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
                self.hand_on(&jid, "timed_out", "the lease of worker {} was ended by job_timeout");
                Ok(self.jobs[&jid].state.name().into())
            }
            "queue_pause" => {
                let names = texts(&args["queues"]);
                self.know(names.clone());
                Ok(names.into_iter().filter(|queue| self.paused.insert(queue.clone())).count().into())
            }
            "queue_unpause" => {
                Ok(texts(&args["queues"]).iter().filter(|queue| self.paused.remove(*queue)).count().into())
            }
            "queue_forget" => self.queue_forget(args),
            "pattern_set" => self.pattern_set(args),
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
                self.call_forward(&id, AT_ONCE, false);
                Ok("OK".into())
            }
            "throttle_delete" => {
                let id = throttle_id(args);
                let there = self.throttles.remove(&id).is_some();
                self.call_forward(&id, AT_ONCE, false);
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
    pub fn existing(&self, args: &Json) -> Result<String, Refusal> {
        let jid = text(args, "jid");
        if self.jobs.contains_key(jid) { Ok(jid.into()) } else { refuse("JOB_NOT_FOUND") }
    }

    fn config_set(&mut self, args: &Json) -> Reply {
        let (name, value) = (text(args, "name"), args["value"].as_i64());
        if name == "events" {
            self.all_events = args["value"] == "all";
            return Ok("OK".into());
        }
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
        self.link(jid, &open);
        self.insert(jid, job);
        let delay = number(item, "delay_ms", 0);
        if open.is_empty() {
            self.wait_after(jid, delay);
        } else {
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

    fn job_log(&mut self, args: &Json) -> Reply {
        let jid = if args["token"].is_string() { self.leased(args)? } else { self.existing(args)? };
        let entry = json!({"what": "log", "at_ms": self.now, "message": args["message"], "data": args["data"]});
        self.edit(&jid).note(entry);
        Ok("OK".into())
    }

    fn pattern_set(&mut self, args: &Json) -> Reply {
        let (identifiers, priorities) = (&args["identifiers"], &args["priorities"]);
        let lists = identifiers.as_object().into_iter().flat_map(|lists| lists.values());
        let more = priorities.as_array().into_iter().flatten().map(|one| &one["patterns"]);
        if (identifiers.is_null() && priorities.is_null()) || lists.chain(more).any(|list| *list == json!([])) {
            return refuse("INVALID_ARGUMENT");
        }
        if !identifiers.is_null() {
            self.identifiers = identifiers.clone();
        }
        if let Some(given) = priorities.as_array() {
            let one = |one: &Json| json!({"patterns": one["patterns"], "fair": one["fair"] == true});
            self.priorities = given.iter().map(one).collect();
        }
        self.queues_version += 1;
        Ok("OK".into())
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
            self.throttles.remove(&format!("queue:{queue}"));
            self.config.retain(|name, _| name.split_once(':').is_none_or(|(_, own)| own != queue));
        }
        let forgotten = names.iter().filter(|queue| self.queues.remove(*queue).is_some()).count();
        self.queues_version += i64::from(forgotten > 0);
        Ok(forgotten.into())
    }
}

pub fn change_tags(tags: &mut Vec<String>, add: bool, given: &Json) {
    let given = texts(given);
    if add {
        tags.extend(given.into_iter().filter(|tag| !tags.contains(tag)).collect::<Vec<_>>());
    } else {
        tags.retain(|tag| !given.contains(tag));
    }
}
