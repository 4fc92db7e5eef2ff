//! Jobs that pass through the engine, in batches of 50, pipelined, history and stats on.

use redis::Value;

use crate::server::Pipeline;

/// How many completed jobs the engine keeps (jobs-history-count).
pub const HISTORY: usize = 50_000;
/// How many jobs a call has.
pub const BATCH: usize = 50;
/// The worker of all reservations.
pub const WORKER: &str = "bench-host:4242:0123abcd";

/// In the reply of a reserve whose jobs are all alike: the values before the first job.
const REPLY_HEAD: usize = 7;

/// Puts `jobs` jobs with a payload of `size` bytes.
pub fn put(pipeline: &mut Pipeline<'_>, jobs: usize, size: usize, round: usize) -> redis::RedisResult<()> {
    let data = format!("\"{}\"", "a".repeat(size - 2));
    let jids: Vec<String> = (0..jobs).map(|number| format!("{round:08x}{:024x}", number * 0x9e37_79b9)).collect();
    let calls: Vec<Vec<String>> = jids
        .chunks(BATCH)
        .map(|chunk| {
            let head = ["bench".into(), "echo".into(), String::new(), chunk.len().to_string()];
            head.into_iter().chain(chunk.iter().flat_map(|jid| [jid.clone(), data.clone()])).collect()
        })
        .collect();
    pipeline.call("queue_put", &calls).map(drop)
}

/// Reserves all `jobs`; what each reservation answered.
pub fn reserve(pipeline: &mut Pipeline<'_>, jobs: usize) -> redis::RedisResult<Vec<Value>> {
    let call = vec![WORKER.to_owned(), BATCH.to_string(), "0".to_owned(), "bench".to_owned()];
    pipeline.call("queue_reserve", &vec![call; jobs / BATCH])
}

/// Completes what was reserved.
pub fn complete(pipeline: &mut Pipeline<'_>, reserved: &[Value]) -> redis::RedisResult<()> {
    let lists = reserved.iter().filter_map(|reply| if let Value::Array(parts) = reply { Some(parts) } else { None });
    let calls: Vec<Vec<String>> = lists.map(|parts| completions(parts)).collect();
    pipeline.call("job_complete", &calls).map(drop)
}

/// What completes the jobs of a reserve's reply, which are all of one queue.
pub fn completions(parts: &[Value]) -> Vec<String> {
    let jids = jids(parts);
    let head = [text(&parts[0]), String::new(), "3".to_owned(), String::new(), jids.len().to_string()];
    head.into_iter().chain(jids).collect()
}

/// The jids in the reply of a reserve whose jobs are all alike. A job that says nothing behind its last NUL has a value more.
pub fn jids(reply: &[Value]) -> Vec<String> {
    let (mut jids, mut values) = (Vec::new(), reply.iter().skip(REPLY_HEAD));
    while let (Some(jid), Some(about)) = (values.next(), values.next()) {
        jids.push(text(jid));
        if text(about).ends_with('\0') {
            values.next();
        }
    }
    jids
}

fn text(value: &Value) -> String {
    redis::from_redis_value_ref(value).unwrap_or_default()
}
