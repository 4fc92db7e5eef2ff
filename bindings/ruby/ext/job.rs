//! A reserved job as a Hash: Symbols to texts, numbers and lists; data stays the text it is.

use magnus::{Error, IntoValue, RArray, RHash, Ruby};
use manyhands::Job;
use manyhands::ops::Placed;

/// The fields of `job`, as lib/manyhands/job.rb reads them.
pub fn fields(ruby: &Ruby, job: Job) -> Result<RHash, Error> {
    let hash = ruby.hash_new();
    hash.aset(ruby.sym_new("jid"), job.jid)?;
    hash.aset(ruby.sym_new("kind"), job.kind)?;
    hash.aset(ruby.sym_new("queue"), job.queue)?;
    hash.aset(ruby.sym_new("data"), job.data)?;
    hash.aset(ruby.sym_new("priority"), job.priority)?;
    hash.aset(ruby.sym_new("retries"), job.retries)?;
    hash.aset(ruby.sym_new("remaining"), job.remaining)?;
    hash.aset(ruby.sym_new("token"), job.token)?;
    hash.aset(ruby.sym_new("put_at_ms"), job.put_at_ms)?;
    hash.aset(ruby.sym_new("worker"), job.worker)?;
    hash.aset(ruby.sym_new("tags"), job.tags)?;
    hash.aset(ruby.sym_new("route"), job.route)?;
    hash.aset(ruby.sym_new("throttles"), job.throttles)?;
    hash.aset(ruby.sym_new("headers"), ruby.hash_from_iter(job.headers))?;
    hash.aset(ruby.sym_new("parent"), job.parent)?;
    hash.aset(ruby.sym_new("tracked"), job.tracked)?;
    Ok(hash)
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
