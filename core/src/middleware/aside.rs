//! Work that may have to wait, done on a thread of its own: whoever has it to do never waits for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Instant;

use crate::native;

/// What is done with all that waits, oldest first, and with the number of those for which there was no room after them.
type Perform<T> = Box<dyn FnMut(Vec<T>, u64) + Send>;

/// A bounded line of things to do, and the thread that does them: there from the first one on, until this is dropped.
pub struct Aside<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    name: &'static str,
    /// The most that may wait, by size.
    most: usize,
    state: Mutex<State<T>>,
    news: Condvar,
    idle: Condvar,
    /// The thread's own.
    perform: Mutex<Perform<T>>,
}

struct State<T> {
    waiting: Vec<T>,
    size: usize,
    missed: u64,
    busy: bool,
    closed: bool,
    begun: bool,
    thread: Option<ThreadId>,
}

impl<T: Send + 'static> Aside<T> {
    /// `name`: the thread's. `most`: sizes of what may wait, in all.
    pub fn new(name: &'static str, most: usize, perform: impl FnMut(Vec<T>, u64) + Send + 'static) -> Aside<T> {
        let state =
            State { waiting: Vec::new(), size: 0, missed: 0, busy: false, closed: false, begun: false, thread: None };
        let (news, idle, perform) = (Condvar::new(), Condvar::new(), Mutex::new(Box::new(perform) as Perform<T>));
        Aside { inner: Arc::new(Inner { name, most, state: Mutex::new(state), news, idle, perform }) }
    }

    /// Leaves this to the thread; where there is no room it is counted instead, and so is what comes behind it until there is.
    pub fn push(&self, item: T, size: usize) {
        let mut state = self.inner.state();
        if state.missed > 0 || (state.size + size > self.inner.most && !state.waiting.is_empty()) {
            state.missed += 1;
            return;
        }
        state.waiting.push(item);
        state.size += size;
        if !state.begun {
            // Where the system gives none now, the next one may have more luck.
            state.begun = self.begin();
        }
        drop(state);
        self.inner.news.notify_one();
    }

    fn begin(&self) -> bool {
        let inner = Arc::clone(&self.inner);
        native::begin(self.inner.name, move || inner.work()).is_ok()
    }

    /// Waits until all is done that was left to the thread, at most until then. Not on that thread.
    pub fn flush(&self, until: Instant) {
        let mut state = self.inner.state();
        let is_own = state.thread == Some(thread::current().id());
        while !is_own && state.begun && (state.busy || state.has_work()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.inner.idle.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T> Drop for Aside<T> {
    fn drop(&mut self) {
        // It is not waited for: it may be kept for ever by what it does.
        self.inner.state().closed = true;
        self.inner.news.notify_one();
    }
}

impl<T> Inner<T> {
    fn work(&self) {
        let mut perform = self.perform.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        state.thread = Some(thread::current().id());
        loop {
            if state.has_work() {
                let (waiting, missed) = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.missed));
                (state.size, state.busy) = (0, true);
                drop(state);
                // The panic hook has reported it. What comes later is done all the same.
                let _ = catch_unwind(AssertUnwindSafe(|| perform(waiting, missed)));
                state = self.state();
                state.busy = false;
                self.idle.notify_all();
            } else if state.closed {
                return;
            } else {
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn has_work(&self) -> bool {
        !self.waiting.is_empty() || self.missed > 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn who_has_work_for_it_never_waits_and_what_has_no_room_is_counted() {
        let ((done, seen), (go_on, gate)) = (channel(), channel::<()>());
        let aside = Aside::new("test", 3, move |items: Vec<u32>, missed| {
            done.send((items, missed)).unwrap();
            let _ = gate.recv();
        });
        aside.push(1, 1);
        assert_eq!(seen.recv_timeout(LONG).unwrap(), (vec![1], 0));
        for number in 2..7 {
            aside.push(number, 1);
        }
        go_on.send(()).unwrap();
        assert_eq!(seen.recv_timeout(LONG).unwrap(), (vec![2, 3, 4], 2), "in order, those without room last");
        aside.push(7, 99);
        go_on.send(()).unwrap();
        assert_eq!(seen.recv_timeout(LONG).unwrap(), (vec![7], 0), "alone, something may be of any size");
        aside.flush(Instant::now());
        drop(go_on);
        aside.flush(Instant::now() + LONG);
        assert!(!aside.inner.state().busy);
        drop(aside);
        assert!(seen.recv_timeout(LONG).is_err(), "the thread has ended");
    }
    #[test]
    fn a_panic_ends_neither_the_thread_nor_who_waits_for_it() {
        let (done, seen) = channel();
        let aside = Aside::new("test", 3, move |items: Vec<u32>, _missed| {
            done.send(items.clone()).unwrap();
            assert_ne!(items, [1], "reported, and no more");
        });
        aside.push(1, 1);
        assert_eq!(seen.recv_timeout(LONG).unwrap(), [1]);
        aside.flush(Instant::now() + LONG);
        aside.push(2, 1);
        assert_eq!(seen.recv_timeout(LONG).unwrap(), [2]);
    }
}
