//! Jobs: what they are, why they do not run, and what may be done with one.

use manyhands::ops::Missing;
use manyhands::{Client, Explanation, HistoryEntry, JobHandle, JobView, Reason, Requeue, Result};
use serde_json::{Value as Json, json};

use super::{Args, as_backoff, as_json, as_text, as_text_map, as_texts, backoff, done, jids, parsed, reply};

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

pub fn view(job: JobView) -> Json {
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
        "route": job.route, "throttles": job.throttles, "headers": job.headers, "timeout_ms": job.timeout_ms,
        "backoff_ms": job.backoff.as_ref().map(backoff), "dependencies": job.dependencies,
        "dependents": job.dependents, "tracked": job.tracked, "parent": job.parent, "progress": progress,
        "failure": failure, "history": job.history.into_iter().map(entry).collect::<Vec<_>>(),
    })
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

pub fn perform(client: &Client, verb: &str, a: &mut Args) -> Option<Result<Json>> {
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
                headers: a.some("headers", as_text_map)?,
                timeout_ms: a.some("timeout_ms", Json::as_i64)?,
                backoff: a.some("backoff_ms", as_backoff)?,
                dependencies: a.some("dependencies", as_texts)?,
                missing: a.missing()?,
            };
            a.end()?;
            reply(job.requeue(changes))
        }
        _ => return None,
    })
}
