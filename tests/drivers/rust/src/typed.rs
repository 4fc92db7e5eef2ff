//! The operations that have typed methods. What those cannot say (a wrong type, an unknown member) goes through the door.

use std::collections::BTreeMap;

use manyhands::ops::Missing;
use manyhands::{
    Client, Counts, Explanation, HistoryEntry, JobHandle, JobView, Page, PatternPriority, QueueView, Reason, Recurring,
    RecurringPut, RecurringUpdate, Requeue, Result, Settings, Throttle, ThrottleView, Violation, WorkerView,
};
use serde_json::{Map, Value as Json, json};

/// The arguments, taken by name; None where one is of another type than the method takes.
struct Args(Map<String, Json>);

type Texts = Vec<String>;

impl Args {
    /// Takes a member; Some(None) when it is not there.
    fn some<T>(&mut self, name: &str, read: impl Fn(&Json) -> Option<T>) -> Option<Option<T>> {
        match self.0.remove(name) {
            None => Some(None),
            Some(value) => read(&value).map(Some),
        }
    }

    fn one<T>(&mut self, name: &str, read: impl Fn(&Json) -> Option<T>) -> Option<T> {
        read(&self.0.remove(name)?)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.one(name, as_text)
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        self.one(name, Json::as_i64)
    }

    fn texts(&mut self, name: &str) -> Option<Texts> {
        self.one(name, as_texts)
    }

    fn page(&mut self) -> Option<(i64, i64)> {
        let offset = self.some("offset", Json::as_i64)?.unwrap_or(0);
        Some((offset, self.some("limit", Json::as_i64)?.unwrap_or(25)))
    }

    fn missing(&mut self) -> Option<Option<Missing>> {
        self.some("missing", |word| match word.as_str()? {
            "satisfied" => Some(Missing::Satisfied),
            "reject" => Some(Missing::Reject),
            _ => None,
        })
    }

