//! A reserved job as a list of texts, numbers and lists; data stays the text it is.

use magnus::value::{Opaque, ReprValue};
use magnus::{Error, IntoValue, RArray, RClass, RString, Ruby, gc, prelude::*};
use manyhands::Job;
use manyhands::ops::Placed;

/// The texts that a job mostly has in common with the job before, which share them: frozen strings.
#[derive(Default)]
pub struct Repeated {
    kind: Text,
    queue: Text,
    token: Text,
    worker: Text,
}

#[derive(Default)]
struct Text {
    last: String,
    string: Option<Opaque<RString>>,
}

impl Repeated {
    /// Whoever keeps these where the collector does not look has to say that they are in use.
    pub fn mark(&self, marker: &gc::Marker) {
        for text in [&self.kind, &self.queue, &self.token, &self.worker] {
            text.string.inspect(|string| marker.mark(*string));
        }
    }
}

impl Text {
    fn string(&mut self, ruby: &Ruby, text: String) -> RString {
        match self.string {
            Some(string) if self.last == text => ruby.get_inner(string),
            _ => {
                let string = ruby.str_new(&text);
                string.freeze();
                (self.last, self.string) = (text, Some(string.into()));
                string
            }
        }
    }
}

/// The fields of `job` in the order of `FIELDS` in lib/manyhands/job.rb; nil for what is empty of lists and headers, which few
/// handlers ask for. Its own timeout and backoff follow only where there is any.
pub fn fields(ruby: &Ruby, job: Job, repeated: &mut Repeated) -> Result<RArray, Error> {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list).into_value_with(ruby);
    let headers = (!job.headers.is_empty()).then(|| ruby.hash_from_iter(job.headers));
    let fields = ruby.ary_new_from_values(&[
        job.jid.into_value_with(ruby),
        repeated.kind.string(ruby, job.kind).as_value(),
        repeated.queue.string(ruby, job.queue).as_value(),
        job.data.into_value_with(ruby),
        job.priority.into_value_with(ruby),
        job.retries.into_value_with(ruby),
        job.remaining.into_value_with(ruby),
        repeated.token.string(ruby, job.token).as_value(),
        job.put_at_ms.into_value_with(ruby),
        repeated.worker.string(ruby, job.worker).as_value(),
        some(job.tags),
        some(job.route),
        some(job.throttles),
        headers.into_value_with(ruby),
        job.parent.into_value_with(ruby),
        job.tracked.into_value_with(ruby),
    ]);
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
