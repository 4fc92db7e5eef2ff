//! Random steps. They name leases by how they came to be, not by token, so that a step means something in whatever
//! sequence it stands, and shorter sequences can be tried.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use crate::world::World;

// Some look like what else stands in names of keys.
pub const QUEUES: [&str; 3] = ["mail", "pdf à", "running:mail"];
pub const WORKERS: [&str; 4] = ["w0", "w1", "w2", "w3"];
pub const THROTTLES: [&str; 3] = ["api", "disk", "t:api"];
pub const TAGS: [&str; 4] = ["red", "green", "red:green", "\u{1f600}"];
pub const JIDS: [&str; 14] =
    ["a", "b", "c", "d", "e", "f", "g", "d:7:a", "job:a", "a b", "hourly-1", "hourly-2", "nightly-1", "none"];
pub const TEMPLATES: [&str; 3] = ["hourly", "nightly", "yearly"];
const GROUPS: [&str; 4] = ["oops", "down", "failed-retries-mail", "failed-retries-pdf à"];
const KINDS: [&str; 2] = ["send", "draw"];

/// Nothing more may fall due at once than one call does.
const MOST_DUE: i64 = 120;

/// A step before it knows the world it happens in.
#[derive(Clone, Debug)]
pub struct Step {
    pub operation: &'static str,
    pub args: Json,
}

type Any = BoxedStrategy<Json>;

fn one_of(names: &'static [&'static str]) -> Any {
    (0..names.len()).prop_map(|index| names[index].into()).boxed()
}

fn any_in(values: &'static [i64]) -> Any {
    (0..values.len()).prop_map(|index| values[index].into()).boxed()
}

fn number(range: std::ops::RangeInclusive<i64>) -> Any {
    range.prop_map(Json::from).boxed()
}

fn constant(value: Json) -> Any {
    Just(value).boxed()
}

fn list(item: Any, least: usize, most: usize) -> Any {
    vec(item, least..=most).prop_map(Json::from).boxed()
}

/// An object of members that are always there (chance 1), or by chance.
fn object(members: Vec<(&'static str, f64, Any)>) -> Any {
    let names: Vec<_> = members.iter().map(|(name, ..)| *name).collect();
    let values: Vec<_> = members
        .into_iter()
        .map(|(_, chance, value)| match chance {
            1.0 => value.prop_map(Some).boxed(),
            _ => proptest::option::weighted(chance, value).boxed(),
        })
        .collect();
    values
        .prop_map(move |values| {
            let members = names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?)));
            Json::Object(members.collect())
        })
        .boxed()
}

fn joined(first: Any, second: Any) -> Any {
    (first, second)
        .prop_map(|(mut first, second)| {
            first.as_object_mut().expect("an object").extend(second.as_object().cloned().unwrap_or_default());
            first
        })
        .boxed()
}

fn queue() -> Any {
    one_of(&QUEUES)
}

fn jid() -> Any {
    one_of(&JIDS)
}

/// A job that runs, by its number among them, or any.
fn busy() -> Any {
    prop_oneof![2 => (0..8_usize).prop_map(|nth| json!({"$running": nth})), 1 => jid()].boxed()
}

fn data() -> Any {
    prop_oneof![
        4 => Just(json!(1)),
        1 => Just(json!({"l": [], "n": 12345678901234567_i64})),
        1 => Just(json!("x".repeat(600))), // which lives in a key of its own
    ]
    .boxed()
}

fn delay() -> Any {
    any_in(&[0, 1, 700, 5000, 30_000])
}

/// A lease in hand, one that was given some time, or one that never was.
fn lease() -> Any {
    let held = (0..8_usize).prop_map(|nth| json!({"$lease": ["held", nth]}));
    let kept = (0..200_usize).prop_map(|nth| json!({"$lease": ["kept", nth]}));
    let wrong = jid().prop_map(|jid| json!({"$lease": ["wrong", jid]}));
    prop_oneof![10 => held, 2 => kept, 1 => wrong].boxed()
}

fn shared() -> Vec<(&'static str, f64, Any)> {
    vec![
        ("priority", 0.3, number(-2..=2)),
        ("retries", 0.3, number(0..=2)),
        ("tags", 0.3, list(one_of(&TAGS), 0, 3)),
        ("route", 0.2, list(queue(), 0, 2)),
        ("throttles", 0.4, list(one_of(&THROTTLES), 0, 2)),
    ]
}

fn missing() -> Any {
    one_of(&["satisfied", "satisfied", "reject"])
}

fn put_item() -> Any {
    let mut members = shared();
    members.extend([
        ("jid", 1.0, jid()),
        ("queue", 1.0, queue()),
        ("kind", 1.0, one_of(&KINDS)),
        ("data", 1.0, data()),
        ("delay_ms", 0.25, delay()),
        ("dependencies", 0.3, list(jid(), 0, 3)),
        ("missing", 0.2, missing()),
        ("on_conflict", 0.4, one_of(&["replace", "keep", "reject", "move"])),
    ]);
    object(members)
}

fn requeue() -> Any {
    let mut members = shared();
    members.extend([
        ("jid", 1.0, jid()),
        ("queue", 0.6, queue()),
        ("data", 0.2, data()),
        ("delay_ms", 0.3, delay()),
        ("dependencies", 0.3, list(jid(), 0, 3)),
        ("missing", 0.2, missing()),
    ]);
    object(members)
}

