//! A reserved job as a list of texts, numbers and lists; data stays the text it is.

use magnus::{Error, IntoValue, RArray, Ruby};
use manyhands::Job;
use manyhands::ops::Placed;

/// The fields of `job` in the order of `FIELDS` in lib/manyhands/job.rb; nil for what is empty of lists and headers, which few
/// handlers ask for.
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
    Ok(fields)
}

/// What became of puts, each as the list of which lib/manyhands/put.rb makes a Placed.
pub fn placed(ruby: &Ruby, placed: Vec<Placed>) -> Result<RArray, Error> {
    let rows = ruby.ary_new_capa(placed.len());
    for Placed { jid, outcome, satisfied } in placed {
        let satisfied = ruby.ary_from_iter(satisfied);
        let row = [jid.into_value_with(ruby), outcome.into_value_with(ruby), satisfied.into_value_with(ruby)];
        rows.push(ruby.ary_new_from_values(&row))?;
    }
    Ok(rows)
}
