//! What the reading operations answer.

use serde_json::{Value as Json, json};

use crate::job::{Job, State};
use crate::operations::{Reply, number, take_shared, text, texts, throttle_id};
use crate::world::{Template, World, day_of};

/// A job's view shows so many of its dependents.
const SHOWN: usize = 256;

/// The answer of a reading operation; None when it is none.
pub fn read(world: &World, operation: &str, args: &Json) -> Option<Reply> {
    let queue = text(args, "queue");
    Some(Ok(match operation {
        "job_get" => job(world, text(args, "jid")),
        "job_get_many" => {
            let jobs: Vec<_> = texts(&args["jids"]).iter().map(|jid| job(world, jid)).collect();
            json!({"jobs": jobs, "rest": []})
        }
        "job_explain" => explain(world, text(args, "jid")),
        "job_list" => page_of_ties(args, list(world, queue, text(args, "state"))),
        "job_tracked" => page(args, world.pick(|job| job.tracked, |jid, job| (job.put_at, jid.to_owned()))),
        "queue_counts" => counts(world, queue),
        "queue_length" => world.jobs.values().filter(|job| job.queue == queue && !job.state.is_over()).count().into(),
        "queue_list" => {
            let mut names: Vec<_> = world.queues.iter().map(|(name, at)| (*at, name)).collect();
            names.sort();
            let views = names.into_iter().map(|(_, name)| {
                let mut view = counts(world, name);
                view["queue"] = name.clone().into();
                view
            });
            paged(args, "queues", views.collect())
        }
        "queue_peek" => {
            let jobs: Vec<_> = slice(args, world.waiting(queue)).iter().map(|jid| job(world, jid)).collect();
            json!({"jobs": jobs, "rest": []})
        }
        "queue_stats" => stats(world, queue),
        "pattern_get" => {
            let identifiers = if world.identifiers.is_null() { json!({}) } else { world.identifiers.clone() };
            json!({"$exactly": {"identifiers": identifiers, "priorities": world.priorities}})
        }
        "config_all" => config(world),
        "throttle_get" => throttle(world, &throttle_id(args)),
        "throttle_holders" => match args["queue"].as_str() {
            Some(queue) => page_of_ties(args, world.ranked_holders(queue)),
            None => page(args, world.holders(&throttle_id(args))),
        },
        "throttle_pending" => page(args, world.pending(&throttle_id(args))),
        "throttle_list" => paged(args, "throttles", world.throttles.keys().map(|id| throttle(world, id)).collect()),
        "failure_groups" => {
            let groups = world.jobs.values().filter(|job| job.state == State::Failed).map(|job| job.group.clone());
            paged(args, "groups", counted(groups))
        }
        "failure_jobs" => {
            let group = text(args, "group");
            let mut jids = world.pick(
                |job| job.state == State::Failed && job.group == group,
                |jid, job| (job.ended_at, jid.to_owned()),
            );
            jids.reverse();
            page(args, jids)
        }
        "tag_list" => paged(args, "tags", counted(world.jobs.values().flat_map(|job| job.tags.clone()))),
        "tag_jobs" => {
            let tag = text(args, "tag");
            page(args, world.pick(|job| job.tags.iter().any(|own| own == tag), |jid, job| (job.put_at, jid.to_owned())))
        }
        "worker_jobs" => {
            let worker = text(args, "worker");
            let jids = world.ranked(|job| job.is_running() && job.worker == worker, |job| job.lease_until);
            let stalled = jids.iter().filter(|(_, jid)| world.jobs[jid].is_stalled(world.now)).count();
            let mut view = page_of_ties(args, jids);
            view["stalled"] = stalled.into();
            view
        }
        "worker_list" => worker_list(world, args),
        "recurring_get" => {
            let jid = text(args, "jid");
            world.templates.get(jid).map_or(Json::Null, |it| template(jid, it))
        }
        "recurring_list" => {
            let mut found: Vec<_> = world.templates.iter().filter(|(_, it)| it.queue == queue).collect();
            found.sort_by_key(|(jid, it)| (it.paused, if it.paused { 0 } else { it.next_at }, (*jid).clone()));
            paged(args, "jobs", found.into_iter().map(|(jid, it)| template(jid, it)).collect())
        }
        _ => return None,
    }))
}

