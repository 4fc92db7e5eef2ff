//! A reserved job as a Hash: Symbols to texts, numbers and lists; data stays the text it is.

use magnus::{Error, RHash, Ruby};
use manyhands::Job;

/// The fields of `job`, as lib/manyhands/job.rb reads them.
pub fn fields(ruby: &Ruby, job: Job) -> Result<RHash, Error> {
    let hash = ruby.hash_new();
    hash.aset(ruby.to_symbol("jid"), job.jid)?;
    hash.aset(ruby.to_symbol("kind"), job.kind)?;
    hash.aset(ruby.to_symbol("queue"), job.queue)?;
    hash.aset(ruby.to_symbol("data"), job.data)?;
    hash.aset(ruby.to_symbol("priority"), job.priority)?;
    hash.aset(ruby.to_symbol("retries"), job.retries)?;
    hash.aset(ruby.to_symbol("remaining"), job.remaining)?;
    hash.aset(ruby.to_symbol("token"), job.token)?;
    hash.aset(ruby.to_symbol("put_at_ms"), job.put_at_ms)?;
    hash.aset(ruby.to_symbol("worker"), job.worker)?;
    hash.aset(ruby.to_symbol("tags"), job.tags)?;
    hash.aset(ruby.to_symbol("route"), job.route)?;
    hash.aset(ruby.to_symbol("throttles"), job.throttles)?;
    hash.aset(ruby.to_symbol("headers"), ruby.hash_from_iter(job.headers))?;
    hash.aset(ruby.to_symbol("parent"), job.parent)?;
    hash.aset(ruby.to_symbol("tracked"), job.tracked)?;
    Ok(hash)
}