    /// Nothing is left.
    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn as_text(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn as_texts(value: &Json) -> Option<Texts> {
    value.as_array()?.iter().map(as_text).collect()
}

fn as_json(value: &Json) -> Option<String> {
    Some(value.to_string())
}

fn done(result: Result<()>) -> Result<Json> {
    result.map(|()| "OK".into())
}

fn changed(result: Result<bool>) -> Result<Json> {
    result.map(|changed| i32::from(changed).into())
}

fn reply<T: Into<Json>>(result: Result<T>) -> Result<Json> {
    result.map(Into::into)
}

fn page<T>(name: &str, page: Result<Page<T>>, item: impl Fn(T) -> Json) -> Result<Json> {
    let page = page?;
    Ok(json!({"total": page.total, name: page.items.into_iter().map(item).collect::<Vec<_>>()}))
}

fn jids(result: Result<Page<String>>) -> Result<Json> {
    page("jids", result, Json::from)
}

fn counted(name: &str, result: Result<Page<(String, u64)>>) -> Result<Json> {
    page(name, result, |(name, count)| json!([name, count]))
}

/// A JSON text that the core kept as it was.
fn parsed(text: &str) -> Json {
    serde_json::from_str(text).expect("the core keeps JSON")
}

fn entry(entry: HistoryEntry) -> Json {
    let mut fields = json!({"what": entry.what, "at_ms": entry.at_ms});
    let texts = [("queue", entry.queue), ("worker", entry.worker), ("group", entry.group), ("message", entry.message)];
    for (name, value) in texts {
        value.into_iter().for_each(|value| fields[name] = value.into());
    }
    entry.run_ms.iter().for_each(|run_ms| fields["run_ms"] = (*run_ms).into());
    entry.data.iter().for_each(|data| fields["data"] = parsed(data));
    fields
}

fn view(job: JobView) -> Json {
    let failure = job.failure.map(|failure| {
        json!({
            "group": failure.group, "message": failure.message, "trace": failure.trace,
            "at_ms": failure.at_ms, "worker": failure.worker,
        })
    });
    let progress = job.progress.map(|one| json!({"value": one.value, "note": one.note, "at_ms": one.at_ms}));
    json!({
        "jid": job.jid, "kind": job.kind, "queue": job.queue, "state": job.state, "stalled": job.stalled,
        "data": parsed(&job.data), "result": job.result.as_deref().map(parsed), "priority": job.priority,
        "retries": job.retries, "remaining": job.remaining, "put_at_ms": job.put_at_ms, "due_at_ms": job.due_at_ms,
        "worker": job.worker, "token": job.token, "lease_until_ms": job.lease_until_ms, "tags": job.tags,
        "route": job.route, "throttles": job.throttles, "dependencies": job.dependencies,
        "dependents": job.dependents, "tracked": job.tracked, "parent": job.parent, "progress": progress,
        "failure": failure, "history": job.history.into_iter().map(entry).collect::<Vec<_>>(),
    })
}

fn counts(counts: &Counts) -> Json {
    json!({
        "waiting": counts.waiting, "scheduled": counts.scheduled, "blocked": counts.blocked,
        "throttled": counts.throttled, "running": counts.running, "stalled": counts.stalled,
        "recurring": counts.recurring, "paused": counts.paused,
    })
}

fn queue(queue: QueueView) -> Json {
    let mut fields = counts(&queue.counts);
    fields["queue"] = queue.name.into();
    fields
}

fn reason(reason: Reason, queue: &str) -> Json {
    match reason {
        Reason::Paused => json!({"why": "paused", "queue": queue}),
        Reason::Throttled { throttle, limit, held, holders } => {
            json!({"why": "throttled", "throttle": throttle, "limit": limit, "held": held, "holders": holders})
        }
        Reason::Dependencies { count, jids, failed } => {
            json!({"why": "dependencies", "count": count, "jids": jids, "failed": failed})
        }
        Reason::Scheduled { due_in_ms } => json!({"why": "scheduled", "due_in_ms": due_in_ms}),
        Reason::Running { worker, lease_left_ms } => {
            json!({"why": "running", "worker": worker, "lease_left_ms": lease_left_ms})
        }
        Reason::Failed { group, message } => json!({"why": "failed", "group": group, "message": message}),
        Reason::Completed { ago_ms } => json!({"why": "completed", "ago_ms": ago_ms}),
        Reason::NoWorker => json!({"why": "no-worker", "queue": queue}),
        Reason::UnknownKind { kind } => json!({"why": "unknown-kind", "kind": kind}),
        other => json!({"why": format!("{other:?}")}),
    }
}

fn explanation(explanation: Explanation) -> Json {
    let reasons = explanation.reasons.into_iter().map(|one| reason(one, &explanation.queue)).collect::<Vec<_>>();
    json!({
        "jid": explanation.jid, "state": explanation.state, "queue": explanation.queue, "reasons": reasons,
        "position": explanation.position, "estimated_wait_ms": explanation.estimated_wait_ms,
    })
}

fn worker(worker: WorkerView) -> Json {
    json!({
        "worker": worker.name, "silent_ms": worker.silent_ms, "lost": worker.lost, "running": worker.running,
        "stalled": worker.stalled, "status": worker.status.as_deref().map(parsed),
    })
}

fn throttle(view: ThrottleView) -> Json {
    json!({
        "id": view.id, "queue": view.queue, "limit": view.limit, "held": view.held, "pending": view.pending,
        "expires_ms": view.expires_ms,
    })
}

fn recurring(job: Recurring) -> Json {
    json!({
        "jid": job.jid, "kind": job.kind, "queue": job.queue, "data": parsed(&job.data),
        "interval_ms": job.interval_ms, "backlog": job.backlog, "count": job.count, "paused": job.paused,
        "next_at_ms": job.next_at_ms, "priority": job.priority, "retries": job.retries, "tags": job.tags,
        "throttles": job.throttles, "route": job.route,
    })
}

fn settings(settings: Settings) -> Json {
    let plain = |values: BTreeMap<String, manyhands::Setting>| -> Map<String, Json> {
        let json = |value| match value {
            manyhands::Setting::Number(number) => number.into(),
            other => Json::from(other.to_string()),
        };
        values.into_iter().map(|(name, value)| (name, json(value))).collect()
    };
    let queues: Map<String, Json> =
        settings.queues.into_iter().map(|(queue, values)| (queue, plain(values).into())).collect();
    json!({"values": plain(settings.values), "defaults": plain(settings.defaults), "queues": queues})
}

fn violation(one: Violation) -> Json {
    let mut fields = json!({"rule": one.rule, "detail": one.detail, "repaired": i32::from(one.repaired)});
    one.jid.into_iter().for_each(|jid| fields["jid"] = jid.into());
    fields
}

fn check(client: &Client, repair: bool) -> Result<Json> {
    let mut check = client.check(repair);
    let found = check.by_ref().map(|one| one.map(violation)).collect::<Result<Vec<_>>>()?;
    Ok(json!({"cursor": "", "looked": check.looked(), "violations": found}))
}

/// Performs the operation, if its method can say these arguments.
pub fn perform(client: &Client, operation: &str, arguments: &Json) -> Option<Result<Json>> {
    let mut a = Args(arguments.as_object()?.clone());
    let (noun, verb) = operation.split_once('_').unwrap_or((operation, ""));
    match noun {
        "job" => of_job(client, verb, &mut a),
        "queue" => of_queue(client, verb, &mut a),
        "throttle" => of_throttle(client, verb, &mut a),
        "recurring" => of_recurring(client, verb, &mut a),
        _ => of_all(client, operation, &mut a),
    }
}

fn of_job(client: &Client, verb: &str, a: &mut Args) -> Option<Result<Json>> {
    match verb {
        "get_many" => {
            let jobs = a.texts("jids")?;
            a.end()?;
            let list = |jobs: Vec<Option<JobView>>| jobs.into_iter().map(|job| job.map(view)).collect::<Vec<_>>();
            return Some(client.jobs(jobs).map(|jobs| json!({"jobs": list(jobs), "rest": []})));
        }
        "cancel" | "track" | "untrack" => {
            let list = a.texts("jids")?;
            a.end()?;
            return Some(match verb {
                "cancel" => reply(client.cancel(list)),
                "track" => reply(client.track(list)),
                _ => reply(client.untrack(list)),
            });
        }
        "tracked" => {
            let (offset, limit) = a.page()?;
            a.end()?;
            return Some(jids(client.tracked(offset, limit)));
        }
        "list" => {
            let ((offset, limit), state, queue) = (a.page()?, a.text("state")?, a.some("queue", as_text)?);
            a.end()?;
            return match queue {
                Some(queue) => Some(jids(client.queue(queue).jobs(&state, offset, limit))),
                None if state == "completed" => Some(jids(client.completed(offset, limit))),
                None => None,
            };
        }
        _ => {}
    }
    let job = client.handle(a.text("jid")?);
    let job = match a.some("token", as_text)? {
        Some(token) => job.with_token(token),
        None => job,
    };
    of_one_job(&job, verb, a)
}

fn of_one_job(job: &JobHandle, verb: &str, a: &mut Args) -> Option<Result<Json>> {
    Some(match verb {
        "get" => {
            a.end()?;
            job.view().map(|job| job.map(view).into())
        }
        "explain" => {
            a.end()?;
            job.explain().map(|found| found.map(explanation).into())
        }
        "timeout" => {
            a.end()?;
            reply(job.timeout())
        }
        "prioritize" => {
            let priority = a.number("priority")?;
            a.end()?;
            done(job.prioritize(priority))
        }
        "tag" | "untag" => {
            let tags = a.texts("tags")?;
            a.end()?;
            reply(if verb == "tag" { job.tag(tags) } else { job.untag(tags) })
        }
        "depend" => {
            let (on, missing) = (a.texts("on")?, a.missing()?);
            a.end()?;
            reply(job.depend(on, missing.unwrap_or(Missing::Satisfied)))
        }
        "undepend" => match (a.some("on", as_texts)?, a.some("all", Json::as_bool)?) {
            (Some(on), None) => {
                a.end()?;
                reply(job.undepend(on))
            }
            (None, Some(true)) => {
                a.end()?;
                reply(job.undepend_all())
            }
            _ => return None,
        },
        "log" => {
            let (message, data) = (a.text("message")?, a.some("data", as_json)?);
            a.end()?;
            done(job.log(&message, data.as_deref()))
        }
        "progress" => {
            let (progress, note) = (a.one("progress", Json::as_f64)?, a.some("note", as_text)?);
            a.end()?;
            done(job.progress(progress, &note.unwrap_or_default()))
        }
        "save" => {
            let data = a.one("data", as_json)?;
            a.end()?;
            reply(job.save(&data))
        }
        "requeue" => {
            let changes = Requeue {
                queue: a.some("queue", as_text)?,
                data: a.some("data", as_json)?,
                delay_ms: a.some("delay_ms", Json::as_i64)?,
                priority: a.some("priority", Json::as_i64)?,
                retries: a.some("retries", Json::as_i64)?,
                tags: a.some("tags", as_texts)?,
                throttles: a.some("throttles", as_texts)?,
                route: a.some("route", as_texts)?,
                dependencies: a.some("dependencies", as_texts)?,
                missing: a.missing()?,
            };
            a.end()?;
            reply(job.requeue(changes))
        }
        _ => return None,
    })
}

fn of_queue(client: &Client, verb: &str, a: &mut Args) -> Option<Result<Json>> {
    Some(match verb {
        "list" => {
            let (offset, limit) = a.page()?;
            a.end()?;
            page("queues", client.queues(offset, limit), queue)
        }
        "pause" | "unpause" | "forget" => {
            let [name] = <[String; 1]>::try_from(a.texts("queues")?).ok()?;
            a.end()?;
            let queue = client.queue(name);
            changed(match verb {
                "pause" => queue.pause(),
                "unpause" => queue.unpause(),
                _ => queue.forget(),
            })
        }
        "counts" | "length" => {
            let queue = client.queue(a.text("queue")?);
            a.end()?;
            if verb == "length" { reply(queue.length()) } else { queue.counts().map(|found| counts(&found)) }
        }
        "peek" => {
            let ((offset, limit), queue) = (a.page()?, a.text("queue")?);
            a.end()?;
            let list = |jobs: Vec<JobView>| jobs.into_iter().map(view).collect::<Vec<_>>();
            client.queue(queue).peek(offset, limit).map(|jobs| json!({"jobs": list(jobs), "rest": []}))
        }
        _ => return None,
    })
}

fn of_throttle(client: &Client, verb: &str, a: &mut Args) -> Option<Result<Json>> {
    if verb == "list" {
        let (offset, limit) = a.page()?;
        a.end()?;
        return Some(page("throttles", client.throttles(offset, limit), throttle));
    }
    let one: Throttle = match (a.some("id", as_text)?, a.some("queue", as_text)?) {
        (Some(id), None) => client.throttle(id),
        (None, Some(queue)) => client.queue(queue).throttle(),
        _ => return None,
    };
    Some(match verb {
        "get" | "delete" => {
            a.end()?;
            if verb == "get" { one.view().map(throttle) } else { changed(one.delete()) }
        }
        "set" => {
            let (limit, expires_ms) = (a.number("limit")?, a.some("expires_ms", Json::as_i64)?);
            a.end()?;
            done(one.set(limit, expires_ms))
        }
        "holders" | "pending" => {
            let (offset, limit) = a.page()?;
            a.end()?;
            jids(if verb == "holders" { one.holders(offset, limit) } else { one.pending(offset, limit) })
        }
        "release" => {
            let jid = a.text("jid")?;
            a.end()?;
            changed(one.release(&jid))
        }
        _ => return None,
    })
}

fn of_recurring(client: &Client, verb: &str, a: &mut Args) -> Option<Result<Json>> {
    match verb {
        "put" => {
            let queue = client.queue(a.text("queue")?);
            let job = RecurringPut {
                kind: a.text("kind")?,
                data: a.some("data", as_json)?.unwrap_or_else(|| "null".to_owned()),
                interval_ms: a.number("interval_ms")?,
                jid: Some(a.text("jid")?),
                offset_ms: a.some("offset_ms", Json::as_i64)?.unwrap_or(0),
                backlog: a.some("backlog", Json::as_i64)?.unwrap_or(0),
                priority: a.some("priority", Json::as_i64)?.unwrap_or(0),
                retries: a.some("retries", Json::as_i64)?,
                tags: a.some("tags", as_texts)?.unwrap_or_default(),
                throttles: a.some("throttles", as_texts)?.unwrap_or_default(),
                route: a.some("route", as_texts)?.unwrap_or_default(),
            };
            a.end()?;
            return Some(done(queue.put_recurring(job).map(drop)));
        }
        "list" => {
            let ((offset, limit), queue) = (a.page()?, a.text("queue")?);
            a.end()?;
            return Some(page("jobs", client.queue(queue).recurring(offset, limit), recurring));
        }
        _ => {}
    }
    let jid = match verb {
        "cancel" => <[String; 1]>::try_from(a.texts("jids")?).ok()?[0].clone(),
        _ => a.text("jid")?,
    };
    let found = match client.recurring(&jid) {
        Ok(found) => found,
        Err(error) if verb == "get" => return Some(Err(error)),
        Err(_) => return None,
    };
    if verb == "get" {
        a.end()?;
        return Some(Ok(found.map(recurring).into()));
    }
    // Its methods are those of one that is there.
    let job = found?;
    Some(match verb {
        "cancel" | "pause" | "resume" => {
            a.end()?;
            changed(match verb {
                "cancel" => job.cancel(),
                "pause" => job.pause(),
                _ => job.resume(),
            })
        }
        "tag" | "untag" => {
            let tags = a.texts("tags")?;
            a.end()?;
            reply(if verb == "tag" { job.tag(tags) } else { job.untag(tags) })
        }
        "update" => {
            let changes = RecurringUpdate {
                interval_ms: a.some("interval_ms", Json::as_i64)?,
                queue: a.some("queue", as_text)?,
                kind: a.some("kind", as_text)?,
                data: a.some("data", as_json)?,
                backlog: a.some("backlog", Json::as_i64)?,
                priority: a.some("priority", Json::as_i64)?,
                retries: a.some("retries", Json::as_i64)?,
                tags: a.some("tags", as_texts)?,
                throttles: a.some("throttles", as_texts)?,
                route: a.some("route", as_texts)?,
            };
            a.end()?;
            done(job.update(changes).map(drop))
        }
        _ => return None,
    })
}

fn of_all(client: &Client, operation: &str, a: &mut Args) -> Option<Result<Json>> {
    Some(match operation {
        "failure_groups" | "tag_list" => {
            let (offset, limit) = a.page()?;
            a.end()?;
            match operation {
                "tag_list" => counted("tags", client.tags(offset, limit)),
                _ => counted("groups", client.failures(offset, limit)),
            }
        }
        "failure_jobs" => {
            let ((offset, limit), group) = (a.page()?, a.text("group")?);
            a.end()?;
            jids(client.failure(group).jobs(offset, limit))
        }
        "failure_unfail" => {
            let (group, queue) = (a.text("group")?, a.some("queue", as_text)?);
            let limit = a.some("limit", Json::as_i64)?.unwrap_or(25);
            a.end()?;
            reply(client.failure(group).unfail(queue.as_deref(), limit))
        }
        "tag_jobs" => {
            let ((offset, limit), tag) = (a.page()?, a.text("tag")?);
            a.end()?;
            jids(client.tagged(&tag, offset, limit))
        }
        "worker_list" => {
            let (offset, limit) = a.page()?;
            a.end()?;
            page("workers", client.workers(offset, limit), worker)
        }
        "worker_jobs" => {
            let ((offset, limit), name) = (a.page()?, a.text("worker")?);
            a.end()?;
            let found = client.worker_jobs(&name, offset, limit);
            found.map(|jobs| json!({"total": jobs.total, "stalled": jobs.stalled, "jids": jobs.jids}))
        }
        "worker_deregister" => {
            let names = a.texts("workers")?;
            a.end()?;
            reply(client.deregister(names))
        }
        "config_all" => {
            a.end()?;
            client.config().all().map(settings)
        }
        "config_unset" => {
            let (name, queue) = (a.text("name")?, a.some("queue", as_text)?);
            a.end()?;
            done(client.config().unset(&name, queue.as_deref()))
        }
        "pattern_get" => {
            a.end()?;
            client.patterns().get().map(|lists| {
                let priority = |one: PatternPriority| json!({"patterns": one.patterns, "fair": one.fair});
                let priorities: Vec<Json> = lists.priorities.into_iter().map(priority).collect();
                json!({"identifiers": lists.identifiers, "priorities": priorities})
            })
        }
        "pattern_set" => {
            let identifiers = a.some("identifiers", |lists| {
                let list = |(name, list): (&String, &Json)| Some((name.clone(), as_texts(list)?));
                lists.as_object()?.iter().map(list).collect::<Option<BTreeMap<_, _>>>()
            })?;
            let priorities = a.some("priorities", |list| {
                let priority = |one: &Json| {
                    let mut a = Args(one.as_object()?.clone());
                    let fair = a.some("fair", Json::as_bool)?.unwrap_or(false);
                    let one = PatternPriority { patterns: a.texts("patterns")?, fair };
                    a.end().map(|()| one)
                };
                list.as_array()?.iter().map(priority).collect::<Option<Vec<_>>>()
            })?;
            a.end()?;
            done(client.patterns().set(identifiers, priorities))
        }
        "check" => {
            let repair = a.some("repair", Json::as_bool)?.unwrap_or(false);
            a.end()?;
            check(client, repair)
        }
        _ => return None,
    })
}