fn slice<T>(args: &Json, all: Vec<T>) -> Vec<T> {
    all.into_iter().skip(number(args, "offset", 0) as usize).take(number(args, "limit", 25) as usize).collect()
}

fn page(args: &Json, jids: Vec<String>) -> Json {
    json!({"total": jids.len(), "jids": slice(args, jids)})
}

/// Those of the same rank come in any order.
fn page_of_ties(args: &Json, ranked: Vec<(usize, String)>) -> Json {
    let total = ranked.len();
    let wanted = slice(args, ranked.iter().map(|(rank, _)| *rank).collect());
    let alike = |rank| ranked.iter().filter(|(other, _)| *other == rank).map(|(_, jid)| jid).collect::<Vec<_>>();
    json!({"total": total, "jids": {"$distinct_of": wanted.into_iter().map(alike).collect::<Vec<_>>()}})
}

fn first(mut jids: Vec<String>, most: usize) -> Vec<String> {
    jids.truncate(most);
    jids
}

fn paged(args: &Json, name: &str, items: Vec<Json>) -> Json {
    json!({"total": items.len(), name: slice(args, items)})
}

/// Names with how often they come, the most frequent first.
fn counted(names: impl Iterator<Item = String>) -> Vec<Json> {
    let mut counts = std::collections::BTreeMap::<String, i64>::new();
    names.for_each(|name| *counts.entry(name).or_default() += 1);
    let mut counts: Vec<_> = counts.into_iter().map(|(name, count)| (count, name)).collect();
    counts.sort();
    counts.into_iter().rev().map(|(count, name)| json!([name, count])).collect()
}

/// The jobs in a state, with their ranks.
fn list(world: &World, queue: &str, state: &str) -> Vec<(usize, String)> {
    let of = |wanted: State| move |job: &Job| job.state == wanted && job.queue == queue;
    match state {
        "waiting" => world.ranked(of(State::Waiting), Job::place),
        "throttled" => world.ranked(of(State::Throttled), Job::place),
        "scheduled" => world.ranked(of(State::Scheduled), |job| (job.ready_at, job.seq)),
        "blocked" => {
            world.pick(of(State::Blocked), |jid, job| (job.ready_at, jid.to_owned())).into_iter().enumerate().collect()
        }
        "running" => world.ranked(|job| of(State::Running)(job) && !job.is_stalled(world.now), |job| job.lease_until),
        "stalled" => world.ranked(
            |job| of(State::Running)(job) && job.is_stalled(world.now),
            |job| (job.grace_until.is_none(), job.grace_until.unwrap_or(job.lease_until)),
        ),
        "completed" => {
            let mut jids = world.pick(|job| job.state == State::Completed, |jid, job| (job.ended_at, jid.to_owned()));
            jids.reverse();
            jids.into_iter().enumerate().collect()
        }
        "recurring" => {
            let mut found: Vec<_> = world.templates.iter().filter(|(_, it)| it.queue == queue).collect();
            found.sort_by_key(|(jid, it)| (it.paused, if it.paused { 0 } else { it.next_at }, (*jid).clone()));
            found.into_iter().map(|(jid, _)| jid.clone()).enumerate().collect()
        }
        other => panic!("there is no state {other}"),
    }
}

fn counts(world: &World, queue: &str) -> Json {
    let mut view = json!({"paused": world.paused.contains(queue)});
    for state in ["waiting", "scheduled", "blocked", "throttled", "running", "stalled", "recurring"] {
        view[state] = list(world, queue, state).len().into();
    }
    view
}

fn throttle(world: &World, id: &str) -> Json {
    let limit = world.limit(id);
    let queue = id.strip_prefix("queue:");
    json!({
        "id": if queue.is_none() { Json::from(id) } else { Json::Null }, "queue": queue, "limit": limit.map(|limit| limit.0),
        "held": world.holders(id).len(), "pending": world.pending(id).len(),
        "expires_ms": limit.and_then(|limit| limit.1).map(|until| until - world.now),
    })
}

