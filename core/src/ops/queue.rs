//! Operations of a queue: put, reserve.

use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::group::{self, Item};
use super::items;
use super::job::{Common, Job};
use super::put::Put;
use super::reply;
use crate::check;
use crate::error::{Code, Error, Result};
use crate::identity;
use crate::json::{self, Fields};
use crate::request::{Args, Request, Value};

/// Most tags and throttles of one put of several jobs, each dependency counted twice.
const MOST_EXTRAS: usize = 250;
/// Most bytes of data of one put of several jobs.
const MOST_BYTES: usize = 8 << 20;
/// How the engine begins to say that they have too much in their places already.
const TOO_MUCH_THERE: &str = "jobs that exist already have more than";
/// Most queues of one reserve.
pub(crate) const MAX_QUEUES: usize = 64;

/// What became of one put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The job's id.
    pub jid: String,
    /// `put`, `replaced`, `kept` (the old job was left), or `exists` (refused by [`super::OnConflict::Reject`]).
    pub outcome: String,
    /// Those of its dependencies that it need not wait for: completed, or unknown.
    pub satisfied: Vec<String>,
}

impl Placed {
    /// This put, or `JOB_EXISTS` when it was refused.
    ///
    /// # Errors
    /// [`Code::JobExists`] when the outcome is `exists`.
    pub fn accepted(self) -> Result<Placed> {
        match self.refusal() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// Reads one answer: the outcome, or a list of it and the satisfied dependencies.
    fn decode(jid: String, answer: Value) -> Result<Placed> {
        let Value::Array(parts) = answer else {
            return Ok(Placed { jid, outcome: reply::text(answer)?, satisfied: Vec::new() });
        };
        let mut texts = parts.into_iter().map(reply::text);
        let outcome =
            texts.next().unwrap_or_else(|| Err(Error::internal("the engine answered an empty list to a put")))?;
        Ok(Placed { jid, outcome, satisfied: texts.collect::<Result<_>>()? })
    }

    fn refusal(&self) -> Option<Error> {
        (self.outcome == "exists").then(|| {
            Error::new(Code::JobExists, format!("job {} exists already", self.jid))
                .about(&self.jid)
                .during(QueuePut::OPERATION)
        })
    }

    fn write_json(&self, out: &mut String) {
        out.push('{');
        if let Some(error) = self.refusal() {
            *out += &format!("\"error\":{},", Json::Object(error.to_map()));
        }
        out.push_str("\"jid\":");
        json::push_quoted(&self.jid, out);
        out.push_str(",\"outcome\":");
        json::push_quoted(&self.outcome, out);
        out.push_str(",\"satisfied\":[");
        for (index, jid) in self.satisfied.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            json::push_quoted(jid, out);
        }
        out.push_str("]}");
    }
}

/// Puts 1 to 250 jobs, in order, in one step: all or none. [`QueuePut::split`] makes as many requests of it as it takes.
///
/// Source: core/src/engine/ops/queue_put.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuePut {
    jobs: Vec<Put>,
    /// Of a larger put: how many jobs come before these, and how many it has.
    before: usize,
    of: usize,
    /// Nothing is wrong with them.
    checked: bool,
}

impl QueuePut {
    /// A put of these jobs. A job without a jid gets one now, so that a repeated call names the same job.
    pub fn new(jobs: impl IntoIterator<Item = Put>) -> QueuePut {
        QueuePut::of(jobs.into_iter().collect(), false)
    }

    fn of(mut jobs: Vec<Put>, checked: bool) -> QueuePut {
        let without = jobs.iter().filter(|job| job.jid.is_none()).count();
        let places = jobs.iter_mut().map(|job| &mut job.jid).filter(|jid| jid.is_none());
        places.zip(identity::jids(without)).for_each(|(place, jid)| *place = Some(jid));
        QueuePut { before: 0, of: jobs.len(), jobs, checked }
    }

    /// The jobs themselves.
    pub(crate) fn into_jobs(self) -> Vec<Put> {
        self.jobs
    }

