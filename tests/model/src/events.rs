//! What is told of what happens: the rules of docs/protocol.md, "Events".

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::job::{Job, State};
use crate::world::{Touched, World};

/// Something told, on a channel.
#[derive(Clone, Debug)]
pub struct Event {
    pub channel: String,
    pub message: Json,
    /// It tells what was told already, to a worker: the stream has it once.
    pub again: bool,
    /// What is told in one turn comes before all of the next; in one turn may be many units, each with its own order.
    turn: usize,
    unit: usize,
    /// The end of the lease that is over: those of the same instant come in any order.
    over_at: Option<i64>,
}

/// Where a call is in its turns.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    turn: usize,
    unit: usize,
    /// What follows is one turn: nobody says in which order queues are swept, or throttles freed.
    pub together: bool,
}

impl Event {
    /// As it stands in the stream, which has once what is told twice.
    pub fn kept_in(&self, stream: &str) -> Option<Event> {
        (!self.again).then(|| Event { channel: stream.to_owned(), ..self.clone() })
    }
}

impl World {
    fn told_of(&self, job: &Job) -> bool {
        self.all_events || job.tracked
    }

    /// Tells that `what` happened to a job.
    pub fn note(&mut self, jid: &str, job: &Job, what: &str) {
        let mut message = self.message(jid, job, what);
        if self.jobs.get(jid).is_some_and(Job::is_running) {
            message["worker"] = job.worker.clone().into();
        }
        self.send(format!("event:{what}"), message, false);
    }

    fn message(&self, jid: &str, job: &Job, what: &str) -> Json {
        json!({"event": what, "jid": jid, "queue": job.queue, "kind": job.kind, "at_ms": self.now})
    }

    fn send(&mut self, channel: String, message: Json, again: bool) {
        let Turns { turn, unit, .. } = self.turns;
        self.events.push(Event { channel, message, again, turn, unit, over_at: None });
    }

    /// Tells what became of a unit's jobs, in the order in which they were touched.
    pub fn tell(&mut self, unit: &[Touched]) {
        for touched in unit {
            let jid = &touched.jid;
            let Some(job) = self.jobs.get(jid).or(touched.gone.as_ref()).cloned() else { continue };
            let told = self.events.len();
            let what = touched.name(&job).filter(|_| self.told_of(&job));
            if let Some(what) = what {
                self.note(jid, &job, what);
            }
            let before = touched.before.as_ref().filter(|before| before.state.is_running());
            if let (Some(before), Some(news)) = (before, touched.news(&job)) {
                let mut message = self.message(jid, &job, news);
                message["worker"] = before.worker.clone().into();
                self.send(format!("worker-event:{}", before.worker), message, what == Some(news));
            }
            let over_at = before.filter(|_| touched.is_over(&job)).map(|before| before.lease_until);
            self.events[told..].iter_mut().for_each(|event| event.over_at = over_at);
        }
        self.turns.unit += 1;
        self.end_turn();
    }

    pub fn end_turn(&mut self) {
        self.turns.turn += usize::from(!self.turns.together);
    }
}

impl Touched {
    /// What is told of the job as it is now; None for what nobody asks about.
    fn name(&self, job: &Job) -> Option<&'static str> {
        if self.gone.is_some() {
            return self.cancelled.then_some("cancelled");
        }
        let before = self.before.as_ref();
        let moved = before.is_none_or(|before| before.state != job.state);
        if job.is_running() {
            let stalls = before.is_some_and(|before| !before.in_grace) && job.grace_until.is_some();
            return if moved { Some("reserved") } else { stalls.then_some("stalled") };
        }
        let anew = self.replaced || before.is_none_or(|before| before.state.is_over() || before.queue != job.queue);
        if anew && !job.state.is_over() { Some("put") } else { moved.then_some(job.state.name()) }
    }

    /// Whether its lease ended, or it was given back.
    fn is_over(&self, job: &Job) -> bool {
        self.news(job).is_some_and(|news| news != "cancelled") || job.state == State::Waiting
    }

    /// What the worker that had the job must know.
    fn news(&self, job: &Job) -> Option<&'static str> {
        if self.cancelled {
            return Some("cancelled");
        }
        if job.lost.is_some() {
            return Some("lost");
        }
        self.name(job).filter(|name| *name == "stalled")
    }
}

/// Compares what was to be told with what was heard, as channels and messages.
pub fn agree(expected: &[Event], heard: &[(String, Json)]) -> Result<(), String> {
    let mut left: Vec<_> = (0..expected.len()).collect();
    let (mut turn, mut of_units, mut of_jobs) = (0, BTreeMap::new(), BTreeMap::new());
    for (channel, message) in heard {
        let same = |index: &usize| expected[*index].channel == *channel && expected[*index].message == *message;
        let Some(at) = left.iter().position(same) else {
            return Err(format!("  {channel} told {message}\n  expected {}", shown(expected, &left)));
        };
        let index = left.remove(at);
        let event = &expected[index];
        let last_of_unit = of_units.insert(event.unit, index).unwrap_or(0);
        let last_of_job = of_jobs.insert(event.message["jid"].as_str(), index).unwrap_or(0);
        let alike = event.over_at.is_some() && event.over_at == expected[last_of_unit].over_at;
        if event.turn < turn || (index < last_of_unit && !alike) || index < last_of_job {
            return Err(format!("  too late: {channel} told {message}"));
        }
        turn = event.turn;
    }
    if left.is_empty() { Ok(()) } else { Err(format!("  nobody told\n  {}", shown(expected, &left))) }
}

fn shown(expected: &[Event], left: &[usize]) -> String {
    let lines: Vec<_> =
        left.iter().map(|index| format!("{} {}", expected[*index].channel, expected[*index].message)).collect();
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n  ") }
}