fn worker_list(world: &World, args: &Json) -> Json {
    let mut workers: Vec<_> = world.workers.iter().map(|(name, pulse)| (*pulse, name)).collect();
    workers.sort(); // the lost ones come first, the last lost at the very first
    let lost = workers.iter().take_while(|(pulse, _)| *pulse < 0).count();
    let lost = workers.drain(..lost).collect::<Vec<_>>();
    let views = workers.into_iter().rev().chain(lost).map(|(pulse, name)| {
        let jobs: Vec<_> = world.jobs.values().filter(|job| job.is_running() && job.worker == *name).collect();
        let stalled = jobs.iter().filter(|job| job.is_stalled(world.now)).count();
        json!({
            "worker": name, "silent_ms": world.now - pulse.abs(), "lost": pulse < 0, "running": jobs.len() - stalled,
            "stalled": stalled,
        })
    });
    paged(args, "workers", views.collect())
}

fn template(jid: &str, template: &Template) -> Json {
    let mut sample = Job::new(&template.kind, &template.queue, Json::Null, 0);
    take_shared(&mut sample, &|name| template.options.get(name).cloned());
    json!({
        "jid": jid, "kind": template.kind, "queue": template.queue, "data": template.data, "interval_ms": template.interval,
        "backlog": template.backlog, "count": template.count, "paused": template.paused,
        "next_at_ms": if template.paused { Json::Null } else { template.next_at.into() },
        "priority": sample.priority, "retries": sample.retries, "tags": sample.tags, "throttles": sample.throttles,
        "route": sample.route, "headers": sample.headers, "timeout_ms": sample.timeout, "backoff_ms": sample.backoff,
    })
}

fn job(world: &World, jid: &str) -> Json {
    let Some(job) = world.jobs.get(jid) else { return Json::Null };
    let running = job.is_running();
    let later = job.state == State::Scheduled || (job.state == State::Blocked && job.ready_at > world.now);
    let when = |wanted: bool, value: Json| if wanted { value } else { Json::Null };
    json!({
        "jid": jid, "kind": job.kind, "queue": job.queue, "state": job.state.name(), "stalled": job.is_stalled(world.now),
        "data": job.data, "result": job.result, "priority": job.priority, "retries": job.retries,
        "remaining": job.remaining, "put_at_ms": job.put_at, "due_at_ms": when(later, job.ready_at.into()),
        "worker": when(running, job.worker.clone().into()), "token": when(running, job.token.to_string().into()),
        "lease_until_ms": when(running, job.lease_until.into()), "tags": job.tags, "route": job.route, "headers": job.headers,
        "timeout_ms": job.timeout, "backoff_ms": job.backoff,
        "throttles": job.throttles, "dependencies": {"$in_any_order": world.dependencies(jid)},
        "dependents": {"$in_any_order": first(world.dependents(jid), SHOWN)},
        "tracked": job.tracked, "parent": job.parent, "progress": job.progress, "failure": job.failure,
        "history": job.history,
    })
}

fn config(world: &World) -> Json {
    let (mut values, mut queues) = (json!({}), json!({}));
    for name in ["heartbeat", "grace-period", "jobs-history", "jobs-history-count"] {
        values[name] = world.setting(name, "").into();
    }
    for (name, value) in &world.config {
        if let Some((name, queue)) = name.split_once(':') {
            queues[queue][name] = (*value).into();
        }
    }
    json!({"values": values, "queues": queues})
}

/// The upper bound of a span's bucket.
fn bucket(span: i64) -> i64 {
    let up = |unit: i64| (span + unit - 1) / unit * unit;
    match span {
        ..501 => [1, 2, 5, 10, 20, 50, 100, 200, 500].into_iter().find(|upper| span <= *upper).unwrap_or(500),
        501..=60_000 => up(1000),
        60_001..=3_600_000 => up(60_000),
        3_600_001..=86_400_000 => up(3_600_000),
        _ => up(86_400_000),
    }
}