    /// The same jobs as requests of which each is one step, in order.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the job and its argument: what is wrong with any of them is said before the first is put.
    pub fn split(self) -> Result<Vec<QueuePut>> {
        self.check()?;
        let of = self.jobs.len();
        let (mut parts, mut part, mut extras, mut bytes) = (Vec::new(), Vec::new(), 0, 0);
        for (index, job) in self.jobs.into_iter().enumerate() {
            (extras, bytes) = (extras + job.extras(), bytes + job.data.len());
            if part.len() == check::MAX_ITEMS || (!part.is_empty() && (extras > MOST_EXTRAS || bytes > MOST_BYTES)) {
                (extras, bytes) = (job.extras(), job.data.len());
                let jobs = std::mem::take(&mut part);
                parts.push(QueuePut { before: index - jobs.len(), of, jobs, checked: true });
            }
            part.push(job);
        }
        parts.push(QueuePut { before: of - part.len(), of, jobs: part, checked: true });
        Ok(parts)
    }

    fn check(&self) -> Result<()> {
        if self.checked {
            return Ok(());
        }
        if self.jobs.is_empty() {
            return Err(Error::invalid("jobs is empty"));
        }
        let checked = |(index, job): (usize, &Put)| {
            job.check().map_err(|error| super::in_item(error, self.before + index, self.of))
        };
        self.jobs.iter().enumerate().try_for_each(checked)
    }

    /// What to put instead of one part that was refused: its halves, where what is there already is too much for one step.
    ///
    /// # Errors
    /// What else went wrong, said of the whole.
    pub(crate) fn instead(&self, error: Error) -> Result<Vec<QueuePut>> {
        if self.jobs.len() < 2 || !error.message.starts_with(TOO_MUCH_THERE) {
            return Err(self.of_the_whole(error));
        }
        let (first, second) = self.jobs.split_at(self.jobs.len() / 2);
        let half = |before, jobs: &[Put]| QueuePut { before, of: self.of, jobs: jobs.to_vec(), checked: true };
        Ok(vec![half(self.before, first), half(self.before + first.len(), second)])
    }

    fn of_the_whole(&self, error: Error) -> Error {
        if self.before == 0 {
            return error;
        }
        let place = error.message.strip_prefix("jobs[").and_then(|rest| rest.split_once(']'));
        let message = match place.and_then(|(index, rest)| Some((index.parse::<usize>().ok()?, rest))) {
            Some((index, rest)) => format!("jobs[{}]{rest}", self.before + index),
            None if error.code == Code::InvalidArgument && self.jobs.len() == 1 => {
                format!("jobs[{}].{}", self.before, error.message)
            }
            None => error.message,
        };
        Error { message: format!("{message}; the {} jobs before jobs[{}] are put", self.before, self.before), ..error }
    }

    /// The jobs, each with its jid.
    pub fn jobs(&self) -> &[Put] {
        &self.jobs
    }

    pub(crate) fn from_json(text: &str) -> Result<QueuePut> {
        QueuePut::from_json_to(text, None)
    }

    fn from_json_to(text: &str, queue: Option<&str>) -> Result<QueuePut> {
        let mut fields = Fields::parse(text, "")?;
        let jobs = items::take(&mut fields, |job| Put::from_fields(job, queue))?;
        fields.end()?;
        Ok(QueuePut::new(jobs))
    }

    /// A put of the jobs of a JSON array: objects of `queue`, `kind`, `data` and the options of [`Put::with_options`]. For the
    /// hosts, whose jobs are JSON already. `queue`: where those go that name none.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the job and its argument.
    pub fn from_list(jobs_json: &str, queue: Option<&str>) -> Result<QueuePut> {
        if let Some(jobs) = Put::plainly(jobs_json, queue).filter(|jobs| !jobs.is_empty()) {
            return Ok(QueuePut::of(jobs, true));
        }
        // One value and no more, so that it can become a member.
        serde_json::from_str::<&RawValue>(jobs_json)
            .map_err(|error| Error::invalid(format!("jobs is not JSON: {error}")))
            .and_then(|jobs| QueuePut::from_json_to(&format!("{{\"jobs\":{jobs}}}"), queue))
            .map_err(|error| error.during(QueuePut::OPERATION))
    }

