//! Jobs that wait for others.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::job::State;
use crate::operations::{Reply, refuse, texts};
use crate::world::{Leftover, Link, World};

impl World {
    pub fn dependencies(&self, jid: &str) -> Vec<String> {
        let mut found: Vec<_> = self.links.iter().filter(|((from, _), _)| from == jid).collect();
        found.sort_by_key(|((_, to), link)| (link.since, to.clone()));
        found.into_iter().map(|((_, to), _)| to.clone()).collect()
    }

    pub fn dependents(&self, jid: &str) -> Vec<String> {
        let mut found: Vec<_> = self.links.iter().filter(|((_, to), link)| to == jid && !link.orphaned).collect();
        found.sort_by_key(|((from, _), link)| (link.since, from.clone()));
        found.into_iter().map(|((from, _), _)| from.clone()).collect()
    }

    pub fn unlink_all(&mut self, jid: &str) {
        self.links.retain(|(from, _), _| from != jid);
    }

    pub fn link(&mut self, jid: &str, on: &[String]) {
        for other in on {
            self.edit(other);
            let pair = (jid.to_owned(), other.clone());
            self.new_links.insert(pair.clone());
            self.links.insert(pair, Link { since: self.now, orphaned: false });
        }
    }

    /// Of `on`: those to wait for, and those that are completed or unknown.
    pub fn split(&self, on: &[String]) -> (Vec<String>, Vec<String>) {
        on.iter().cloned().partition(|jid| self.jobs.get(jid).is_some_and(|job| job.state != State::Completed))
    }

    pub fn would_wait_for_itself(&self, jid: &str, on: &[String]) -> bool {
        if self.dependents(jid).is_empty() {
            return on.iter().any(|other| other == jid);
        }
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

    /// A job is completed: those that came to wait for it in this very call go, and as many others as the call may still
    /// free. The rest is left to sweeps and reserves.
    pub fn free_dependents(&mut self, jid: &str) {
        let dependents = self.dependents(jid).into_iter();
        let (new, mut old): (Vec<_>, Vec<_>) =
            dependents.partition(|dependent| self.new_links.contains(&(dependent.clone(), jid.into())));
        let rest = old.split_off(old.len().min(self.free_budget));
        self.free_budget -= old.len();
        for dependent in old.iter().chain(&new) {
            self.free_dependent(dependent, jid);
        }
        for dependent in &rest {
            self.links.get_mut(&(dependent.clone(), jid.into())).expect("it waits").orphaned = true;
        }
        if !rest.is_empty() {
            self.leftovers.push(Leftover { at: self.now, number: 0, jid: jid.into(), dependents: rest });
        }
    }

    pub fn free_dependent(&mut self, dependent: &str, jid: &str) {
        self.links.remove(&(dependent.to_owned(), jid.to_owned()));
        if self.dependencies(dependent).is_empty() {
            self.unblock(dependent);
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
            self.remove(jid, true);
        }
        Ok(there.into())
    }
}
