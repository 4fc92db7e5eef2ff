//! What is said once of all jobs of a kind.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};

use crate::backoff::Backoff;
use crate::check;
use crate::client::{Client, Recurring, RecurringPut};
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::middleware::RetryRules;
use crate::ops::{Placed, Put, QueuePut};
use crate::request::Request;
use crate::worker::Outcome;

/// Options of a put that are of one job, and so of no kind.
const OF_ONE_JOB: [&str; 4] = ["jid", "dependencies", "missing", "on_conflict"];

/// A kind of jobs: the options that its puts have unless they say otherwise, how long a handler may run, and what follows an error.
///
/// ```no_run
/// # fn main() -> manyhands::Result<()> {
/// use std::sync::LazyLock;
/// use std::time::Duration;
///
/// use manyhands::{Backoff, Client, JobKind, Outcome, Worker};
///
/// static WELCOME: LazyLock<JobKind> = LazyLock::new(|| {
///     let kind = JobKind::new("welcome").queue("mail").retries(3).timeout(Duration::from_secs(30));
///     kind.backoff(Backoff::fixed(Duration::from_secs(10)))
/// });
///
/// let client = Client::open(None, "")?;
/// WELCOME.put(&client, r#"{"to": "ann@example.com"}"#)?;
/// WELCOME.put_with(&client, r#"{"to": "bob@example.com"}"#, |job| job.delay_ms(5_000))?;
///
/// let worker = Worker::open(&client, r#"{"queues": ["mail"]}"#)?;
/// worker.perform(&WELCOME, |job| {
///     println!("welcome, {}", job.data);
///     Outcome::DONE
/// })?.serve()
/// # }
/// ```
///
/// What is wrong with it is said by [`JobKind::checked`], and else when it is first used: by a put, or by [`Worker::perform`].
///
/// [`Worker::perform`]: crate::Worker::perform
#[derive(Clone, Debug)]
pub struct JobKind {
    /// A job as it is put. Without a queue each put names its own.
    job: Put,
    timeout: Option<Duration>,
    rules: RetryRules,
}

impl JobKind {
    /// A kind without defaults. `name`: 1 to 255 bytes.
    pub fn new(name: impl Into<String>) -> JobKind {
        JobKind { job: Put::new(name), timeout: None, rules: RetryRules::new() }
    }

    /// Where its jobs are put. Default: each put names its queue.
    #[must_use]
    pub fn queue(self, queue: impl Into<String>) -> JobKind {
        self.with(|job| job.queue(queue))
    }

    /// The priority of its jobs, -128 to 127, larger first. Default 0.
    #[must_use]
    pub fn priority(self, priority: i64) -> JobKind {
        self.with(|job| job.priority(priority))
    }

    /// Milliseconds until its jobs may run. Default 0.
    #[must_use]
    pub fn delay_ms(self, delay_ms: i64) -> JobKind {
        self.with(|job| job.delay_ms(delay_ms))
    }

    /// How often its jobs may run again, 0 to 255. Default 5.
    #[must_use]
    pub fn retries(self, retries: i64) -> JobKind {
        self.with(|job| job.retries(retries))
    }

    /// The labels of its jobs, at most 32. Default none.
    #[must_use]
    pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> JobKind {
        self.with(|job| job.tags(tags))
    }

    /// The queues its jobs go through after the first, at most 64. Default none.
    #[must_use]
    pub fn route<T: Into<String>>(self, queues: impl IntoIterator<Item = T>) -> JobKind {
        self.with(|job| job.route(queues))
    }

    /// The throttles that limit its jobs, at most 32. Default none.
    #[must_use]
    pub fn throttles<T: Into<String>>(self, ids: impl IntoIterator<Item = T>) -> JobKind {
        self.with(|job| job.throttles(ids))
    }

