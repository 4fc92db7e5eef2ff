//! A reserved job as a list of texts, numbers and lists; data stays the text it is.

use magnus::{Error, RArray, RClass, Ruby, prelude::*};
use manyhands::Job;
use manyhands::ops::Placed;

/// The fields of `job` in the order of `FIELDS` in lib/manyhands/job.rb; nil for what is empty of lists and headers, which few
/// handlers ask for. Its own timeout and backoff follow only where there is any.
pub fn fields(ruby: &Ruby, job: Job) -> Result<RArray, Error> {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let headers = (!job.headers.is_empty()).then(|| ruby.hash_from_iter(job.headers));
    let fields = ruby.ary_new_capa(16);
    fields.push(job.jid)?;
    fields.push(job.kind)?;
    fields.push(job.queue)?;
    fields.push(job.data)?;
    fields.push(job.priority)?;
    fields.push(job.retries)?;
    fields.push(job.remaining)?;
    fields.push(job.token)?;
    fields.push(job.put_at_ms)?;
    fields.push(job.worker)?;
    fields.push(some(job.tags))?;
    fields.push(some(job.route))?;
    fields.push(some(job.throttles))?;
    fields.push(headers)?;
    fields.push(job.parent)?;
    fields.push(job.tracked)?;
    if job.timeout_ms.is_some() || job.backoff.is_some() {
        fields.push(job.timeout_ms)?;
        fields.push(job.backoff.map(|backoff| backoff.to_json()))?;
    }
    Ok(fields)
}

/// What became of puts, each an object of `class`: a frozen `Placed` (lib/manyhands/put.rb).
pub fn placed(ruby: &Ruby, placed: Vec<Placed>, class: RClass) -> Result<RArray, Error> {
    let list = ruby.ary_new_capa(placed.len());
    // Nearly all say the same: they share it.
    let none = ruby.ary_new();
    none.freeze();
    let mut said = (String::new(), ruby.str_new(""));
    for Placed { jid, outcome, satisfied } in placed {
        if outcome != said.0 {
            let text = ruby.str_new(&outcome);
            text.freeze();
            said = (outcome, text);
        }
        let satisfied = if satisfied.is_empty() { none } else { ruby.ary_from_iter(satisfied) };
        let one = class.new_instance((jid, said.1, satisfied))?;
        one.freeze();
        list.push(one)?;
    }
    Ok(list)
}
