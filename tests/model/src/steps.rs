//! Random steps. They name leases by how they came to be, not by token, so that a step means something in whatever
//! sequence it stands, and shorter sequences can be tried.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::arguments::*;
use crate::world::World;

/// Nothing more may fall due at once than one call does.
const MOST_DUE: i64 = 120;

/// A step before it knows the world it happens in.
#[derive(Clone, Debug)]
pub struct Step {
    pub operation: &'static str,
    pub args: Json,
}

/// Any step; how often is its weight.
pub fn step() -> BoxedStrategy<Step> {
    let leased = |more: Vec<(&'static str, f64, Any)>| joined(lease(), object(more));
    let jids = || about("jids", list(jid(), 1, 4));
    let queues = || about("queues", list(queue(), 1, 2));
    let template = || about("jid", one_of(&TEMPLATES));
    let tags = || list(one_of(&TAGS), 1, 3);
    let states = || one_of(&["waiting", "running", "stalled", "scheduled", "blocked", "throttled", "recurring"]);
    let undepend = prop_oneof![
        2 => job_and(vec![("on", 1.0, list(jid(), 1, 3))]),
        1 => job_and(vec![("all", 1.0, constant(true.into()))]),
    ]
    .boxed();
    let note = vec![("message", 1.0, constant("hello".into())), ("data", 0.5, data_short())];
    let choices: Vec<(u32, &'static str, Any)> = vec![
        (14, "queue_put", jobs(put_item())),
        (1, "queue_put", crowd()),
        (2, "job_cancel", constant(json!({"$crowd": "all"}))),
        (20, "queue_reserve", object(reservation())),
        (8, "worker_turn", turn()),
        (2, "worker_pulse", pulse()),
        (1, "worker_lost", object(vec![("worker", 1.0, one_of(&WORKERS[3..])), ("started", 0.7, list(jid(), 0, 5))])),
        (
            1,
            "worker_order",
            joined(about("worker", one_of(&["w0", "w1", "w3", "*"])), about("order", one_of(&["pause", "resume"]))),
        ),
        (2, "worker_deregister", about("workers", list(one_of(&WORKERS), 1, 4))),
        (8, "job_complete", jobs(joined(lease(), completion()))),
        (3, "job_fail", jobs(joined(lease(), failure()))),
        (4, "job_retry", jobs(joined(lease(), again()))),
        (2, "job_snooze", jobs(joined(lease(), pause()))),
        (3, "job_release", jobs(lease())),
        (3, "job_heartbeat", jobs(lease())),
        (2, "job_save", leased(vec![("data", 1.0, data())])),
        (
            1,
            "job_progress",
            leased(vec![("progress", 1.0, constant(json!(0.5))), ("note", 0.5, constant("half".into()))]),
        ),
        (1, "job_log", leased(note.clone())),
        (1, "job_log", job_and(note)),
        (3, "job_cancel", jids()),
        (3, "job_requeue", requeue()),
        (3, "job_prioritize", job_and(vec![("priority", 1.0, number(-2..=2))])),
        (2, "job_tag", job_and(vec![("tags", 1.0, tags())])),
        (2, "job_untag", job_and(vec![("tags", 1.0, tags())])),
        (1, "job_track", jids()),
        (1, "job_untrack", jids()),
        (1, "job_cancel", about("jids", list(busy(), 1, 1))),
        (1, "job_requeue", object(vec![("jid", 1.0, busy()), ("queue", 0.5, queue()), ("delay_ms", 0.5, delay())])),
        (1, "throttle_release", object(vec![("jid", 1.0, busy()), ("id", 1.0, one_of(&THROTTLES))])),
        (4, "job_depend", job_and(vec![("on", 1.0, list(jid(), 1, 3)), ("missing", 0.2, missing())])),
        (2, "job_undepend", undepend),
        (2, "job_timeout", about("jid", busy())),
        (1, "pattern_set", patterns()),
        (1, "queue_pause", queues()),
        (5, "queue_unpause", queues()),
        (1, "queue_forget", queues()),
        (
            2,
            "failure_unfail",
            object(vec![("group", 1.0, one_of(&GROUPS)), ("queue", 0.4, queue()), ("limit", 0.6, number(1..=2))]),
        ),
        (
            5,
            "throttle_set",
            joined(
                throttle(),
                object(vec![("limit", 1.0, any_in(&[1, 2, 0, 3])), ("expires_ms", 0.3, any_in(&[1, 5000, 40_000]))]),
            ),
        ),
        (4, "throttle_delete", throttle()),
        (2, "throttle_release", job_and(vec![("id", 1.0, one_of(&THROTTLES))])),
        (2, "recurring_put", recurring(false)),
        (2, "recurring_update", recurring(true)),
        (1, "recurring_cancel", about("jids", list(one_of(&TEMPLATES), 1, 2))),
        (1, "recurring_pause", template()),
        (1, "recurring_resume", template()),
        (1, "recurring_tag", joined(template(), about("tags", tags()))),
        (1, "recurring_untag", joined(template(), about("tags", tags()))),
        (3, "sweep", constant(json!({}))),
        (2, "config_set", setting()),
        (
            1,
            "config_unset",
            object(vec![("name", 1.0, one_of(&["heartbeat", "grace-period"])), ("queue", 0.6, queue())]),
        ),
        (6, "clock", about("by", any_in(&[1, 400, 1000, 3000]))),
        (1, "clock", about("by", any_in(&[10_000, 61_000]))),
        (5, "clock", about("next", any_in(&[0, 1]))),
        (5, "job_explain", about("jid", jid())),
        (1, "job_list", joined(object(vec![("queue", 1.0, queue()), ("state", 1.0, states())]), page())),
        (1, "queue_peek", joined(about("queue", queue()), page())),
        (1, "worker_jobs", joined(about("worker", one_of(&WORKERS)), page())),
        (1, "failure_jobs", joined(about("group", one_of(&GROUPS)), page())),
        (1, "tag_jobs", joined(about("tag", one_of(&TAGS)), page())),
    ];
    let choices = choices
        .into_iter()
        .map(|(weight, operation, args)| (weight, args.prop_map(move |args| Step { operation, args }).boxed()));
    proptest::strategy::Union::new_weighted(choices.collect()).boxed()
}

impl Step {
    /// The call that this step is in `world`.
    pub fn call(&self, world: &World) -> (&'static str, Json) {
        if self.operation == "clock" {
            return ("config_set", json!({"name": "test-clock", "value": world.clock_after(&self.args)}));
        }
        let mut args = self.args.clone();
        fill_leases(&mut args, world);
        fill_crowd(&mut args, world);
        (self.operation, args)
    }
}

fn fill_leases(value: &mut Json, world: &World) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(|item| fill_leases(item, world)),
        Json::Object(members) if members.contains_key("$running") => {
            *value = world.lease(&json!(["held", members["$running"]])).0.into();
        }
        Json::Object(members) => {
            if let Some(lease) = members.remove("$lease") {
                let (jid, token) = world.lease(&lease);
                let own = Map::from_iter([("jid".into(), jid.into()), ("token".into(), token.to_string().into())]);
                members.extend(own);
            }
            members.values_mut().for_each(|member| fill_leases(member, world));
        }
        _ => (),
    }
}