    /// What the operation answers, as JSON.
    pub fn reply_json(reply: &[Placed]) -> String {
        let mut out = String::with_capacity(2 + 80 * reply.len());
        out.push('[');
        for (index, placed) in reply.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            placed.write_json(&mut out);
        }
        out.push(']');
        out
    }

    /// Its arguments.
    pub(crate) fn encoded(&self) -> Result<Args> {
        let mut args = Args::new();
        self.encode(&mut args)?;
        Ok(args)
    }

    /// The engine's answer, of one part for each job, unread.
    pub(crate) fn answers(&self, value: Value) -> Result<Vec<Value>> {
        reply::per_item(value, self.jobs.len(), Ok)
    }

    /// Reads these.
    pub(crate) fn read(mut self, answers: Vec<Value>, placed: &mut Vec<Placed>) -> Result<()> {
        for (index, answer) in answers.into_iter().enumerate() {
            let jid = self.jobs[index].jid.take().unwrap_or_default();
            placed.push(Placed::decode(jid, answer).map_err(|error| self.of_the_whole(error))?);
        }
        Ok(())
    }
}

impl Request for QueuePut {
    const OPERATION: &'static str = "queue_put";
    type Reply = Vec<Placed>;

    fn encode(&self, args: &mut Args) -> Result<()> {
        self.check()?;
        check::count(self.jobs.len(), "jobs", check::MAX_ITEMS)?;
        let items = self.jobs.iter().map(|job| Item {
            common: [job.queue.as_str().into(), job.kind.as_str().into(), job.options().into()],
            alike: [],
            own: [job.jid.as_deref().unwrap_or_default().into(), job.data.as_str().into()],
        });
        group::encode(&items.collect::<Vec<_>>(), args);
        Ok(())
    }

    fn decode(&self, value: Value) -> Result<Vec<Placed>> {
        let outcomes = reply::per_item(value, self.jobs.len(), Ok)?;
        self.jobs
            .iter()
            .zip(outcomes)
            .map(|(job, outcome)| Placed::decode(job.jid.clone().unwrap_or_default(), outcome))
            .collect()
    }
}

/// Takes up to `limit` jobs under a lease, in one step. Does not wait.
///
/// Order: the queues as listed; in each, larger priority first, then first put.
///
/// Source: core/src/engine/ops/queue_reserve.lua
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueReserve {
    /// Who takes them: a worker name.
    pub worker: String,
    /// 1 to 64 queues.
    pub queues: Vec<String>,
    /// Most jobs to take, 0 to 250. 0 takes none, passes a wake token on, and does not look for what is due.
    pub limit: i64,
    /// What each queue that has jobs gets of the limit.
    pub share: Share,
}

/// What each queue that has jobs gets of a reserve's limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Share {
    /// What those before it leave.
    #[default]
    InOrder,
    /// As much as any other, and of what is left in order.
    Equal,
    /// As much as its weight says, and of what is left in order.
    Weighted {
        /// Of each queue, 1 to 1000.
        weights: Vec<u32>,
        /// 0 to 999999, drawn anew for each call: decides who gets what cannot be parted.
        draw: u32,
    },
}

impl Share {
    /// Most that a queue counts against another.
    pub(crate) const MOST_WEIGHT: i64 = 1_000;

    fn take(fields: &mut Fields) -> Result<Share> {
        let shares = fields.boolean("share")?.unwrap_or(false);
        let draw = fields.integer_in("draw", 0, 999_999)?;
        let path = fields.path("weights");
        let Some(weights) = fields.raw("weights")?.filter(|weights| weights != "null") else {
            return Ok(if shares { Share::Equal } else { Share::InOrder });
        };
        let wrong = |_| Error::invalid(format!("{path} is not a list of whole numbers"));
        Ok(Share::Weighted { weights: serde_json::from_str(&weights).map_err(wrong)?, draw: draw.unwrap_or(0) as u32 })
    }

