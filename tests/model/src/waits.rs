//! Jobs that wait for others.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::operations::{Reply, refuse, texts};
use crate::world::{State, World};

impl World {
    pub fn dependencies(&self, jid: &str) -> Vec<String> {
        let mut found: Vec<_> = self.links.iter().filter(|((from, _), _)| from == jid).collect();
        found.sort_by_key(|((_, to), at)| (**at, to.clone()));
        found.into_iter().map(|((_, to), _)| to.clone()).collect()
    }

    pub fn dependents(&self, jid: &str) -> Vec<String> {
        let mut found: Vec<_> = self.links.iter().filter(|((_, to), _)| to == jid).collect();
        found.sort_by_key(|((from, _), at)| (**at, from.clone()));
        found.into_iter().map(|((from, _), _)| from.clone()).collect()
    }

    pub fn unlink_all(&mut self, jid: &str) {
        self.links.retain(|(from, _), _| from != jid);
    }

    pub fn link(&mut self, jid: &str, on: &[String]) {
        for other in on {
            self.edit(other);
            self.links.insert((jid.into(), other.clone()), self.now);
        }
    }

    /// Of `on`: those to wait for, and those that are completed or unknown.
    pub fn split(&self, on: &[String]) -> (Vec<String>, Vec<String>) {
        on.iter().cloned().partition(|jid| self.jobs.get(jid).is_some_and(|job| job.state != State::Completed))
    }

    pub fn would_wait_for_itself(&self, jid: &str, on: &[String]) -> bool {
        let (mut seen, mut line) = (BTreeSet::new(), on.to_vec());
        while let Some(other) = line.pop() {
            if other == jid {
                return true;
            }
            if seen.insert(other.clone()) {
                line.extend(self.dependencies(&other));
            }
        }
        false
    }

    /// Nothing is left that a job waits for.
    pub fn unblock(&mut self, jid: &str) {
        let now = self.now;
        let (state, due) = (self.edit(jid).state, self.edit(jid).ready_at);
        if state != State::Blocked {
        } else if due > now {
            self.schedule(jid, due);
        } else {
            self.wait(jid, now, false);
        }
    }

    pub fn free_dependents(&mut self, jid: &str) {
        for dependent in self.dependents(jid) {
            self.links.remove(&(dependent.clone(), jid.into()));
            if self.dependencies(&dependent).is_empty() {
                self.unblock(&dependent);
            }
        }
    }

    pub fn job_depend(&mut self, args: &Json) -> Reply {
        let jid = self.existing(args)?;
        let job = &self.jobs[&jid];
        if job.is_running() || job.state.is_over() {
            return refuse("WRONG_STATE");
        }
        let on = texts(&args["on"]);
        if args["missing"] == "reject" && on.iter().any(|other| !self.jobs.contains_key(other)) {
            return refuse("UNKNOWN_DEPENDENCY");
        }
        let (open, satisfied) = self.split(&on);
        if self.would_wait_for_itself(&jid, &open) {
            return refuse("CYCLE");
        }
        if !open.is_empty() {
            let due = job.ready_at;
            self.link(&jid, &open);
            self.block(&jid, due);
        }
        Ok(satisfied.into())
    }

    pub fn job_undepend(&mut self, args: &Json) -> Reply {
        let jid = self.existing(args)?;
        let all = args["all"] == true;
        let on = texts(&args["on"]);
        self.links.retain(|(from, to), _| *from != jid || !(all || on.contains(to)));
        if self.jobs[&jid].state == State::Blocked && self.dependencies(&jid).is_empty() {
            self.unblock(&jid);
        }
        Ok(self.jobs[&jid].state.name().into())
    }

    pub fn job_cancel(&mut self, args: &Json) -> Reply {
        let jids = texts(&args["jids"]);
        if jids.iter().any(|jid| self.dependents(jid).iter().any(|dependent| !jids.contains(dependent))) {
            return refuse("HAS_DEPENDENTS");
        }
        let there: Vec<_> = jids.into_iter().filter(|jid| self.jobs.contains_key(jid)).collect();
        for jid in &there {
            if self.jobs[jid].is_running() {
                self.cancelled.insert(jid.clone(), self.jobs[jid].token);
            }
            self.unlink_all(jid);
            self.remove(jid);
        }
        Ok(there.into())
    }
}
