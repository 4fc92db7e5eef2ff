//! How many jobs to ask for, and when: as many as threads wait, and a little ahead where jobs are short.

use std::time::{Duration, Instant};

use super::hand::{Hand, MOST_UNSTARTED};
use super::patterns::Served;
use super::strategy::{Asking, Queues};
use super::succession::Succession;
use crate::ops::{QueueReserve, Reserved};

/// Most jobs that one call fetches ahead: Redis hands them over in a millisecond or two, so that no other client waits longer.
const MOST_AHEAD: usize = MOST_UNSTARTED / 2;

/// What is asked for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Jobs to ask for in a call that is made anyway.
    pub limit: usize,
    /// True when the call should be made for their sake.
    pub pressing: bool,
}

/// What the worker wants and what it knows of its queues.
pub struct Fetch {
    threads: usize,
    /// Threads in `next` without a job.
    waiting: usize,
    /// Jobs asked for in calls under way.
    asked: usize,
    /// With fewer unstarted jobs than this it may be time to fetch ahead.
    refill_below: usize,
    /// Jobs that may still be started, by the limit there is.
    starts_left: Option<u64>,
    succession: Option<Succession>,
    begun: bool,
    queues: Queues,
    /// Calls are under way that asked other queues.
    outdated: bool,
}

impl Fetch {
    /// `threads`: handlers that run at once.
    pub fn new(threads: usize, queues: Queues) -> Fetch {
        Fetch {
            threads,
            waiting: 0,
            asked: 0,
            refill_below: 0,
            starts_left: None,
            succession: None,
            begun: false,
            queues,
            outdated: false,
        }
    }

    /// So many jobs will be started, and no more (None: no limit).
    pub fn limit_starts(&mut self, most: Option<u64>) {
        self.starts_left = most;
        self.succession = most.map(|most| Succession::new(most, self.threads));
    }

    /// A job was started. True when it was the last.
    pub fn count_start(&mut self, now: Instant) -> bool {
        self.begun = true;
        self.starts_left = self.starts_left.map(|left| left.saturating_sub(1));
        if let (Some(succession), Some(left)) = (&mut self.succession, self.starts_left) {
            succession.started(left, now);
        }
        self.starts_left == Some(0)
    }

    /// Whether it is time for a successor to come up: another process, where there is a master.
    pub fn wants_successor(&self) -> bool {
        self.succession.as_ref().is_some_and(Succession::is_due)
    }

    /// True when fewer jobs may be started than there are threads. Not before the first: a successor would be spent as well.
    pub fn is_spent(&self) -> bool {
        self.begun && self.starts_left.is_some_and(|left| left < self.threads as u64)
    }

    /// `most`, or as many as may still be started.
    fn startable(&self, most: usize) -> usize {
        let left = self.starts_left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        most.min(left)
    }

    /// Jobs come from these queues from now on.
    pub fn serve(&mut self, served: &Served) {
        self.queues.serve(served);
        self.outdated = self.asked > 0;
    }

    /// A thread without a job waits in `next`.
    pub fn enter(&mut self) {
        self.waiting += 1;
    }

    /// It has a job, or gave up waiting.
    pub fn leave(&mut self) {
        self.waiting -= 1;
    }

    /// Threads in `next` without a job.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Jobs that threads wait for and no call under way has asked for.
    pub fn need(&self, hand: &Hand) -> usize {
        self.startable(self.waiting).saturating_sub(hand.unstarted() + self.asked)
    }

    /// What to ask for.
    pub fn demand(&mut self, hand: &mut Hand, now: Instant) -> Demand {
        let need = self.need(hand);
        let ahead = hand.ahead(self.threads, self.waiting, now);
        self.refill_below = ahead.whole / 2 + ahead.whole.min(1);
        // One call at a time asks ahead, so that jobs start in the order of their queue.
        let room = if self.is_asking() { 0 } else { ahead.room };
        let most = self.startable(MOST_UNSTARTED).saturating_sub(hand.unstarted() + self.asked);
        let limit = (need + room.min(MOST_AHEAD)).min(most);
        let pressing = limit > 0 && !self.queues.are_dry() && (need > 0 || room * 2 >= ahead.whole);
        Demand { limit, pressing }
    }

    /// A call is to ask for `limit` jobs: of which queues, and for how many of them. `woken_by`: whose wake token came.
    pub fn ask(&mut self, limit: usize, woken_by: Option<usize>) -> Asking {
        let asking = self.queues.ask(limit, woken_by);
        self.asked += asking.limit;
        asking
    }

