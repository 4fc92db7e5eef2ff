//! Kinds: what is said once of all jobs of a kind.

use std::collections::BTreeMap;
use std::ffi::c_char;
use std::sync::{Arc, PoisonError, RwLock};

use manyhands::ops::QueuePut;
use manyhands::{JobKind, Request};
use serde_json::value::RawValue;

use crate::client::mh_client;
use crate::error::{mh_code, mh_error};

/// The kinds that a client knows, by name.
#[derive(Default)]
pub(crate) struct Kinds(RwLock<BTreeMap<String, Arc<JobKind>>>);

impl Kinds {
    fn define(&self, kind: JobKind) {
        let mut kinds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(kind.name().to_owned(), Arc::new(kind));
    }

    pub fn get(&self, name: &str) -> Option<Arc<JobKind>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub fn all(&self) -> Vec<Arc<JobKind>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The arguments of an operation that puts, with the defaults of their kinds. None when they go as they are.
    pub fn fill_call(&self, operation: &str, args: &str) -> Option<String> {
        match operation {
            QueuePut::OPERATION => {
                let mut members: BTreeMap<String, &RawValue> = serde_json::from_str(args).ok()?;
                let jobs: Box<RawValue> = RawValue::from_string(self.fill(members.get("jobs")?.get())?).ok()?;
                members.insert("jobs".to_owned(), &jobs);
                serde_json::to_string(&members).ok()
            }
            "recurring_put" => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(args).ok()?;
                let name: String = serde_json::from_str(members.get("kind")?.get()).ok()?;
                Some(self.get(&name)?.fill_recurring(args))
            }
            _ => None,
        }
    }

    /// Jobs to put, a JSON array, with the defaults of their kinds. None when they are put as they are: there are no defaults, or
    /// it is no array of objects, which the put refuses.
    pub fn fill(&self, jobs: &str) -> Option<String> {
        let kinds = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if kinds.is_empty() {
            return None;
        }
        let each: Vec<&RawValue> = serde_json::from_str(jobs).ok()?;
        let filled = each.into_iter().map(|job| {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(job.get()).ok()?;
            let name: Option<String> = members.get("kind").and_then(|name| serde_json::from_str(name.get()).ok());
            let kind = name.and_then(|name| kinds.get(&name));
            Some(kind.map_or_else(|| job.get().to_owned(), |kind| kind.fill_job(job.get())))
        });
        Some(format!("[{}]", filled.collect::<Option<Vec<_>>>()?.join(",")))
    }
}

/// Say once what jobs of a kind are: how they are put unless a put says otherwise, and what holds for their runs. A program
/// that puts and one that performs may share the function that says it.
///
/// kind          Names the jobs and their handler. What was said of it before is replaced.
/// options_json  A JSON object, or NULL for none. For every put of this client, by mh_queue_put(), mh_queue_put_many(), or
///               "queue_put" and "recurring_put" of mh_client_call():
///               "queue"         where they are put when mh_queue_put() is given NULL, or the others name none.
///               "priority", "delay_ms", "retries", "tags", "route", "throttles", "headers"
///                               as in mh_queue_put(). One that a put has itself takes the place of this; lists are not merged.
///                               A recurring job has no delay.
///               For the runs of workers that are opened, and of jobs that mh_queue_reserve() takes, with this client later:
///               "timeout_ms"    how long a handler may run before mh_job_interrupted() says "timeout", 1 or more. Default: as
///                               the worker's options say; its "timeouts" come before this, and a put's own before both.
///               "retry_on"      an object: how long to wait before the next run after mh_job_error(), by class_name. Each
///                               is as "backoff_ms" of mh_queue_put().
///               "backoff_ms"    the same for all other classes; a put's own comes before it. Default: 1 s doubling to 1 h,
///                               ±10 %.
///               "discard_on"    a list of classes after which the job fails at once, whatever retries are left.
///
/// Returns MH_CODE_OK.
/// Returns MH_CODE_INVALID_ARGUMENT naming the option: also for a value that no put could have.
///
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_client_define(
    client: *mut mh_client,
    kind: *const c_char,
    options_json: *const c_char,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let client = handle!(client)?;
        let (kind, options) = (text!(kind)?, optional_text!(options_json)?);
        let kind = JobKind::from_json(kind, options.unwrap_or_default());
        client.kinds().define(kind.map_err(|error| error.renamed(&[("options ", "options_json ")]))?);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_get_the_defaults_of_their_own_kinds() {
        let kinds = Kinds::default();
        let jobs = r#"[{"kind":"a","data":1.50},{"kind":"b"},{"kind":7}]"#;
        assert_eq!(kinds.fill(jobs), None);
        kinds.define(JobKind::new("a").queue("q"));
        let filled = r#"[{"data":1.50,"kind":"a","queue":"q"},{"kind":"b"},{"kind":7}]"#;
        assert_eq!(kinds.fill(jobs).as_deref(), Some(filled));
        assert_eq!((kinds.fill("{}"), kinds.fill("[1]"), kinds.fill("[")), (None, None, None));
    }

    #[test]
    fn so_do_puts_by_the_name_of_the_operation() {
        let kinds = Kinds::default();
        kinds.define(JobKind::new("a").queue("q").delay_ms(5));
        let filled = |operation, args| kinds.fill_call(operation, args).unwrap_or_default();
        let put = r#"{"jobs":[{"data":1.50,"delay_ms":5,"kind":"a","queue":"q"}]}"#;
        assert_eq!(filled("queue_put", r#"{"jobs":[{"kind":"a","data":1.50}]}"#), put);
        let recurring = r#"{"interval_ms":1,"kind":"a","queue":"q"}"#;
        assert_eq!(filled("recurring_put", r#"{"kind":"a","interval_ms":1}"#), recurring);
        for args in [r#"{"kind":"b"}"#, r#"{"kind":7}"#, "{}", "[", r#"{"jobs":7}"#] {
            assert_eq!((filled("queue_put", args), filled("recurring_put", args)), (String::new(), String::new()));
        }
        assert_eq!(filled("job_get", r#"{"kind":"a"}"#), "");
    }
}
