//! Random arguments, in names that all sequences share.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

// Some look like what else stands in names of keys.
pub const QUEUES: [&str; 3] = ["mail", "pdf à", "running:mail"];
pub const WORKERS: [&str; 4] = ["w0", "w1", "w2", "w3"];
pub const THROTTLES: [&str; 3] = ["api", "disk", "t:api"];
pub const TAGS: [&str; 4] = ["red", "green", "red:green", "\u{1f600}"];
pub const JIDS: [&str; 16] = [
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "d:7:a",
    "job:a",
    "a b",
    "hourly-1",
    "hourly-2",
    "nightly-1",
    "none",
    "many-1",
    "many-99",
];
/// How the jids of a crowd begin.
pub const CROWD: &str = "many-";
pub const TEMPLATES: [&str; 3] = ["hourly", "nightly", "yearly"];
pub const GROUPS: [&str; 4] = ["oops", "down", "failed-retries-mail", "failed-retries-pdf à"];
pub const KINDS: [&str; 2] = ["send", "draw"];

pub type Any = BoxedStrategy<Json>;

pub fn one_of(names: &'static [&'static str]) -> Any {
    (0..names.len()).prop_map(|index| names[index].into()).boxed()
}

pub fn any_in(values: &'static [i64]) -> Any {
    (0..values.len()).prop_map(|index| values[index].into()).boxed()
}

pub fn number(range: std::ops::RangeInclusive<i64>) -> Any {
    range.prop_map(Json::from).boxed()
}

pub fn constant(value: Json) -> Any {
    Just(value).boxed()
}

pub fn list(item: Any, least: usize, most: usize) -> Any {
    vec(item, least..=most).prop_map(Json::from).boxed()
}

