//! Answers the scenario runner through the crate's typed surface. The protocol: tests/README.md.

mod typed;

use std::collections::HashMap;
use std::io::stdin;

use manyhands::ops::{
    Again, Completion, Ended, Failure, JobComplete, JobFail, JobHeartbeat, JobRelease, JobRetry, JobSnooze, Lease,
    Pause, QueueReserve, Share,
};
use manyhands::{Answer, Client, Error, Placed, Put, Result};
use serde_json::{Value as Json, json};

fn text(fields: &Json, name: &str) -> String {
    fields[name].as_str().unwrap_or_default().to_owned()
}

fn span(fields: &Json, name: &str) -> Result<u64> {
    let number = fields[name].as_i64().unwrap_or(0);
    u64::try_from(number).map_err(|_| Error::invalid(format!("{name} {number} is negative")))
}

fn texts(fields: &Json, name: &str) -> Vec<String> {
    fields[name].as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
}

fn json_text(fields: &Json, name: &str) -> Option<String> {
    fields.get(name).map(Json::to_string)
}

/// A job's own arguments, apart from what `Put::with_options` reads.
fn put_of(job: &Json) -> Result<Put> {
    let mut options = job.clone();
    for name in ["queue", "kind", "data"] {
        options.as_object_mut().and_then(|fields| fields.remove(name));
    }
    let put = Put::new(text(job, "kind")).queue(text(job, "queue")).data(job["data"].to_string());
    put.with_options(&options.to_string())
}

fn placed(placed: Vec<Placed>) -> String {
    let list =
        placed.into_iter().map(|one| json!({"jid": one.jid, "outcome": one.outcome, "satisfied": one.satisfied}));
    Json::Array(list.collect()).to_string()
}

fn put(client: &Client, jobs: &[Json]) -> Result<String> {
    let mut puts = jobs.iter().map(put_of).collect::<Result<Vec<_>>>()?;
    let queue = client.queue(text(&jobs[0], "queue"));
    match puts.len() {
        1 => queue.put(puts.remove(0)).map(|one| placed(vec![one])),
        _ => queue.put_many(puts).map(placed),
    }
}

fn reserve(client: &Client, args: &Json) -> Result<String> {
    let queues = args["queues"].as_array().cloned().unwrap_or_default();
    let reserved = client.send(QueueReserve {
        worker: text(args, "worker"),
        queues: queues.iter().map(|queue| queue.as_str().unwrap_or_default().to_owned()).collect(),
        limit: args["limit"].as_i64().unwrap_or(1),
        share: share_of(args),
    })?;
    let jobs: Vec<String> = reserved.jobs.iter().map(manyhands::Job::to_json).collect();
    let (due, version) = (json!(reserved.next_due_us.map(|us| us.div_ceil(1000))), reserved.queues_version);
    Ok(format!("{{\"jobs\":[{}],\"next_due_ms\":{due},\"queues_version\":{version}}}", jobs.join(",")))
}

fn lease(job: &Json) -> Lease {
    Lease { jid: text(job, "jid"), token: text(job, "token") }
}

fn ended<How>(jobs: &[Json], how: fn(&Json) -> Result<How>) -> Result<Vec<Ended<How>>> {
    let ended = |job| {
        let Lease { jid, token } = lease(job);
        Ok(Ended { jid, token, run_ms: span(job, "run_ms")?, how: how(job)? })
    };
    jobs.iter().map(ended).collect()
}

fn completion(job: &Json) -> Result<Completion> {
    let queue = job["queue"].as_str().map(str::to_owned);
    let (result, data) = (json_text(job, "result"), json_text(job, "data"));
    let dependencies = texts(job, "dependencies");
    Ok(Completion { result, queue, data, delay_ms: span(job, "delay_ms")?, dependencies })
}

fn failure(job: &Json) -> Result<Failure> {
    Ok(Failure { group: text(job, "group"), message: text(job, "message"), trace: text(job, "trace") })
}

fn again(job: &Json) -> Result<Again> {
    let Failure { group, message, trace } = failure(job)?;
    Ok(Again { delay_ms: span(job, "delay_ms")?, group, message, trace })
}

fn pause(job: &Json) -> Result<Pause> {
    Ok(Pause { delay_ms: span(job, "delay_ms")? })
}

/// Per job its state or its error, as the door writes them.
fn answered(jobs: &[Json], name: &str, answers: Vec<Result<Json>>) -> String {
    let item = |(job, answer): (&Json, Result<Json>)| match answer {
        Ok(value) => json!({"jid": job["jid"], name: value}),
        Err(error) => json!({"jid": job["jid"], "error": error_of(&error)}),
    };
    Json::Array(jobs.iter().zip(answers).map(item).collect()).to_string()
}

fn end(client: &Client, operation: &'static str, jobs: &[Json]) -> Result<String> {
    let answers: Vec<Answer> = match operation {
        "job_complete" => client.send(JobComplete { jobs: ended(jobs, completion)? })?,
        "job_fail" => client.send(JobFail { jobs: ended(jobs, failure)? })?,
        "job_retry" => client.send(JobRetry { jobs: ended(jobs, again)? })?,
        "job_snooze" => client.send(JobSnooze { jobs: ended(jobs, pause)? })?,
        _ => client.send(JobRelease { jobs: jobs.iter().map(lease).collect() })?,
    };
    let answers = jobs.iter().zip(answers).map(|(job, answer)| {
        answer.accepted(&text(job, "jid")).map(Json::from).map_err(|error| error.during(operation))
    });
    Ok(answered(jobs, "outcome", answers.collect()))
}

