//! What belongs to the namespace: failures, tags, workers, settings, patterns, and whether all of it agrees.

use std::collections::BTreeMap;

use manyhands::{Client, PatternPriority, Result, Settings, Swept, Violation, WorkerView};
use serde_json::{Map, Value as Json, json};

use super::{Args, as_text, as_texts, counted, done, jids, page, parsed, reply};

fn worker(worker: WorkerView) -> Json {
    json!({
        "worker": worker.name, "silent_ms": worker.silent_ms, "lost": worker.lost, "running": worker.running,
        "stalled": worker.stalled, "status": worker.status.as_deref().map(parsed),
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

pub fn perform(client: &Client, operation: &str, a: &mut Args) -> Option<Result<Json>> {
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
        "worker_order" => {
            let (worker, order) = (a.text("worker")?, a.text("order")?);
            a.end()?;
            // What is no order at all, only the door can ask for.
            match manyhands::Order::named(&order) {
                Some(order) => reply(client.order(&worker, order)),
                None => client
                    .call("worker_order", &json!({"worker": worker, "order": order}).to_string())
                    .map(|_| json!(null)),
            }
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
        "sweep" => {
            let limit = a.some("limit", |limit| u32::try_from(limit.as_u64()?).ok())?.unwrap_or(100);
            a.end()?;
            let swept =
                |one: Swept| json!({"moved": one.moved, "trimmed": one.trimmed, "next_due_ms": one.next_due_ms});
            client.sweep(limit).map(swept)
        }
        "check" => {
            let repair = a.some("repair", Json::as_bool)?.unwrap_or(false);
            a.end()?;
            check(client, repair)
        }
        _ => return None,
    })
}
