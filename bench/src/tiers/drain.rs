//! Jobs drained by a language's worker command, and by the engine alone.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use manyhands::{Client, Put};
use redis::Connection;

use crate::Done;
use crate::ceiling::{Alone, Ceiling};
use crate::master::{Language, Master, Setting};
use crate::server::{Meters, Server};

const PUT_AT_ONCE: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// One drain, per job.
pub struct Drain {
    pub jobs_per_second: f64,
    /// Seconds of processor time of the command and all its processes.
    pub runtime: f64,
    /// Seconds of processor time of the server.
    pub server: f64,
    /// Of processes one after another: each one's last completion to the next one's first reservation, in ms.
    pub gaps: Vec<f64>,
}

/// Puts them; their jids.
fn put(client: &Client, jobs: usize) -> manyhands::Result<Vec<String>> {
    let mut jids = Vec::with_capacity(jobs);
    while jids.len() < jobs {
        let put = (jids.len()..jobs)
            .take(PUT_AT_ONCE)
            .map(|number| Put::new("noop").data(format!("{{\"number\": {number}}}")));
        jids.extend(client.queue("bench").put_many(put)?.into_iter().map(|placed| placed.jid));
    }
    Ok(jids)
}

/// A server that keeps this many completed jobs: none is forgotten within a drain.
fn keeping(jobs: usize) -> Done<(Server, Client)> {
    let server = Server::start("tiers")?;
    let client = Client::open(Some(&server.url()), "")?;
    client.config().set("jobs-history-count", Some(jobs as i64), None)?;
    Ok((server, client))
}

/// What the engine does with such jobs, as many having passed before.
pub fn ceiling(jobs: usize) -> Done<Ceiling> {
    let (server, client) = keeping(2 * jobs)?;
    let mut alone = Alone::on(&server)?;
    put(&client, jobs)?;
    alone.drain()?;
    let jids = put(&client, jobs)?;
    let used = alone.drain()?;
    Ok(Ceiling { jobs_per_second: rate(&mut server.connect()?, &jids)?, server: used / jobs as f64 })
}

/// With a limit of jobs per process, those of processes one after another; else by processes that have performed as many before.
pub fn drain(language: &Language, setting: Setting, jobs: usize) -> Done<Drain> {
    let before = if setting.per_fork == 0 { jobs } else { 0 };
    let (server, client) = keeping(before + jobs)?;
    let mut connection = server.connect()?;
    client.queue("bench").pause()?;
    put(&client, before)?;
    let master = Master::start(language, &server, setting)?;
    empty(&client)?;
    let jids = put(&client, jobs)?;
    let (runtime, used) = (master.used_cpu(), Meters(&mut connection).used_cpu()?);
    empty(&client)?;
    let (runtime, used) = (master.used_cpu() - runtime, Meters(&mut connection).used_cpu()? - used);
    master.stop()?;
    Ok(Drain {
        jobs_per_second: rate(&mut connection, &jids)?,
        runtime: runtime / jobs as f64,
        server: used / jobs as f64,
        gaps: if setting.per_fork == 0 { Vec::new() } else { gaps(&client, &jids)? },
    })
}

/// How many of these, which are the last that were completed, were completed a second: of the middle eight tenths, as the first wake
/// processes one after another, and the last are in few hands.
fn rate(connection: &mut Connection, jids: &[String]) -> Done<f64> {
    let jobs = jids.len();
    let completed: Vec<(String, f64)> =
        redis::cmd("ZRANGE").arg("{mh}:completed").arg(-(jobs as i64)).arg(-1).arg("WITHSCORES").query(connection)?;
    let here: HashSet<&str> = completed.iter().map(|(jid, _)| jid.as_str()).collect();
    if !jids.iter().all(|jid| here.contains(jid.as_str())) {
        return Err(format!("some of {jobs} jobs are not in the history").into());
    }
    let (first, last) = (jobs / 10, jobs - 1 - jobs / 10);
    Ok((last - first) as f64 * 1e3 / (completed[last].1 - completed[first].1))
}

/// Lets the paused queue's jobs go until none is left, and pauses it again.
fn empty(client: &Client) -> Done<()> {
    let queue = client.queue("bench");
    queue.unpause()?;
    let deadline = Instant::now() + PATIENCE;
    while queue.length()? > 0 {
        if Instant::now() > deadline {
            return Err(format!("{} jobs are left after {PATIENCE:?}", queue.length()?).into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    queue.pause()?;
    Ok(())
}

/// By the histories of the jobs.
fn gaps(client: &Client, jids: &[String]) -> manyhands::Result<Vec<f64>> {
    let mut processes: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for some in jids.chunks(250) {
        for job in client.jobs(some.iter().cloned())?.into_iter().flatten() {
            let entry = |what: &str| job.history.iter().rev().find(|entry| entry.what == what);
            let (Some(reserved), Some(completed)) = (entry("reserved"), entry("completed")) else { continue };
            let worker = reserved.worker.clone().unwrap_or_default();
            let span = processes.entry(worker).or_insert((i64::MAX, i64::MIN));
            *span = (span.0.min(reserved.at_ms), span.1.max(completed.at_ms));
        }
    }
    let mut spans: Vec<(i64, i64)> = processes.into_values().collect();
    spans.sort_unstable();
    Ok(spans.windows(2).map(|pair| (pair[1].0 - pair[0].1) as f64).collect())
}
