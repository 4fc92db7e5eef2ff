//! Throttles: who holds them, who waits for them.

use serde_json::Value as Json;

use crate::operations::{Reply, text};
use crate::world::{State, World, of_queue};

impl World {
    pub fn limit(&self, id: &str) -> Option<(i64, Option<i64>)> {
        self.throttles.get(id).copied().filter(|(_, until)| until.is_none_or(|until| until > self.now))
    }

    pub fn holders(&self, id: &str) -> Vec<String> {
        match id.strip_prefix("queue:") {
            Some(queue) => self.pick(
                |job| job.is_running() && job.queue == queue,
                |jid, job| (job.grace_until.is_some(), job.grace_until.unwrap_or(job.lease_until), jid.to_owned()),
            ),
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

    /// The first that wait for a throttle with room wait in their queues again, where they were; those in paused queues take
    /// no room. Those called may stand where nobody serves, so a second later all are called (`again`). How many.
    pub fn call_forward(&mut self, id: &str, again: bool) -> usize {
        let room = self.room(id).unwrap_or(1 << 40).max(0);
        let pending = self.pending(id);
        let looked_at = if again { pending.len() } else { room as usize + 20 };
        let (mut rest, mut called) = (room, 0);
        for jid in pending.iter().take(if room > 0 { looked_at } else { 0 }) {
            if rest > 0 || again {
                let job = self.jobs.get_mut(jid).expect("pending jobs are there");
                job.state = State::Waiting;
                job.pending = None;
                rest -= i64::from(!self.paused.contains(&job.queue));
                called += 1;
            }
        }
        if room > 0 && called < pending.len() {
            self.look_at_throttle(id, if rest > 0 { self.now } else { self.now + 1000 });
        }
        called
    }

    pub fn look_at_throttle(&mut self, id: &str, at: i64) {
        let noted = self.freeing.entry(id.into()).or_insert(at);
        *noted = at.min(*noted);
    }

    /// Throttles whose limit ended let their pending jobs go. How many.
    pub fn free_throttles(&mut self) -> usize {
        let mut moved = 0;
        let mut due: Vec<_> =
            self.freeing.iter().filter(|(_, at)| **at <= self.now).map(|(id, at)| (*at, id.clone())).collect();
        due.sort();
        for (_, id) in due {
            self.freeing.remove(&id);
            match self.limit(&id) {
                Some((_, Some(until))) => self.look_at_throttle(&id, until),
                Some(_) => (),
                None => {
                    self.throttles.remove(&id);
                }
            }
            moved += self.call_forward(&id, true);
        }
        moved
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