    /// True when it is to be looked up which queues are ready, before a call for the sake of jobs.
    pub fn wants_look(&self) -> bool {
        self.queues.wants_look()
    }

    /// It was: these of all queues, and `more`.
    pub fn looked(&mut self, ready: &[String], more: bool, now: Instant) {
        self.queues.looked(ready, more, now);
    }

    /// True when the runner looks up from time to time which queues are ready.
    pub fn looks_by_itself(&self) -> bool {
        self.queues.are_looked_at()
    }

    /// That call was answered. One that asked for nothing says nothing.
    pub fn answer(&mut self, asked: &QueueReserve, reserved: &Reserved, now: Instant) {
        let limit = limit(asked);
        self.asked -= limit;
        if self.outdated {
            // Of the queues there are now it says nothing.
            self.outdated = self.asked > 0;
        } else if limit > 0 {
            let due = reserved.next_due_us.map(Duration::from_micros);
            self.queues.answer(&asked.queues, limit, &reserved.jobs, due, now);
        }
    }

    /// That call failed.
    pub fn forget(&mut self, asked: &QueueReserve) {
        self.asked -= limit(asked);
        self.outdated &= self.asked > 0;
    }

    /// Nobody wants a job for now.
    pub fn rest(&mut self) {
        self.queues.rest();
    }

    /// Nothing is known of the queues any more: a token may have been lost.
    pub fn look_again(&mut self) {
        self.queues.look_again();
    }

    /// How long the next wait for a token lasts at most.
    pub fn longest_wait(&self, draw: u16) -> Duration {
        self.queues.longest_wait(draw)
    }

    /// Looks again at what has come due.
    pub fn pass_due(&mut self, now: Instant) {
        self.queues.pass_due(now);
    }

    /// When to look again; None while nobody wants a job, or nothing is known to come due.
    pub fn due_at(&self, hand: &Hand) -> Option<Instant> {
        self.queues.due_at().filter(|_| self.need(hand) > 0)
    }

    /// True while a call is under way that asked for jobs.
    pub fn is_asking(&self) -> bool {
        self.asked > 0
    }

    /// True when so many jobs have been started that more may be fetched ahead.
    pub fn runs_low(&self, hand: &Hand) -> bool {
        !self.is_asking() && hand.unstarted() < self.refill_below && !self.queues.are_dry()
    }

    /// True when the runner, not the waiter, is to look for the jobs that are needed: at once or at a due time.
    pub fn wants_runner(&self) -> bool {
        !self.queues.are_dry() || self.queues.due_at().is_some()
    }

    /// True when a thread wants a job and the queues had none: time to wait for a wake token.
    pub fn wants_wake(&self, hand: &Hand) -> bool {
        self.need(hand) > 0 && self.queues.are_dry() && !self.queues.are_none()
    }
}

