//! Queues, and what belongs to them: throttles and recurring jobs.

use manyhands::{
    Client, Counts, JobView, QueueView, Recurring, RecurringPut, RecurringUpdate, Result, Throttle, ThrottleView,
};
use serde_json::{Value as Json, json};

use super::job::view;
use super::{
    Args, as_backoff, as_json, as_text, as_text_map, as_texts, backoff, changed, done, jids, page, parsed, reply,
};

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

fn throttle_view(view: ThrottleView) -> Json {
    json!({
        "id": view.id, "queue": view.queue, "limit": view.limit, "held": view.held, "pending": view.pending,
        "expires_ms": view.expires_ms,
    })
}

fn recurring_view(job: Recurring) -> Json {
    json!({
        "jid": job.jid, "kind": job.kind, "queue": job.queue, "data": parsed(&job.data),
        "interval_ms": job.interval_ms, "backlog": job.backlog, "count": job.count, "paused": job.paused,
        "next_at_ms": job.next_at_ms, "priority": job.priority, "retries": job.retries, "tags": job.tags,
        "throttles": job.throttles, "route": job.route, "headers": job.headers, "timeout_ms": job.timeout_ms,
        "backoff_ms": job.backoff.as_ref().map(backoff),
    })
}

pub fn perform(client: &Client, verb: &str, a: &mut Args) -> Option<Result<Json>> {
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

pub fn throttle(client: &Client, verb: &str, a: &mut Args) -> Option<Result<Json>> {
    if verb == "list" {
        let (offset, limit) = a.page()?;
        a.end()?;
        return Some(page("throttles", client.throttles(offset, limit), throttle_view));
    }
    let one: Throttle = match (a.some("id", as_text)?, a.some("queue", as_text)?) {
        (Some(id), None) => client.throttle(id),
        (None, Some(queue)) => client.queue(queue).throttle(),
        _ => return None,
    };
    Some(match verb {
        "get" | "delete" => {
            a.end()?;
            if verb == "get" { one.view().map(throttle_view) } else { changed(one.delete()) }
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

pub fn recurring(client: &Client, verb: &str, a: &mut Args) -> Option<Result<Json>> {
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
                headers: a.some("headers", as_text_map)?.unwrap_or_default(),
                timeout_ms: a.some("timeout_ms", Json::as_i64)?,
                backoff: a.some("backoff_ms", as_backoff)?,
            };
            a.end()?;
            return Some(done(queue.put_recurring(job).map(drop)));
        }
        "list" => {
            let ((offset, limit), queue) = (a.page()?, a.text("queue")?);
            a.end()?;
            return Some(page("jobs", client.queue(queue).recurring(offset, limit), recurring_view));
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
        return Some(Ok(found.map(recurring_view).into()));
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
                headers: a.some("headers", as_text_map)?,
                timeout_ms: a.some("timeout_ms", Json::as_i64)?,
                backoff: a.some("backoff_ms", as_backoff)?,
            };
            a.end()?;
            done(job.update(changes).map(drop))
        }
        _ => return None,
    })
}