fn fill_crowd(args: &mut Json, world: &World) {
    let crowd = args["$crowd"].clone();
    if let (Some(first), Some(size)) = (crowd["first"].as_i64(), crowd["size"].as_i64()) {
        let one = |number| {
            json!({
                "jid": format!("{CROWD}{number}"), "queue": crowd["queue"], "kind": "send", "data": 1,
                "dependencies": [crowd["on"]], "on_conflict": "move",
            })
        };
        *args = json!({"jobs": (first..first + size).map(one).collect::<Vec<_>>()});
    } else if crowd == "all" {
        let mut jids: Vec<_> = world.jobs.keys().filter(|jid| jid.starts_with(CROWD)).cloned().collect();
        jids.push("none".into());
        *args = json!({"jids": jids});
    }
}

impl World {
    fn lease(&self, lease: &Json) -> (String, i64) {
        let nth = lease[1].as_u64().unwrap_or(0) as usize;
        let held: Vec<_> = self.jobs.iter().filter(|(_, job)| job.is_running()).collect();
        match lease[0].as_str() {
            Some("held") if !held.is_empty() => {
                let (jid, job) = held[nth % held.len()];
                (jid.clone(), job.token)
            }
            Some("wanted") if !held.is_empty() => {
                let wanted = held.into_iter().max_by_key(|(jid, _)| self.dependents(jid).len());
                wanted.map(|(jid, job)| (jid.clone(), job.token)).expect("some are held")
            }
            Some("kept") if !self.leases.is_empty() => {
                self.leases[self.leases.len() - 1 - nth % self.leases.len()].clone()
            }
            _ => (lease[1].as_str().unwrap_or("a").to_owned(), 7),
        }
    }

    /// The instant that a step of the clock leads to; never so late that more falls due than one call does.
    fn clock_after(&self, args: &Json) -> i64 {
        let wanted = match args["by"].as_i64() {
            Some(span) => self.now + span,
            None => {
                let next = QUEUES.iter().filter_map(|queue| self.next_due(queue)).filter(|at| *at > self.now).min();
                next.unwrap_or(self.now) + args["next"].as_i64().unwrap_or(0)
            }
        };
        let due: i64 = self.templates.values().map(|template| template.missed(wanted)).sum();
        if due > MOST_DUE { self.now + 1 } else { wanted }
    }
}