fn limit(asked: &QueueReserve) -> usize {
    usize::try_from(asked.limit).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::hand::tests::jobs;
    use super::super::strategy::Strategy;
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn fetch(threads: usize) -> Fetch {
        Fetch::new(threads, Queues::new(&Served::plain(vec!["q".to_owned()]), Strategy::Ordered))
    }

    fn ask(fetch: &mut Fetch, limit: usize) -> QueueReserve {
        let Asking { queues, limit, share } = fetch.ask(limit, None);
        QueueReserve { worker: "w".to_owned(), queues, limit: limit as i64, share }
    }

    fn gave(jobs_given: usize, next_due_us: Option<u64>) -> Reserved {
        Reserved { jobs: jobs(jobs_given, "a"), next_due_us, queues_version: 0 }
    }

    fn demand(limit: usize, pressing: bool) -> Demand {
        Demand { limit, pressing }
    }

    #[test]
    fn asks_for_as_many_jobs_as_threads_wait() {
        let (mut fetch, mut hand, now) = (fetch(8), Hand::default(), Instant::now());
        assert_eq!(fetch.demand(&mut hand, now), demand(0, false));
        fetch.enter();
        fetch.enter();
        assert_eq!(fetch.demand(&mut hand, now), demand(2, true));
        let asked = ask(&mut fetch, 2);
        assert_eq!(fetch.demand(&mut hand, now), demand(0, false), "a call under way asks for them");
        fetch.answer(&asked, &gave(1, None), now);
        hand.receive(jobs(1, "a"), now);
        assert_eq!(fetch.demand(&mut hand, now), demand(1, false), "the queues are dry: only with other business");
        fetch.leave();
        assert_eq!(fetch.demand(&mut hand, now), demand(0, false));
    }

    #[test]
    fn waits_for_a_wake_while_the_queues_are_dry() {
        let (mut fetch, hand, now) = (fetch(1), Hand::default(), Instant::now());
        fetch.enter();
        assert!(!fetch.wants_wake(&hand), "nobody has asked yet");
        let asked = ask(&mut fetch, 1);
        fetch.answer(&asked, &gave(0, None), now);
        assert!(fetch.wants_wake(&hand));
        let asked = ask(&mut fetch, 0);
        fetch.answer(&asked, &gave(0, None), now);
        assert!(fetch.wants_wake(&hand), "a call that asked for nothing says nothing");
        let asked = ask(&mut fetch, 1);
        assert!(!fetch.wants_wake(&hand), "a call under way asks already");
        fetch.forget(&asked);
        fetch.leave();
        assert!(!fetch.wants_wake(&hand));
    }

    #[test]
    fn looks_again_when_something_comes_due() {
        let (mut fetch, mut hand, now) = (fetch(1), Hand::default(), Instant::now());
        fetch.enter();
        let asked = ask(&mut fetch, 1);
        fetch.answer(&asked, &gave(0, Some(40_000)), now);
        assert_eq!(fetch.due_at(&hand), Some(now + MS * 40));
        fetch.pass_due(now + MS * 39);
        assert!(!fetch.demand(&mut hand, now).pressing);
        fetch.pass_due(now + MS * 40);
        assert!(fetch.demand(&mut hand, now).pressing && fetch.due_at(&hand).is_none());
        let asked = ask(&mut fetch, 1);
        fetch.answer(&asked, &gave(0, Some(0)), now);
        assert_eq!(fetch.due_at(&hand), Some(now + MS), "a clock that stands still costs no busy loop");
        fetch.leave();
        assert_eq!(fetch.due_at(&hand), None, "nobody would take it");
    }

    #[test]
    fn started_and_held_jobs_never_exceed_the_limit() {
        let (mut fetch, mut hand, now) = (fetch(2), Hand::default(), Instant::now());
        hand.receive(jobs(8, "instant"), now);
        while let Some(job) = hand.start(now) {
            hand.finish(&crate::ops::Lease { jid: job.jid, token: job.token }, now);
        }
        fetch.limit_starts(Some(4));
        fetch.enter();
        assert_eq!(fetch.demand(&mut hand, now), demand(4, true));
        let asked = ask(&mut fetch, 3);
        assert_eq!(fetch.demand(&mut hand, now), demand(0, false));
        fetch.answer(&asked, &gave(3, None), now);
        hand.receive(jobs(3, "instant"), now);
        assert_eq!(fetch.demand(&mut hand, now).limit, 1);
        assert!(!fetch.is_spent());
        for (left, spent) in [(3, false), (2, false), (1, true)] {
            hand.start(now);
            assert_eq!((fetch.count_start(now), fetch.is_spent()), (false, spent), "{left}");
        }
        fetch.enter();
        assert_eq!((fetch.need(&hand), fetch.demand(&mut hand, now).limit), (1, 1), "two wait, one can be served");
        assert!(fetch.count_start(now));
        assert_eq!((fetch.need(&hand), fetch.demand(&mut hand, now).limit), (0, 0));
    }

    #[test]
    fn fetches_ahead_when_half_is_gone() {
        let (mut fetch, mut hand, now) = (fetch(1), Hand::default(), Instant::now());
        hand.receive(jobs(8, "instant"), now);
        while let Some(job) = hand.start(now) {
            hand.finish(&crate::ops::Lease { jid: job.jid, token: job.token }, now);
        }
        assert_eq!(fetch.demand(&mut hand, now), demand(MOST_AHEAD, true), "in two calls");
        assert!(fetch.runs_low(&hand));
        hand.receive(jobs(MOST_UNSTARTED, "instant"), now);
        assert_eq!(fetch.demand(&mut hand, now), demand(0, false));
        for left in (0..MOST_UNSTARTED).rev() {
            hand.start(now);
            let (gone, low) = (MOST_UNSTARTED - left, left <= MOST_UNSTARTED / 2);
            assert_eq!(fetch.demand(&mut hand, now), demand(gone.min(MOST_AHEAD), low), "{left}");
            assert_eq!(fetch.runs_low(&hand), low);
        }
        ask(&mut fetch, MOST_AHEAD);
        assert_eq!(fetch.demand(&mut hand, now), demand(0, false), "one call at a time");
        assert!(!fetch.runs_low(&hand));
        fetch.enter();
        for _ in 0..MOST_AHEAD {
            fetch.enter();
        }
        assert_eq!(fetch.demand(&mut hand, now), demand(1, true), "but for a thread that it has none for");
    }
}