/// An object of members that are always there (chance 1), or by chance.
pub fn object(members: Vec<(&'static str, f64, Any)>) -> Any {
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

pub fn joined(first: Any, second: Any) -> Any {
    (first, second)
        .prop_map(|(mut first, second)| {
            first.as_object_mut().expect("an object").extend(second.as_object().cloned().unwrap_or_default());
            first
        })
        .boxed()
}

pub fn queue() -> Any {
    one_of(&QUEUES)
}

pub fn jid() -> Any {
    one_of(&JIDS)
}

/// A job that runs, by its number among them, or any.
pub fn busy() -> Any {
    prop_oneof![2 => (0..8_usize).prop_map(|nth| json!({"$running": nth})), 1 => jid()].boxed()
}

pub fn data() -> Any {
    prop_oneof![
        4 => Just(json!(1)),
        1 => Just(json!({"l": [], "n": 12345678901234567_i64})),
        1 => Just(json!("x".repeat(600))), // which lives in a key of its own
    ]
    .boxed()
}

pub fn delay() -> Any {
    any_in(&[0, 1, 700, 5000, 30_000])
}

/// A lease in hand, that of the job for which most wait, one that was given some time, or one that never was.
pub fn lease() -> Any {
    let held = (0..8_usize).prop_map(|nth| json!({"$lease": ["held", nth]}));
    let kept = (0..200_usize).prop_map(|nth| json!({"$lease": ["kept", nth]}));
    let wrong = jid().prop_map(|jid| json!({"$lease": ["wrong", jid]}));
    let wanted = constant(json!({"$lease": ["wanted"]}));
    prop_oneof![20 => held, 4 => kept, 2 => wrong, 1 => wanted].boxed()
}

pub fn shared() -> Vec<(&'static str, f64, Any)> {
    vec![
        ("priority", 0.3, number(-2..=2)),
        ("retries", 0.3, number(0..=2)),
        ("tags", 0.3, list(one_of(&TAGS), 0, 3)),
        ("route", 0.2, list(queue(), 0, 2)),
        ("throttles", 0.4, list(one_of(&THROTTLES), 0, 2)),
        ("headers", 0.2, one_of(&["a", "b"]).prop_map(|value| json!({"h": value})).boxed()),
        ("timeout_ms", 0.1, number(1_000..=1_002)),
        ("backoff_ms", 0.1, prop_oneof![number(0..=2), list(number(0..=2), 2, 3)].boxed()),
    ]
}

pub fn missing() -> Any {
    one_of(&["satisfied", "satisfied", "reject"])
}

pub fn put_item() -> Any {
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

/// Many that wait for one: with another crowd more than one call and one sweep free, or only a few; no more than one put takes.
pub fn crowd() -> Any {
    let size = prop_oneof![5 => 2..=8_i64, 2 => 101..=124_i64].prop_map(Json::from).boxed();
    let members =
        vec![("first", 1.0, any_in(&[0, 124])), ("size", 1.0, size), ("on", 1.0, busy()), ("queue", 1.0, queue())];
    object(vec![("$crowd", 1.0, object(members))])
}

pub fn patterns() -> Any {
    let some = || list(one_of(&["mail*", "!pdf à", "@some", "*"]), 1, 2);
    let lists = || prop_oneof![9 => some(), 1 => constant(json!([]))].boxed();
    let fair = any::<bool>().prop_map(Json::from).boxed();
    object(vec![
        ("identifiers", 0.6, object(vec![("some", 0.5, lists()), ("\u{e0} :", 0.5, lists())])),
        ("priorities", 0.6, list(object(vec![("patterns", 1.0, lists()), ("fair", 0.5, fair)]), 0, 2)),
    ])
}

pub fn requeue() -> Any {
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

pub fn recurring(update: bool) -> Any {
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

pub fn reservation() -> Vec<(&'static str, f64, Any)> {
    vec![
        ("worker", 1.0, one_of(&["w0", "w1", "w0", "w1", "w2", "w3"])),
        ("queues", 1.0, list(queue(), 1, 3)),
        ("limit", 1.0, any_in(&[1, 2, 3, 5, 12, 0])),
        ("share", 0.3, any::<bool>().prop_map(Json::from).boxed()),
    ]
}

pub fn completion() -> Any {
    object(vec![
        ("run_ms", 0.5, any_in(&[0, 3, 1500])),
        ("result", 0.3, data()),
        ("queue", 0.3, queue()),
        ("data", 0.2, data()),
        ("delay_ms", 0.2, delay()),
        ("dependencies", 0.2, list(jid(), 0, 3)),
    ])
}

pub fn failure() -> Any {
    object(vec![
        ("group", 1.0, one_of(&GROUPS)),
        ("message", 0.5, constant("went wrong".into())),
        ("trace", 0.2, constant("line 1".into())),
    ])
}

pub fn again() -> Any {
    object(vec![
        ("delay_ms", 0.5, delay()),
        ("group", 0.3, one_of(&GROUPS)),
        ("message", 0.3, constant("once more".into())),
    ])
}

pub fn pause() -> Any {
    object(vec![("delay_ms", 0.7, delay())])
}

pub fn jobs(item: Any) -> Any {
    object(vec![("jobs", 1.0, list(item, 1, 3))])
}

pub fn verb(name: &'static str, how: Any) -> Any {
    joined(joined(lease(), object(vec![("verb", 1.0, constant(name.into()))])), how)
}

pub fn ending() -> Any {
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

pub fn turn() -> Any {
    let mut members = reservation();
    members.push(("jobs", 1.0, list(ending(), 0, 3)));
    object(members)
}

pub fn pulse() -> Any {
    let heard = any_in(&[0, 1_000_000_000_000, 1_000_000_001_000]);
    let status = object(vec![
        ("kinds", 0.7, list(one_of(&KINDS), 0, 2)),
        ("queues", 0.7, list(queue(), 0, 3)),
        ("heard", 0.5, heard),
    ]);
    object(vec![("worker", 1.0, one_of(&WORKERS)), ("status", 1.0, status), ("jobs", 1.0, list(lease(), 0, 3))])
}

pub fn setting() -> Any {
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
pub fn throttle() -> Any {
    prop_oneof![
        2 => object(vec![("id", 1.0, one_of(&THROTTLES))]),
        1 => object(vec![("queue", 1.0, queue())]),
    ]
    .boxed()
}

pub fn page() -> Any {
    object(vec![("offset", 0.3, number(0..=3)), ("limit", 0.5, number(1..=4))])
}

pub fn about(name: &'static str, value: Any) -> Any {
    object(vec![(name, 1.0, value)])
}

pub fn job_and(members: Vec<(&'static str, f64, Any)>) -> Any {
    joined(about("jid", jid()), object(members))
}
pub fn data_short() -> Any {
    constant(json!({"n": 1}))
}