fn series(spans: &[i64]) -> Json {
    let count = spans.len() as f64;
    let mean = spans.iter().sum::<i64>() as f64 / count.max(1.0);
    let squares: f64 = spans.iter().map(|span| (*span as f64 - mean).powi(2)).sum();
    let mut histogram = std::collections::BTreeMap::<i64, i64>::new();
    spans.iter().for_each(|span| *histogram.entry(bucket(*span)).or_default() += 1);
    let histogram: Vec<_> = histogram.into_iter().map(|(upper, count)| json!([upper, count])).collect();
    json!({
        "count": spans.len(), "mean_ms": {"$about": mean}, "deviation_ms": {"$about": (squares / count.max(1.0)).sqrt()},
        "histogram": histogram,
    })
}

fn stats(world: &World, queue: &str) -> Json {
    let day = day_of(world.now);
    let figures = world.figures.get(&(day, queue.to_owned())).cloned().unwrap_or_default();
    let failed = |job: &&Job| job.state == State::Failed && job.queue == queue && day_of(job.ended_at) == day;
    json!({
        "wait": series(&figures.waits), "run": series(&figures.runs), "failures": figures.failures,
        "retries": figures.retries, "failed": world.jobs.values().filter(failed).count(),
    })
}

fn explain(world: &World, jid: &str) -> Json {
    let Some(job) = world.jobs.get(jid) else { return Json::Null };
    let mut position = Json::Null;
    let reasons = match job.state {
        State::Waiting | State::Throttled => {
            let before = |other: &&Job| {
                matches!(other.state, State::Waiting | State::Throttled)
                    && other.queue == job.queue
                    && other.place() < job.place()
            };
            position = world.jobs.values().filter(before).count().into();
            in_line(world, jid, job)
        }
        State::Blocked => {
            let on = world.dependencies(jid);
            let has_failed = |other: &&String| world.jobs.get(*other).is_some_and(|job| job.state == State::Failed);
            let failed: Vec<_> = on.iter().filter(has_failed).collect();
            let (count, failed) = (on.len(), json!({"$in_any_order": failed}));
            vec![json!({"why": "dependencies", "count": count, "jids": {"$in_any_order": on}, "failed": failed})]
        }
        State::Scheduled => vec![json!({"why": "scheduled", "due_in_ms": job.ready_at - world.now})],
        State::Running => {
            vec![json!({"why": "running", "worker": job.worker, "lease_left_ms": job.lease_until - world.now})]
        }
        State::Failed => vec![json!({"why": "failed", "group": job.group, "message": job.failure["message"]})],
        State::Completed => vec![json!({"why": "completed", "ago_ms": world.now - job.ended_at})],
    };
    json!({"jid": jid, "state": job.state.name(), "queue": job.queue, "reasons": reasons, "position": position})
}

fn in_line(world: &World, jid: &str, job: &Job) -> Vec<Json> {
    let mut reasons = vec![];
    if world.paused.contains(&job.queue) {
        reasons.push(json!({"why": "paused"}));
    }
    for id in world.throttles_of(jid) {
        if world.room(&id).is_some_and(|room| room <= 0) {
            let held = world.holders(&id).len();
            reasons.push(
                json!({"why": "throttled", "throttle": id, "limit": world.limit(&id).map(|it| it.0), "held": held}),
            );
        }
    }
    let live = |name: &String| world.workers.get(name).is_some_and(|pulse| *pulse >= world.now - 10_000);
    let serving: Vec<_> = world
        .statuses
        .iter()
        .filter(|(name, status)| live(name) && texts(&status["queues"]).contains(&job.queue))
        .map(|(_, status)| texts(&status["kinds"]))
        .collect();
    if serving.is_empty() {
        reasons.push(json!({"why": "no-worker"}));
    } else if !serving.iter().any(|kinds| kinds.is_empty() || kinds.contains(&job.kind)) {
        reasons.push(json!({"why": "unknown-kind"}));
    }
    reasons
}
