//! Throttles: who holds them, who waits for them.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::job::State;
use crate::operations::{Reply, text};
use crate::world::{Leftover, World, of_queue};

/// So many jobs are called forward, or freed as dependents, by one call; what is left is done by sweeps and reserves.
pub const AT_ONCE: usize = 100;
/// What it costs to look at a throttle, in jobs called forward.
const LOOK: usize = 5;
/// So many throttles and completed jobs are looked at by a sweep or reserve.
const MOST_LOOKS: usize = 64;

impl World {
    pub fn limit(&self, id: &str) -> Option<(i64, Option<i64>)> {
        self.throttles.get(id).copied().filter(|(_, until)| until.is_none_or(|until| until > self.now))
    }

    /// Of a queue's own throttle.
    pub fn ranked_holders(&self, queue: &str) -> Vec<(usize, String)> {
        self.ranked(
            |job| job.is_running() && job.queue == queue,
            |job| (job.grace_until.is_some(), job.grace_until.unwrap_or(job.lease_until)),
        )
    }

    pub fn holders(&self, id: &str) -> Vec<String> {
        match id.strip_prefix("queue:") {
            Some(queue) => self.ranked_holders(queue).into_iter().map(|(_, jid)| jid).collect(),
            None => self.pick(
                |job| job.is_running() && job.throttles.iter().any(|own| own == id),
                |jid, job| (job.reserved_at, jid.to_owned()),
            ),
        }
    }

    pub fn pending(&self, id: &str) -> Vec<String> {
        self.pick(|job| job.state == State::Throttled && job.pending.as_deref() == Some(id), |_, job| job.place())
    }

    pub fn room(&self, id: &str) -> Option<i64> {
        Some(self.limit(id)?.0 - self.holders(id).len() as i64)
    }

    /// A job's throttles: its queue's, and its own.
    pub fn throttles_of(&self, jid: &str) -> Vec<String> {
        let job = &self.jobs[jid];
        let mut ids = vec![of_queue(&job.queue)];
        ids.extend(job.throttles.iter().cloned());
        ids
    }

    /// The throttle that keeps a job from running: the first that is full.
    pub fn full_throttle(&self, jid: &str) -> Option<String> {
        self.throttles_of(jid).into_iter().find(|id| self.room(id).is_some_and(|room| room <= 0))
    }

    /// Throttles that were let go of call others forward.
    pub fn forward_freed(&mut self, freed: BTreeSet<String>) {
        let together = std::mem::replace(&mut self.turns.together, true);
        let mut budget = AT_ONCE;
        for id in freed {
            if self.pending(&id).is_empty() && !(id.starts_with("queue:") && self.limit(&id).is_some()) {
                continue;
            }
            if budget == 0 {
                self.look_at_throttle(&id, self.now);
            } else {
                budget = budget.saturating_sub(self.call_forward(&id, budget, false) + LOOK);
            }
        }
        self.turns.together = together;
        self.end_turn();
    }

    /// The first that wait for a throttle with room wait in their queues again, where they were; those in paused queues take
    /// no room. Those called may stand where nobody serves, so a second later all are called (`again`). How many.
    pub fn call_forward(&mut self, id: &str, limit: usize, again: bool) -> usize {
        let room = self.room(id).unwrap_or(1 << 40).max(0);
        let pending = self.pending(id);
        let looked_at = if again { limit } else { limit.min(room as usize + 20) };
        let (mut rest, mut called) = (room, 0);
        for jid in pending.iter().take(if room > 0 { looked_at } else { 0 }) {
            if rest > 0 || again {
                let job = self.edit(jid);
                let (ready_at, queue) = (job.ready_at, job.queue.clone());
                self.wait(jid, ready_at, true);
                rest -= i64::from(!self.paused.contains(&queue));
                called += 1;
            }
        }
        self.commit();
        if room > 0 && called < pending.len() {
            self.look_at_throttle(id, if rest > 0 { self.now } else { self.now + 1000 });
        }
        called
    }

    pub fn look_at_throttle(&mut self, id: &str, at: i64) {
        let noted = self.freeing.entry(id.into()).or_insert(at);
        *noted = at.min(*noted);
    }

    /// Throttles whose limit ended let their pending jobs go, and completed jobs the rest of their dependents. At most
    /// `limit` jobs; how many.
    pub fn free_step(&mut self, limit: usize) -> usize {
        let mut moved = 0;
        let throttles = self.freeing.iter().map(|(id, at)| (*at, format!("t:{id}")));
        let completed = self.leftovers.iter().map(|it| (it.at, format!("d:{}:{}", it.number, it.jid)));
        let mut due: Vec<_> = throttles.chain(completed).filter(|(at, _)| *at <= self.now).collect();
        due.sort();
        for (_, name) in due.into_iter().take(MOST_LOOKS) {
            if moved < limit {
                moved += match name.strip_prefix("t:") {
                    Some(id) => self.free_throttle(id, limit - moved),
                    None => self.free_leftover(&name, limit - moved),
                };
            }
        }
        moved
    }

    fn free_throttle(&mut self, id: &str, limit: usize) -> usize {
        self.freeing.remove(id);
        match self.limit(id) {
            Some((_, Some(until))) => self.look_at_throttle(id, until),
            Some(_) => (),
            None => {
                self.throttles.remove(id);
            }
        }
        self.call_forward(id, limit, true)
    }

    fn free_leftover(&mut self, name: &str, limit: usize) -> usize {
        let named = |it: &Leftover| format!("d:{}:{}", it.number, it.jid) == name;
        let index = self.leftovers.iter().position(named).expect("it is still there");
        let mut leftover = self.leftovers.remove(index);
        let rest = leftover.dependents.split_off(limit.min(leftover.dependents.len()));
        for dependent in &leftover.dependents {
            if self.links.get(&(dependent.clone(), leftover.jid.clone())).is_some_and(|link| link.orphaned) {
                self.free_dependent(dependent, &leftover.jid);
            }
        }
        let freed = leftover.dependents.len();
        if !rest.is_empty() {
            leftover.dependents = rest;
            self.leftovers.push(leftover);
        }
        self.commit();
        freed
    }

    pub fn throttle_release(&mut self, args: &Json) -> Reply {
        let (jid, id) = (self.existing(args)?, text(args, "id"));
        if !self.jobs[&jid].throttles.iter().any(|own| own == id) {
            return Ok(0.into());
        }
        let job = self.edit(&jid);
        let rest = job.throttles.iter().filter(|own| *own != id).cloned().collect();
        job.set_throttles(rest);
        if job.pending.as_deref() == Some(id) {
            let ready_at = job.ready_at;
            self.wait(&jid, ready_at, true);
        }
        Ok(1.into())
    }
}