    /// Texts that go with its jobs through all stages: at most 32, with 4 KiB in all, names too. Default none.
    #[must_use]
    pub fn headers<K: Into<String>, V: Into<String>>(self, headers: impl IntoIterator<Item = (K, V)>) -> JobKind {
        self.with(|job| job.headers(headers))
    }

    /// How long a handler may run, in whole milliseconds from 1. Default: as the worker says. A put's own timeout comes before it.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> JobKind {
        JobKind { timeout: Some(timeout), ..self }
    }

    /// How long its jobs wait after an error that no rule names. Default: 1 s doubling to an hour. A put's own comes before it.
    #[must_use]
    pub fn backoff(self, backoff: Backoff) -> JobKind {
        JobKind { rules: self.rules.otherwise(backoff), ..self }
    }

    /// When its jobs run again after an error, by the error's class. They take the place of an earlier [`JobKind::backoff`];
    /// those around the handler ([`Worker::with`](crate::Worker::with)) come before them.
    #[must_use]
    pub fn rules(self, rules: RetryRules) -> JobKind {
        JobKind { rules, ..self }
    }

    /// The same from a JSON object, or an empty text: `queue`, `priority`, `delay_ms`, `retries`, `tags`, `route`, `throttles`,
    /// `headers`, `timeout_ms`; `backoff_ms`, as [`Backoff::from_json`] reads it; `retry_on`, an object of the same by class of
    /// error; `discard_on`, a list of classes.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming what is wrong or unknown.
    pub fn from_json(name: &str, options_json: &str) -> Result<JobKind> {
        let mut fields = Fields::parse(if options_json.is_empty() { "{}" } else { options_json }, "options")?;
        if let Some(name) = fields.names().iter().find(|name| OF_ONE_JOB.contains(&name.as_str())) {
            return Err(Error::invalid(format!("{} is of one job, not of a kind", fields.path(name))));
        }
        let mut kind = JobKind::new(name);
        kind.job.queue = fields.text("queue")?.unwrap_or_default();
        let timeout_ms = fields.integer_in("timeout_ms", 1, check::MAX_SPAN_MS)?;
        kind.timeout = timeout_ms.map(|ms| Duration::from_millis(ms as u64));
        kind.rules = RetryRules::take(&mut fields)?;
        kind.job.take_options(&mut fields)?;
        fields.end()?;
        kind.checked()
    }

    /// This kind, if nothing is wrong with it.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the default that no put could have.
    pub fn checked(self) -> Result<JobKind> {
        self.check()?;
        Ok(self)
    }

    pub(crate) fn check(&self) -> Result<()> {
        if let Some(timeout) = self.timeout {
            let ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            check::integer(ms, "timeout", 1, check::MAX_SPAN_MS)?;
        }
        match self.job.queue.as_str() {
            "" => self.job.clone().queue("any").check(),
            _ => self.job.check(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.job.kind
    }

    /// A job of this kind with its defaults, to be changed and put, with others as well. `data`: JSON text.
    pub fn job(&self, data: impl Into<String>) -> Put {
        self.job.clone().data(data)
    }

    /// Puts one of its jobs. `data`: JSON text.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it has no queue; those of [`Queue::put`](crate::Queue::put).
    pub fn put(&self, client: &Client, data: impl Into<String>) -> Result<Placed> {
        self.put_with(client, data, |job| job)
    }

    /// The same with other options than its defaults: those that `change` sets. Lists take each other's place.
    ///
    /// # Errors
    /// Those of [`JobKind::put`].
    pub fn put_with(
        &self,
        client: &Client,
        data: impl Into<String>,
        change: impl FnOnce(Put) -> Put,
    ) -> Result<Placed> {
        let job = change(self.job(data));
        if job.queue.is_empty() {
            return Err(self.without_queue().during(QueuePut::OPERATION));
        }
        client.queue(job.queue.clone()).put(job)
    }

    /// A job of this kind every `interval_ms` milliseconds, with its defaults but for the delay, to be changed and put by
    /// [`Queue::put_recurring`](crate::Queue::put_recurring). `data`: JSON text.
    pub fn recurring(&self, data: impl Into<String>, interval_ms: i64) -> RecurringPut {
        let Put { priority, retries, tags, route, throttles, headers, .. } = self.job.clone();
        let job = RecurringPut { priority, retries, ..RecurringPut::new(self.name(), interval_ms) };
        job.data(data).tags(tags).route(route).throttles(throttles).headers(headers)
    }

    /// From now on puts one of its jobs every `interval_ms` milliseconds, with the options that `change` sets instead of its
    /// defaults: at least a jid, or there is one more each time. `data`: JSON text.
    ///
    /// ```no_run
    /// # use manyhands::{Client, JobKind};
    /// # let client = Client::open(None, "")?;
    /// let count = JobKind::new("count").queue("reports").retries(1);
    /// count.put_recurring(&client, "null", 3_600_000, |job| job.jid("hourly"))?;
    /// # Ok::<(), manyhands::Error>(())
    /// ```
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when it has no queue; those of [`Queue::put_recurring`](crate::Queue::put_recurring).
    pub fn put_recurring(
        &self,
        client: &Client,
        data: impl Into<String>,
        interval_ms: i64,
        change: impl FnOnce(RecurringPut) -> RecurringPut,
    ) -> Result<Recurring> {
        let queue = self.default_queue().ok_or_else(|| self.without_queue().during("recurring_put"))?;
        client.queue(queue).put_recurring(change(self.recurring(data, interval_ms)))
    }

    /// Where its jobs are put, if it says so.
    pub fn default_queue(&self) -> Option<&str> {
        Some(self.job.queue.as_str()).filter(|queue| !queue.is_empty())
    }

    /// The options of a put, a JSON object, with the defaults where it says nothing or null. An empty text stands for no options.
    /// What is no object is given back as it is: the put refuses it.
    pub fn fill(&self, options_json: &str) -> String {
        self.filled(options_json, None)
    }

    /// The same for one of a list of jobs to put, which may have a queue among its members.
    pub fn fill_job(&self, job_json: &str) -> String {
        self.filled(job_json, self.default_queue())
    }

    /// The same for the arguments of `recurring_put`, which know no delay.
    pub fn fill_recurring(&self, args_json: &str) -> String {
        JobKind { job: self.job.clone().delay_ms(0), ..self.clone() }.fill_job(args_json)
    }

    /// How long a handler may run, if it says so.
    pub fn default_timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// What becomes of one of its jobs, which had spent so many retries before and has a backoff of its own or none, after such a
    /// run. For who ends a job without a worker.
    pub fn ruled(&self, spent: u32, own: Option<&Backoff>, outcome: Outcome) -> Outcome {
        self.rules.apply(self.name(), spent, own, outcome)
    }

    fn without_queue(&self) -> Error {
        Error::invalid(format!("queue is missing: {} has no default", self.name()))
    }

    fn filled(&self, json: &str, queue: Option<&str>) -> String {
        let text = if json.is_empty() { "{}" } else { json };
        let Ok(mut members) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text) else {
            return json.to_owned();
        };
        let defaults = self.job.options();
        let mut defaults: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&defaults).unwrap_or_default();
        if let Some(Ok(queue)) = queue.map(to_raw_value) {
            defaults.insert("queue".to_owned(), queue);
        }
        members.retain(|_, value| value.get() != "null");
        for (name, default) in defaults {
            members.entry(name).or_insert(default);
        }
        serde_json::to_string(&members).unwrap_or_else(|_| json.to_owned())
    }

    /// What a worker is to know: how long a handler may run, and what follows its errors.
    pub(crate) fn of_runs(&self) -> (Option<Duration>, RetryRules) {
        (self.timeout, self.rules.clone())
    }

    fn with(self, change: impl FnOnce(Put) -> Put) -> JobKind {
        JobKind { job: change(self.job), ..self }
    }
}