    fn encode(&self, queues: usize) -> Result<String> {
        let Share::Weighted { weights, draw } = self else {
            return Ok(if *self == Share::Equal { "1" } else { "0" }.to_owned());
        };
        if weights.len() != queues {
            return Err(Error::invalid(format!("weights has {} entries for {queues} queues", weights.len())));
        }
        for (index, weight) in weights.iter().enumerate() {
            check::integer(i64::from(*weight), &format!("weights[{index}]"), 1, Share::MOST_WEIGHT)?;
        }
        let weights: Vec<String> = weights.iter().map(u32::to_string).collect();
        Ok(format!("{draw}:{}", weights.join(",")))
    }
}

impl From<bool> for Share {
    fn from(equal: bool) -> Share {
        if equal { Share::Equal } else { Share::InOrder }
    }
}

/// What a reserve took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// The jobs, all under one token.
    pub jobs: Vec<Job>,
    /// Microseconds until something of these queues becomes due, if anything will.
    pub next_due_us: Option<u64>,
    /// Grows whenever the set of queues changes.
    pub queues_version: i64,
}

impl QueueReserve {
    pub(super) fn from_json(text: &str, worker: &str) -> Result<QueueReserve> {
        let mut fields = Fields::parse(text, "")?;
        let request = QueueReserve::take(&mut fields, worker)?;
        fields.end()?;
        Ok(request)
    }

    pub(super) fn take(fields: &mut Fields, worker: &str) -> Result<QueueReserve> {
        Ok(QueueReserve {
            worker: fields.text("worker")?.unwrap_or_else(|| worker.to_owned()),
            queues: fields.texts("queues")?.ok_or_else(|| Error::invalid("queues is missing"))?,
            limit: fields.integer("limit")?.unwrap_or(1),
            share: Share::take(fields)?,
        })
    }

    /// Appends `worker limit share`, the opening of reserve and of worker_turn.
    pub(super) fn encode_head(&self, args: &mut Args) -> Result<()> {
        check::name(&self.worker, "worker")?;
        check::integer(self.limit, "limit", 0, check::MAX_ITEMS as i64)?;
        if self.queues.is_empty() {
            return Err(Error::invalid("queues is empty"));
        }
        check::names(&self.queues, "queues", MAX_QUEUES)?;
        args.text(&self.worker).integer(self.limit).text(&self.share.encode(self.queues.len())?);
        Ok(())
    }

    pub(super) fn decode_reserved(&self, value: Value) -> Result<Reserved> {
        let mut parts = reply::list(value)?.into_iter();
        let mut next = || parts.next().ok_or_else(|| Error::internal("the engine's answer to a reserve is too short"));
        let token = reply::text(next()?)?;
        let next_due = reply::integer(next()?)?;
        let queues_version = reply::integer(next()?)?;
        let mut jobs = Vec::with_capacity(parts.len() / 2);
        while let Some(queue) = parts.next() {
            // Where values are missing, nil makes the decoding say so.
            let mut next = || parts.next().unwrap_or(Value::Nil);
            let common = Common::decode([queue, next(), next()], &token, &self.worker)?;
            for _ in 0..reply::natural(next())? {
                jobs.push(common.job(&mut next)?);
            }
        }
        Ok(Reserved { jobs, next_due_us: u64::try_from(next_due).ok(), queues_version })
    }
}

impl Request for QueueReserve {
    const OPERATION: &'static str = "queue_reserve";
    type Reply = Reserved;

    fn encode(&self, args: &mut Args) -> Result<()> {
        self.encode_head(args)?;
        for queue in &self.queues {
            args.text(queue);
        }
        Ok(())
    }

    fn decode(&self, value: Value) -> Result<Reserved> {
        self.decode_reserved(value)
    }
}