fn recurring(update: bool) -> Any {
    let given = if update { 0.4 } else { 1.0 };
    let mut members = shared();
    members.extend([
        ("jid", 1.0, one_of(&TEMPLATES)),
        ("queue", given, queue()),
        ("kind", given, one_of(&KINDS)),
        ("data", given, data()),
        ("interval_ms", given, any_in(&[4000, 9000, 60_000])),
        ("backlog", 0.5, number(0..=3)),
    ]);
    if !update {
        members.push(("offset_ms", 0.5, any_in(&[0, 1000, 20_000])));
    }
    object(members)
}

fn reservation() -> Vec<(&'static str, f64, Any)> {
    vec![
        ("worker", 1.0, one_of(&["w0", "w1", "w0", "w1", "w2", "w3"])),
        ("queues", 1.0, list(queue(), 1, 3)),
        ("limit", 1.0, any_in(&[1, 2, 3, 5, 12, 0])),
        ("share", 0.3, any::<bool>().prop_map(Json::from).boxed()),
    ]
}

fn completion() -> Any {
    object(vec![
        ("run_ms", 0.5, any_in(&[0, 3, 1500])),
        ("result", 0.3, data()),
        ("queue", 0.3, queue()),
        ("data", 0.2, data()),
        ("delay_ms", 0.2, delay()),
        ("dependencies", 0.2, list(jid(), 0, 3)),
    ])
}

fn failure() -> Any {
    object(vec![
        ("group", 1.0, one_of(&GROUPS)),
        ("message", 0.5, constant("went wrong".into())),
        ("trace", 0.2, constant("line 1".into())),
    ])
}

fn again() -> Any {
    object(vec![
        ("delay_ms", 0.5, delay()),
        ("group", 0.3, one_of(&GROUPS)),
        ("message", 0.3, constant("once more".into())),
    ])
}

fn pause() -> Any {
    object(vec![("delay_ms", 0.7, delay())])
}

fn jobs(item: Any) -> Any {
    object(vec![("jobs", 1.0, list(item, 1, 3))])
}

fn verb(name: &'static str, how: Any) -> Any {
    joined(joined(lease(), object(vec![("verb", 1.0, constant(name.into()))])), how)
}

fn ending() -> Any {
    let nothing = || constant(json!({}));
    prop_oneof![
        4 => verb("complete", completion()),
        1 => verb("fail", failure()),
        1 => verb("retry", again()),
        1 => verb("snooze", pause()),
        1 => verb("release", nothing()),
        1 => verb("unknown_kind", nothing()),
    ]
    .boxed()
}

fn turn() -> Any {
    let mut members = reservation();
    members.push(("jobs", 1.0, list(ending(), 0, 3)));
    object(members)
}

fn pulse() -> Any {
    let status = object(vec![("kinds", 0.7, list(one_of(&KINDS), 0, 2)), ("queues", 0.7, list(queue(), 0, 3))]);
    object(vec![("worker", 1.0, one_of(&WORKERS)), ("status", 1.0, status), ("jobs", 1.0, list(lease(), 0, 3))])
}

fn setting() -> Any {
    let lease = object(vec![
        ("name", 1.0, constant("heartbeat".into())),
        ("value", 0.7, any_in(&[2000, 10_000, 45_000])),
        ("queue", 0.6, queue()),
    ]);
    let grace = object(vec![
        ("name", 1.0, constant("grace-period".into())),
        ("value", 0.7, any_in(&[0, 500, 8000])),
        ("queue", 0.6, queue()),
    ]);
    let count = object(vec![("name", 1.0, constant("jobs-history-count".into())), ("value", 0.7, number(0..=4))]);
    let age = object(vec![("name", 1.0, constant("jobs-history".into())), ("value", 0.6, any_in(&[60_000, 90_000]))]);
    let events = object(vec![("name", 1.0, constant("events".into())), ("value", 0.7, one_of(&["all", "tracked"]))]);
    prop_oneof![1 => events, 3 => lease, 3 => grace, 1 => count, 1 => age].boxed()
}

/// A throttle of the jobs' own, or of a queue.
fn throttle() -> Any {
    prop_oneof![
        2 => object(vec![("id", 1.0, one_of(&THROTTLES))]),
        1 => object(vec![("queue", 1.0, queue())]),
    ]
    .boxed()
}

fn page() -> Any {
    object(vec![("offset", 0.3, number(0..=3)), ("limit", 0.5, number(1..=4))])
}

fn about(name: &'static str, value: Any) -> Any {
    object(vec![(name, 1.0, value)])
}

fn job_and(members: Vec<(&'static str, f64, Any)>) -> Any {
    joined(about("jid", jid()), object(members))
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
        (20, "queue_reserve", object(reservation())),
        (8, "worker_turn", turn()),
        (2, "worker_pulse", pulse()),
        (1, "worker_lost", object(vec![("worker", 1.0, one_of(&WORKERS[3..])), ("started", 0.7, list(jid(), 0, 5))])),
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

fn data_short() -> Any {
    constant(json!({"n": 1}))
}

impl Step {
    /// The call that this step is in `world`.
    pub fn call(&self, world: &World) -> (&'static str, Json) {
        if self.operation == "clock" {
            return ("config_set", json!({"name": "test-clock", "value": world.clock_after(&self.args)}));
        }
        let mut args = self.args.clone();
        fill_leases(&mut args, world);
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

impl World {
    fn lease(&self, lease: &Json) -> (String, i64) {
        let nth = lease[1].as_u64().unwrap_or(0) as usize;
        let held: Vec<_> = self.jobs.iter().filter(|(_, job)| job.is_running()).collect();
        match lease[0].as_str() {
            Some("held") if !held.is_empty() => {
                let (jid, job) = held[nth % held.len()];
                (jid.clone(), job.token)
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