fn heartbeat(client: &Client, jobs: &[Json]) -> Result<String> {
    let answers = client.send(JobHeartbeat { jobs: jobs.iter().map(lease).collect() })?;
    Ok(answered(jobs, "lease_ms", answers.into_iter().map(|answer| answer.map(Json::from)).collect()))
}

/// The value of a setting, in milliseconds where it is a span.
fn setting(client: &Client, args: &Json) -> Result<String> {
    if args["name"] == "events" && args["queue"].is_null() {
        return client.config().events().map(|which| Json::from(which).to_string());
    }
    let value = client.config().get(&text(args, "name"), args["queue"].as_str())?;
    Ok(value.map_or("\"off\"".to_owned(), |value| value.to_string()))
}

fn set(client: &Client, args: &Json) -> Result<String> {
    if let ("events", Some(which), true) = (&*text(args, "name"), args["value"].as_str(), args["queue"].is_null()) {
        client.config().set_events(which)?;
        return Ok("null".to_owned());
    }
    client.config().set(&text(args, "name"), args["value"].as_i64(), args["queue"].as_str())?;
    Ok("null".to_owned())
}

fn share_of(args: &Json) -> Share {
    let weights = args["weights"].as_array().map(|list| list.iter().filter_map(Json::as_u64).map(|one| one as u32));
    let draw = args["draw"].as_u64().unwrap_or(0) as u32;
    weights.map_or(Share::from(args["share"] == true), |weights| Share::Weighted { weights: weights.collect(), draw })
}

/// The door, for what has no method by intent. Other arguments that no method takes, the engine must refuse too.
fn door(client: &Client, operation: &str, arguments: &str, args: &Json) -> Result<String> {
    let many = |name: &str| args[name].as_array().is_some_and(|list| list.len() > 1);
    let intended = match operation {
        "engine_version" | "queue_ready" | "worker_lost" | "worker_pulse" | "worker_turn" => true,
        "queue_put" => many("jobs"),
        "queue_forget" | "queue_pause" | "queue_unpause" => many("queues"),
        "recurring_cancel" => many("jids"),
        "check" => args["cursor"].is_string() || args["limit"].is_u64(),
        "config_set" => args["name"] == "test-clock",
        _ => false,
    };
    let reply = client.call(operation, arguments)?;
    if intended { Ok(reply) } else { Err(Error::internal(format!("no method takes {operation} {arguments}"))) }
}

fn perform(client: &Client, operation: &str, arguments: &str) -> Result<String> {
    let args: Json = serde_json::from_str(arguments).expect("the runner sends JSON");
    let jobs = args["jobs"].as_array().map_or(&[][..], Vec::as_slice);
    let one_queue = !jobs.is_empty() && jobs.iter().all(|job| job["queue"] == jobs[0]["queue"]);
    match operation {
        "queue_put" if one_queue => put(client, jobs),
        "queue_reserve" => reserve(client, &args),
        "queue_stats" => client.queue(text(&args, "queue")).stats(args["day"].as_str()),
        "job_complete" => end(client, "job_complete", jobs),
        "job_fail" => end(client, "job_fail", jobs),
        "job_retry" => end(client, "job_retry", jobs),
        "job_snooze" => end(client, "job_snooze", jobs),
        "job_release" => end(client, "job_release", jobs),
        "job_heartbeat" => heartbeat(client, jobs),
        "config_get" => setting(client, &args),
        "config_set" if args["value"].is_i64() || args["value"].is_null() || args["name"] == "events" => {
            set(client, &args)
        }
        "close" => {
            client.close();
            Ok("null".to_owned())
        }
        _ => match typed::perform(client, operation, &args) {
            Some(reply) => reply.map(|reply| reply.to_string()),
            None => door(client, operation, arguments, &args),
        },
    }
}

fn open(options: &str) -> Result<Client> {
    let mut options: Json = serde_json::from_str(options).expect("the runner sends JSON");
    let url = options.as_object_mut().and_then(|fields| fields.remove("url"));
    Client::open(url.as_ref().and_then(Json::as_str), &options.to_string())
}

fn error_of(error: &Error) -> Json {
    serde_json::from_str(&error.to_json()).expect("an error's JSON is JSON")
}

fn main() {
    let mut clients: HashMap<String, Client> = HashMap::new();
    for line in stdin().lines() {
        let line = line.expect("the runner sends UTF-8");
        let [label, options, operation, arguments] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not a request: {line}")
        };
        let client = match clients.get(label) {
            Some(client) => Ok(client.clone()),
            None => open(options).inspect(|client| drop(clients.insert(label.to_owned(), client.clone()))),
        };
        match client.and_then(|client| perform(&client, operation, arguments)) {
            Ok(reply) => println!("{{\"reply\":{reply}}}"),
            Err(error) => println!("{{\"error\":{}}}", error_of(&error)),
        }
    }
}