impl Reserved {
    pub(super) fn to_json(&self) -> String {
        let jobs: Vec<String> = self.jobs.iter().map(Job::to_json).collect();
        let due = self.next_due_us.map_or("null".to_owned(), |due| due.div_ceil(1000).to_string());
        format!("{{\"jobs\":[{}],\"next_due_ms\":{due},\"queues_version\":{}}}", jobs.join(","), self.queues_version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_the_arguments_are() {
        let lists = [
            r#"[{"queue":"q","kind":"k","jid":"a"}]"#,
            r#" [ {"kind":"k\u00e9","queue":"q","data":{"b": 1.0,"a":[null]},"jid":"a"},{"queue":"q","kind":"k","jid":"b"}] "#,
            r#"[{"queue":"q","kind":"k","jid":"a","delay_ms":5.0,"tags":["x"],"headers":{"h":"v"},"retries":null}]"#,
            r#"[{"queue":"q","kind":"k","jid":"a","data":null,"\u0070riority":5}]"#,
            r#"[{"queue":"q","kind":"k","kind":"l","jid":"a"}]"#,
            r#"[{"queue":"q","kind":"k","jid":"a","priority":128}]"#,
            r#"[{"queue":"q","kind":"k","jid":"a"},{"queue":"q","kind":"","jid":"b"}]"#,
            r#"[{"queue":"q","kind":"k","jid":"a"},{"queue":"q","jid":"b"}]"#,
            r#"[{"queue":"q","kind":"k","jid":"a","prio":1}]"#,
            r#"[{"queue":"q","kind":"k","jid":"a"},7]"#,
            "[]",
            "{}",
            "null",
        ];
        for list in lists {
            let said = |put: Result<QueuePut>| put.and_then(QueuePut::split).map_err(|error| error.message);
            let whole = QueuePut::from_json(&format!("{{\"jobs\":{list}}}"));
            assert_eq!(said(QueuePut::from_list(list, None)), said(whole), "{list}");
        }
        for deep in [128, 129] {
            let data = format!("{}{}", "[".repeat(deep), "]".repeat(deep));
            let put = QueuePut::from_list(&format!("[{{\"kind\":\"k\",\"data\":{data}}}]"), Some("q"));
            assert_eq!(put.and_then(QueuePut::split).is_ok(), deep == 128);
        }
    }

    #[test]
    fn a_job_goes_where_it_says_or_where_all_go() {
        let queues = |list, queue| QueuePut::from_list(list, queue).map(|put| put.jobs[1].queue.clone());
        // Read at once, and read by name: a member is written in an unusual way.
        for list in [r#"[{"queue":"o","kind":"k"},{"kind":"k"}]"#, r#"[{"queue":"o","kind":"k"},{"\u006bind":"k"}]"#] {
            assert_eq!(queues(list, Some("q")).unwrap(), "q");
            assert_eq!(queues(list, None).unwrap_err().message, "jobs[1].queue is missing");
        }
    }

    #[test]
    fn what_is_no_list_cannot_say_other_arguments() {
        for text in ["[", "[],\"x\":1", "[{\"queue\":\"q\",\"kind\":\"k\",\"data\":NaN}]", "[] []"] {
            let error = QueuePut::from_list(text, None).unwrap_err();
            assert!(error.message.starts_with("jobs is not JSON: "), "{text}: {error}");
        }
    }

    #[test]
    fn outcomes_are_told_as_json() {
        let placed = |jid: &str, outcome: &str, satisfied: &[&str]| Placed {
            jid: jid.to_owned(),
            outcome: outcome.to_owned(),
            satisfied: satisfied.iter().map(|jid| (*jid).to_owned()).collect(),
        };
        let reply = QueuePut::reply_json(&[placed("a\"é", "put", &["b", "c"]), placed("d", "exists", &[])]);
        let reply: Json = serde_json::from_str(&reply).unwrap();
        assert_eq!(reply[0], serde_json::json!({"jid": "a\"é", "outcome": "put", "satisfied": ["b", "c"]}));
        assert_eq!((&reply[1]["outcome"], &reply[1]["error"]["name"]), (&"exists".into(), &"JOB_EXISTS".into()));
        assert_eq!(QueuePut::reply_json(&[]), "[]");
    }
}
