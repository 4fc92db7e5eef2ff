//! What is done to the crowd, and measured, step by step.

use std::collections::HashSet;

use redis::Value;
use serde_json::{Value as Json, json};

use super::crowd::{ASKED, Args, BATCH, Crowd, HALF, PAGE, Step, TURN, count, leases, list, puts, reserve, text, turn};
use crate::engine::WORKER;

const WAITING: usize = 1_000_000;
const SCHEDULED: usize = 200_000;
const MANY: usize = 100_000;
const QUEUES: usize = 1_000;
/// Most dependencies that several completions of one call name.
const NAMED: usize = 64;
const MINUTE: u64 = 60_000;
/// How often a call that changes nothing is measured.
const TIMES: usize = 20;

fn queue(name: &'static str) -> impl Fn(usize) -> String {
    move |_| name.to_owned()
}

fn of_many(number: usize) -> String {
    format!("many-{:04}", number % QUEUES)
}

fn jids(name: &str, first: usize, count: usize) -> Vec<String> {
    (first..first + count).map(|number| format!("{name}-{number:08}")).collect()
}

/// The options of a job, by its number.
type Options<'a> = &'a dyn Fn(usize) -> Json;

/// Jobs with as much as one call takes of histories, tags, throttles and dependencies. Nothing of it is left.
pub fn laden(crowd: &mut Crowd) -> Step {
    let all = |name: &str, count: usize| vec![json!({"jids": jids(name, 0, count)}).to_string()];
    let take = |crowd: &mut Crowd| {
        crowd.call("queue_reserve", &[reserve(HALF, false, &["laden".into()])]).map(|replies| leases(&replies[0]))
    };
    let sweep = || vec!["{}".to_owned()];
    let moved_none = |reply: &Value| count(reply, "moved") == 0;
    crowd.call("queue_put", &puts("l", HALF, BATCH, queue("laden"), &Json::Null))?;
    let entry = |jid: String| vec![json!({"jid": jid, "message": "m".repeat(1_000)}).to_string()];
    let entries: Vec<Args> = (0..100).flat_map(|_| jids("l", 0, HALF)).map(entry).collect();
    crowd.measure("job_log of 1 KiB, until 125 histories are full", "job_log", &entries)?;
    let again = |[jid, token]: [String; 2]| [jid, token, "3".into(), "0".into(), String::new()];
    let retried = take(crowd)?.into_iter().flat_map(again).collect();
    crowd.measure("retry 125 with full histories", "job_retry", &[retried])?;
    take(crowd)?;
    crowd.pass(2 * MINUTE)?;
    crowd.repeat("sweep: 125 leases end", "sweep", sweep, moved_none)?;
    crowd.pass(MINUTE)?;
    crowd.repeat("sweep: 125 with full histories are handed on", "sweep", sweep, moved_none)?;

    crowd.call("queue_put", &puts("o", HALF, BATCH, queue("open"), &Json::Null))?;
    let open = jids("o", 0, HALF);
    let on = |[jid, token]: [String; 2], (number, other): (usize, &String)| {
        let waits = if number < NAMED { json!([other]) } else { json!([]) };
        let options = json!({"queue": "laden", "dependencies": waits}).to_string();
        [token, options, "3".into(), String::new(), "1".into(), jid]
    };
    let completed =
        take(crowd)?.into_iter().zip(open.iter().enumerate()).flat_map(|(lease, other)| on(lease, other)).collect();
    crowd.measure("complete 125, of which 64 wait for another", "job_complete", &[completed])?;

    let anew = puts("x", BATCH, BATCH, queue("laden"), &Json::Null).remove(0);
    let tag = |number: usize| json!({"tags": [format!("t{number}")]});
    let link = |number: usize| json!({"dependencies": [open[number % HALF]]});
    let both = |number: usize| json!({"tags": [format!("t{number}")], "throttles": [format!("t{number}")]});
    let links = |number: usize| json!({"dependencies": [open[number % HALF], open[(number + 1) % HALF]]});
    let rows: [(&str, &str, &Args, Options); 4] = [
        ("put 250 in the place of jobs with a tag each", "queue_put", &anew, &tag),
        ("put 250 in the place of jobs that wait for one each", "queue_put", &anew, &link),
        ("job_cancel, 250 with a tag and a throttle each", "job_cancel", &all("x", BATCH), &both),
        ("job_cancel, 250 that wait for two each", "job_cancel", &all("x", BATCH), &links),
    ];
    for (name, operation, undo, options) in rows {
        let job = |number: usize| {
            let jid = format!("x-{number:08}");
            ["laden".into(), "echo".into(), options(number).to_string(), "1".into(), jid, "1".into()]
        };
        let jobs: Args = (0..BATCH).flat_map(job).collect();
        crowd.call("queue_put", &jobs.chunks(6 * TURN).map(<[String]>::to_vec).collect::<Vec<_>>())?;
        crowd.measure(name, operation, std::slice::from_ref(undo))?;
    }
    crowd.call("job_cancel", &[all("l", HALF), all("o", HALF)])?;
    Ok(())
}

/// Fills the server.
pub fn build(crowd: &mut Crowd) -> Step {
    let put = |crowd: &mut Crowd, name: &str, calls: Vec<Args>| crowd.measure(name, "queue_put", &calls).map(drop);
    put(crowd, "put 250, until 1,000,000 wait", puts("w", WAITING, BATCH, queue("big"), &Json::Null))?;
    put(crowd, "put 250 scheduled", puts("s", SCHEDULED, BATCH, queue("later"), &json!({"delay_ms": MINUTE})))?;
    put(crowd, "put 250 with one tag", puts("t", MANY, BATCH, queue("tagged"), &json!({"tags": ["hot"]})))?;
    crowd.call("queue_put", &puts("root", 1, BATCH, queue("root"), &Json::Null))?;
    let waits = json!({"dependencies": ["root-00000000"]});
    put(crowd, "put 125 that wait for one job", puts("d", MANY, HALF, queue("children"), &waits))?;
    put(crowd, "put 250 into 250 queues", puts("m", 10 * QUEUES, BATCH, of_many, &Json::Null))?;
    let chain: Vec<String> = jids("c", 0, HALF);
    let linked = chain.iter().enumerate().flat_map(|(index, jid)| {
        let before = if index > 0 { json!({"dependencies": [chain[index - 1]]}).to_string() } else { String::new() };
        ["chain".into(), "echo".into(), before, "1".into(), jid.clone(), "1".into()]
    });
    put(crowd, "put a chain of 125", vec![linked.collect()])?;
    put(crowd, "put 250 again (replaced)", puts("w", 20 * BATCH, BATCH, queue("big"), &Json::Null))?;
    let held = json!({"throttles": ["narrow"]});
    crowd.ask("throttle_set", json!({"id": "narrow", "limit": 1}))?;
    put(crowd, "put 250 with a throttle", puts("h", MANY, BATCH, queue("held"), &held))?;

    crowd.call("queue_put", &puts("f", MANY, BATCH, queue("bad"), &Json::Null))?;
    let reserves = vec![reserve(BATCH, false, &["bad".into()]); MANY / BATCH];
    let taken = crowd.measure("reserve 250", "queue_reserve", &reserves)?;
    let failed = |[jid, token]: [String; 2]| [jid, token, "3".into(), "grp".into(), r#"{"message":"no"}"#.into()];
    let failing = |reply: &Value| {
        let items: Args = leases(reply).into_iter().flat_map(failed).collect();
        items.chunks(5 * HALF).map(<[String]>::to_vec).collect::<Vec<_>>()
    };
    let fails: Vec<Args> = taken.iter().flat_map(failing).collect();
    crowd.measure("fail 125", "job_fail", &fails)?;
    Ok(())
}

/// Reserves that find nothing, of one queue, of many, and by a worker of 1,000 queues.
pub fn idle(crowd: &mut Crowd) -> Step {
    let none = |first: usize, count: usize| (first..first + count).map(|n| format!("none-{n:04}")).collect::<Vec<_>>();
    let times = 1_000;
    crowd.measure("a worker's look at 1 queue", "queue_reserve", &vec![reserve(50, true, &none(0, 1)); times])?;
    crowd.measure(
        "reserve of nothing, 64 queues",
        "queue_reserve",
        &vec![reserve(50, true, &none(0, ASKED)); times],
    )?;
    let look = vec![json!({"within_ms": 2_000}).to_string()];
    crowd.measure("a worker's look at 1,000 queues", "queue_ready", &vec![look; times])?;
    Ok(())
}

/// Every way to look at it.
pub fn look(crowd: &mut Crowd) -> Step {
    let many = jids("w", 0, BATCH);
    let page = |more: Json| {
        let mut page = json!({"offset": 50_000, "limit": PAGE});
        page.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        page
    };
    for (name, operation, args) in [
        ("queue_counts", "queue_counts", json!({"queue": "big"})),
        ("queue_length", "queue_length", json!({"queue": "big"})),
        ("queue_list, 250", "queue_list", json!({"limit": BATCH})),
        ("queue_ready, 250 of 1,000", "queue_ready", json!({})),
        ("queue_peek, 25 at 50,000", "queue_peek", json!({"queue": "big", "offset": 50_000})),
        ("queue_peek, 150 of 250", "queue_peek", json!({"queue": "big", "limit": BATCH})),
        ("queue_stats", "queue_stats", json!({"queue": "bad"})),
        ("job_get with 100,000 dependents", "job_get", json!({"jid": "root-00000000"})),
        ("job_get_many, 150 of 250", "job_get_many", json!({"jids": many})),
        ("job_get_many, 150 of 250 failed", "job_get_many", json!({"jids": jids("f", 0, BATCH)})),
        ("job_list waiting, 250 at 50,000", "job_list", page(json!({"state": "waiting", "queue": "big"}))),
        ("job_list scheduled, 250 at 50,000", "job_list", page(json!({"state": "scheduled", "queue": "later"}))),
        ("job_list blocked, 250 at 50,000", "job_list", page(json!({"state": "blocked", "queue": "children"}))),
        ("failure_groups", "failure_groups", json!({})),
        ("failure_jobs, 250 at 50,000", "failure_jobs", page(json!({"group": "grp"}))),
        ("tag_list", "tag_list", json!({})),
        ("tag_jobs, 250 at 50,000", "tag_jobs", page(json!({"tag": "hot"}))),
        ("job_explain, the last of a million waiting", "job_explain", json!({"jid": format!("w-{:08}", WAITING - 1)})),
        ("job_explain, blocked", "job_explain", json!({"jid": "d-00000000"})),
        ("job_explain, failed", "job_explain", json!({"jid": "f-00000000"})),
        ("config_all", "config_all", json!({})),
    ] {
        crowd.measure_json(name, operation, &args, TIMES)?;
    }
    Ok(())
}

/// Changes by hand, and leases.
pub fn change(crowd: &mut Crowd) -> Step {
    let batches = |name: &str, first: usize, count: usize| -> Vec<Args> {
        (0..count).map(|n| vec![json!({"jids": jids(name, first + n * BATCH, BATCH)}).to_string()]).collect()
    };
    crowd.measure("job_track, 250", "job_track", &batches("w", 0, TIMES))?;
    crowd.measure_json("job_tracked, 250", "job_tracked", &json!({"limit": PAGE}), TIMES)?;
    crowd.measure("job_untrack, 250", "job_untrack", &batches("w", 0, TIMES))?;
    crowd.measure("job_cancel, 250 waiting", "job_cancel", &batches("w", 0, TIMES))?;
    crowd.measure("job_cancel, 250 with a tag", "job_cancel", &batches("t", 0, TIMES))?;
    crowd.measure("job_cancel, 250 that wait for one job", "job_cancel", &batches("d", 0, TIMES))?;
    crowd.measure("job_cancel, 250 scheduled", "job_cancel", &batches("s", 0, TIMES))?;
    crowd.measure("job_cancel, 250 failed", "job_cancel", &batches("f", 0, TIMES))?;
    crowd.measure(
        "job_cancel, a chain of 125",
        "job_cancel",
        &[vec![json!({"jids": jids("c", 0, HALF)}).to_string()]],
    )?;
    let each = |operation: &dyn Fn(&str) -> Json| -> Vec<Args> {
        jids("w", 30_000, 100).iter().map(|jid| vec![operation(jid).to_string()]).collect()
    };
    crowd.measure("job_prioritize", "job_prioritize", &each(&|jid| json!({"jid": jid, "priority": 3})))?;
    crowd.measure("job_tag", "job_tag", &each(&|jid| json!({"jid": jid, "tags": ["hot"]})))?;
    crowd.measure("job_untag", "job_untag", &each(&|jid| json!({"jid": jid, "tags": ["hot"]})))?;
    crowd.measure("job_requeue", "job_requeue", &each(&|jid| json!({"jid": jid, "queue": "big"})))?;
    crowd.measure("job_depend", "job_depend", &each(&|jid| json!({"jid": jid, "on": ["root-00000000"]})))?;
    crowd.measure("job_undepend", "job_undepend", &each(&|jid| json!({"jid": jid, "all": true})))?;
    let names: Vec<String> = (0..QUEUES).map(of_many).collect();
    crowd.measure_json("queue_pause, 250", "queue_pause", &json!({"queues": names[..BATCH]}), 1)?;
    crowd.measure_json("queue_unpause, 250", "queue_unpause", &json!({"queues": names[..BATCH]}), 1)?;
    lists(crowd)?;

    for number in 0..QUEUES {
        let status = json!({"queues": names[..ASKED], "kinds": ["echo"], "host": "bench-host", "pid": number});
        crowd.call("worker_pulse", &[vec![format!("host:{number}:0123abcd"), status.to_string()]])?;
    }
    crowd.measure_json("worker_list, 100", "worker_list", &json!({"limit": 100}), TIMES)?;
    crowd.measure_json("job_explain among 1,000 workers", "job_explain", &json!({"jid": "w-00900000"}), TIMES)?;

    crowd.measure("reserve 250 of a million", "queue_reserve", &vec![reserve(BATCH, false, &["big".into()]); 199])?;
    let last = crowd.call("queue_reserve", &[reserve(BATCH, false, &["big".into()])])?.remove(0);
    let kinds: Vec<String> = (0..QUEUES).map(|n| format!("kind-{n:04}")).collect();
    let mut pulse = vec![WORKER.to_owned(), json!({"queues": ["big"], "kinds": kinds}).to_string()];
    pulse.extend(leases(&last).into_iter().flatten());
    crowd.measure(
        "worker_pulse, 250 jobs and 1,000 kinds, nothing to renew",
        "worker_pulse",
        &vec![pulse.clone(); TIMES],
    )?;
    crowd.pass(MINUTE / 2)?;
    crowd.measure("worker_pulse, 250 jobs to renew", "worker_pulse", &[pulse])?;
    let held = leases(&last).into_iter().flatten().collect();
    crowd.measure("job_heartbeat, 250", "job_heartbeat", &[held])?;
    for state in ["running", "stalled"] {
        let args = json!({"queue": "big", "state": state, "offset": 50_000, "limit": PAGE});
        crowd.measure_json(&format!("job_list {state}, 250 at 50,000"), "job_list", &args, TIMES)?;
    }
    let args = json!({"worker": WORKER, "offset": 50_000, "limit": PAGE});
    crowd.measure_json("worker_jobs, 250 at 50,000", "worker_jobs", &args, TIMES)?;
    Ok(())
}

/// Long lists of what is not a job.
fn lists(crowd: &mut Crowd) -> Step {
    let templates: Vec<String> = (0..BATCH).map(|number| format!("r-{number:04}")).collect();
    for jid in &templates {
        let put =
            json!({"jid": jid, "queue": "hourly", "kind": "echo", "data": "{\"n\":1}", "interval_ms": 60 * MINUTE});
        crowd.ask("recurring_put", put)?;
        crowd.ask("throttle_set", json!({"id": jid, "limit": 5}))?;
    }
    let page = json!({"limit": BATCH});
    crowd.measure_json("throttle_list, 250", "throttle_list", &page, TIMES)?;
    let page = json!({"limit": BATCH, "queue": "hourly"});
    crowd.measure_json("recurring_list, 250", "recurring_list", &page, TIMES)?;
    crowd.measure_json("recurring_cancel, 250", "recurring_cancel", &json!({"jids": templates}), 1)?;
    Ok(())
}

/// Everything falls due, and is drained.
pub fn drain(crowd: &mut Crowd) -> Step {
    crowd.pass(MINUTE - MINUTE / 2 + 1)?;
    let moved_none = |reply: &Value| count(reply, "moved") == 0;
    let all = || vec!["{}".to_owned()];
    let stalled = json!({"queue": "big", "state": "stalled", "offset": 50_000, "limit": PAGE});
    crowd.measure_json("job_list stalled of 100,000, 250 at 50,000", "job_list", &stalled, TIMES)?;
    let first = vec![reserve(BATCH, false, &["later".into()]); 300];
    crowd.measure("reserve 250 while 190,000 are due", "queue_reserve", &first)?;
    crowd.repeat("sweep: leases of 100,000 end, 130,000 are due", "sweep", all, moved_none)?;
    crowd.pass(MINUTE)?;
    crowd.repeat("sweep: 100,000 graces end", "sweep", all, moved_none)?;
    crowd.pass(MINUTE)?;
    crowd.repeat("sweep: the rest", "sweep", all, moved_none)?;
    let unfail = || vec![json!({"group": "grp", "limit": 100}).to_string()];
    crowd.repeat("failure_unfail, 100", "failure_unfail", unfail, |reply| *reply == Value::Int(0))?;

    complete_all(crowd, "turns of 1 on the queue with 100,000 dependents", "root", 1)?;
    crowd.repeat("sweep: 90,000 dependents are freed", "sweep", all, moved_none)?;
    let one = vec![reserve(1, false, &["held".into()])];
    let held = crowd.measure("reserve 1 of 100,000 behind a full throttle", "queue_reserve", &one)?;
    crowd.measure("the same when it is taken", "queue_reserve", &vec![reserve(1, false, &["held".into()]); 100])?;
    crowd.measure_json(
        "throttle_set, a wide limit",
        "throttle_set",
        &json!({"id": "narrow", "limit": 1_000_000}),
        1,
    )?;
    crowd.repeat("sweep: throttled jobs wait again", "sweep", all, moved_none)?;
    let ended = leases(&held[0]);
    crowd.call("worker_turn", &[turn(&ended, 0, &["held".into()])])?;
    complete_all(crowd, "turns of 50 with a tag", "tagged", TURN)?;
    complete_all(crowd, "turns of 50 with a throttle", "held", TURN)?;
    complete_all(crowd, "turns of 50 of a million", "big", TURN)?;
    complete_all(crowd, "turns of 50 once retried", "later", TURN)?;
    complete_all(crowd, "turns of 50 once failed", "bad", TURN)?;
    complete_all(crowd, "turns of 50 once blocked", "children", TURN)?;
    thousand_queues(crowd)
}

/// Turns on one queue until it is empty.
fn complete_all(crowd: &mut Crowd, name: &str, queue: &str, limit: usize) -> Step {
    let queues = [queue.to_owned()];
    let ended = std::cell::RefCell::new(Vec::new());
    crowd.repeat(
        name,
        "worker_turn",
        || turn(&ended.borrow(), limit, &queues),
        |reply| {
            *ended.borrow_mut() = leases(&list(reply)[1]);
            ended.borrow().is_empty()
        },
    )?;
    Ok(())
}

/// One worker on 1,000 queues: turns on 64 of them after the other, until a whole round brings nothing.
fn thousand_queues(crowd: &mut Crowd) -> Step {
    let names: Vec<String> = (0..QUEUES).map(of_many).collect();
    let mut rounds = names.chunks(ASKED).cycle();
    let ended = std::cell::RefCell::new(Vec::new());
    let mut idle = 0;
    crowd.repeat(
        "turns of 50 on 64 of 1,000 queues",
        "worker_turn",
        || turn(&ended.borrow(), TURN, rounds.next().unwrap()),
        |reply| {
            *ended.borrow_mut() = leases(&list(reply)[1]);
            idle = if ended.borrow().is_empty() { idle + 1 } else { 0 };
            idle > QUEUES / ASKED
        },
    )?;
    Ok(())
}

/// Everything is drained, and `check` has nothing to say.
pub fn verify(crowd: &mut Crowd) -> Step {
    let left = crowd.ask("queue_list", json!({"limit": BATCH}))?;
    let Value::Map(members) = &left else { return Err("queue_list answers a map".into()) };
    for queue in members.iter().filter(|(name, _)| text(name) == "queues").flat_map(|(_, queues)| list(queues)) {
        let held: usize = ["waiting", "scheduled", "blocked", "throttled", "running", "stalled"]
            .iter()
            .map(|state| count(queue, state))
            .sum();
        if held > 0 {
            return Err(format!("not drained: {queue:?}").into());
        }
    }
    walk(crowd, "check at the end, steps of 200", 200)
}

/// `check` from its beginning to its end.
pub fn walk(crowd: &mut Crowd, name: &str, limit: usize) -> Step {
    let cursor = std::cell::RefCell::new(String::new());
    let mut rules = HashSet::new();
    crowd.repeat(
        name,
        "check",
        || vec![json!({"cursor": *cursor.borrow(), "limit": limit}).to_string()],
        |reply| {
            let Value::Map(members) = reply else { panic!("check answers a map, not {reply:?}") };
            for (name, value) in members {
                match text(name).as_str() {
                    "cursor" => *cursor.borrow_mut() = text(value),
                    "violations" => rules.extend(list(value).iter().take(3).map(|one| format!("{one:?}"))),
                    _ => {}
                }
            }
            cursor.borrow().is_empty()
        },
    )?;
    if rules.is_empty() { Ok(()) } else { Err(format!("check: {rules:?}").into()) }
}
