//! The connections of one client in one process.
//!
//! A pool belongs to the process that made it. A forked child finds another pid in it and swaps in a
//! fresh pool, closed if the parent's was; the parent's is never locked nor dropped there (its locks may have been
//! held by a thread that does not exist in the child, and its sockets are the parent's).

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::events::Subscription;
use super::fault::Fault;
use super::lane::LaneState;
use crate::embedded::Presence;
#[cfg(feature = "async")]
use crate::endpoint::Endpoint;
use crate::engine;
#[cfg(feature = "async")]
use crate::error::{Code, Error};
use crate::identity;
use crate::options::Options;
use crate::process;
use crate::url::Target;

/// Idle lanes kept for the next call; more are closed when they come back.
const MOST_IDLE: usize = 16;

pub(super) struct Pool {
    pid: u32,
    idle: Mutex<Vec<LaneState>>,
    /// Each has a connection of its own, which is closed with the client's; some may have ended.
    subscriptions: Mutex<Vec<Weak<Subscription>>>,
    /// Our share in the private server, when the target is `embedded:`.
    presence: Mutex<Option<Presence>>,
    /// The descriptor of `presence`'s lock, or -1; readable without a lock for a forked child.
    presence_descriptor: AtomicI32,
    /// Set by the first connection; until then a failure to connect is final, as the address may be wrong.
    connected: AtomicBool,
    engine_checked: AtomicBool,
    /// Readable without a lock, as a forked child asks it of its parent's pool.
    closed: AtomicBool,
    /// Held while `closed` is set, so that nobody who begins to wait for `closing` misses it.
    pausing: Mutex<()>,
    closing: Condvar,
    /// The name used for reserving without a worker.
    pub worker_name: String,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    fn new(closed: bool) -> Pool {
        Pool {
            pid: process::id(),
            idle: Mutex::new(Vec::new()),
            subscriptions: Mutex::new(Vec::new()),
            presence: Mutex::new(None),
            presence_descriptor: AtomicI32::new(-1),
            connected: AtomicBool::new(false),
            engine_checked: AtomicBool::new(false),
            closed: AtomicBool::new(closed),
            pausing: Mutex::new(()),
            closing: Condvar::new(),
            worker_name: identity::worker(),
        }
    }

    /// An idle lane's state, or a new one; nothing is connected here.
    pub fn check_out(&self) -> LaneState {
        lock(&self.idle).pop().unwrap_or_else(LaneState::new)
    }

    /// Keeps a lane's state for the next call.
    pub fn check_in(&self, state: LaneState) {
        if self.is_closed() {
            return;
        }
        let mut idle = lock(&self.idle);
        if idle.len() < MOST_IDLE {
            idle.push(state);
        }
    }

    /// Closes a subscription when the client is closed, or at once when it is already.
    pub fn close_with_client(&self, subscription: &Arc<Subscription>) {
        let mut subscriptions = lock(&self.subscriptions);
        subscriptions.retain(|other| other.strong_count() > 0);
        subscriptions.push(Arc::downgrade(subscription));
        drop(subscriptions);
        if self.is_closed() {
            subscription.close();
        }
    }

    /// Opens a connection; the first one of a pool also sees to the engine.
    pub fn connect(&self, target: &Target, options: &Options, deadline: Instant) -> Result<Connection, Fault> {
        let mut connection = match target {
            Target::Server { endpoint, .. } => Connection::open(endpoint, deadline)?,
            Target::Embedded { dir, keep } => {
                let mut presence = lock(&self.presence);
                let entered = match presence.take() {
                    Some(entered) => entered,
                    None => Presence::enter(dir, *keep).map_err(Fault::Refused)?,
                };
                self.presence_descriptor.store(entered.descriptor(), Ordering::Release);
                presence.insert(entered).connect(deadline)?
            }
        };
        if !self.engine_checked.load(Ordering::Acquire) {
            let until = connection.opened_until;
            engine::prepare(&mut connection, target, options, until)?;
            self.engine_checked.store(true, Ordering::Release);
        }
        self.connected.store(true, Ordering::Release);
        Ok(connection)
    }

    /// Where to connect to, for a connection of another kind: the private server runs, the engine was seen to.
    #[cfg(feature = "async")]
    pub fn reach(&self, target: &Target, options: &Options, deadline: Instant) -> Result<Endpoint, Fault> {
        if let (Target::Server { endpoint, .. }, true) = (target, self.engine_checked.load(Ordering::Acquire)) {
            return Ok(endpoint.clone());
        }
        drop(self.connect(target, options, deadline)?);
        match (target, &*lock(&self.presence)) {
            (Target::Server { endpoint, .. }, _) => Ok(endpoint.clone()),
            (Target::Embedded { .. }, Some(presence)) => presence.endpoint(),
            (Target::Embedded { .. }, None) => Err(Fault::Refused(Error::new(Code::Closed, "the client is closed"))),
        }
    }

    /// True once any connection of this pool has worked.
    pub fn has_connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Makes the next connection look at the engine again.
    pub fn forget_engine(&self) {
        self.engine_checked.store(false, Ordering::Release);
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits, unless and until the client is closed.
    pub fn pause(&self, wait: Duration) {
        let pausing = lock(&self.pausing);
        drop(self.closing.wait_timeout_while(pausing, wait, |()| !self.is_closed()));
    }

    /// Closes idle connections and subscriptions, ends all waiting, and leaves the private server.
    pub fn close(&self) {
        let pausing = lock(&self.pausing);
        self.closed.store(true, Ordering::Release);
        drop(pausing);
        self.closing.notify_all();
        lock(&self.idle).clear();
        let subscriptions = std::mem::take(&mut *lock(&self.subscriptions));
        subscriptions.iter().filter_map(Weak::upgrade).for_each(|subscription| subscription.close());
        let presence = lock(&self.presence).take();
        self.presence_descriptor.store(-1, Ordering::Release);
        drop(presence);
    }

    /// Closes a forked child's copy of the parent's lock on a private server: with it, a killed parent would seem to
    /// stay for as long as the child lives.
    fn disown(&self) {
        let descriptor: RawFd = self.presence_descriptor.swap(-1, Ordering::AcqRel);
        if descriptor >= 0 {
            // SAFETY: the owner is the parent's pool, which is never used nor dropped in this process.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// The pool of whichever process asks.
pub(super) struct PoolCell {
    current: AtomicPtr<Pool>,
}

impl PoolCell {
    pub fn new() -> PoolCell {
        PoolCell { current: AtomicPtr::new(Box::into_raw(Box::new(Pool::new(false)))) }
    }

    /// This process's pool.
    pub fn get(&self) -> &Pool {
        let found = self.current.load(Ordering::Acquire);
        // SAFETY: the pointer came from Box::into_raw, and a pool is freed only by our own drop.
        let pool = unsafe { &*found };
        if pool.pid == process::id() {
            return pool;
        }
        pool.disown();
        let fresh = Box::into_raw(Box::new(Pool::new(pool.is_closed())));
        match self.current.compare_exchange(found, fresh, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: `fresh` is now the current pool; the parent's is left as it is, for ever.
            Ok(_) => unsafe { &*fresh },
            Err(other) => {
                // SAFETY: another thread of this process was first; nobody has seen `fresh`.
                drop(unsafe { Box::from_raw(fresh) });
                // SAFETY: as above for `found`; `other` was made by this process.
                unsafe { &*other }
            }
        }
    }
}

impl Drop for PoolCell {
    fn drop(&mut self) {
        let pool = *self.current.get_mut();
        // SAFETY: no reference is left, as they all borrow from self.
        if unsafe { (*pool).pid } == process::id() {
            // SAFETY: as above, and the pool is this process's own.
            drop(unsafe { Box::from_raw(pool) });
        }
    }
}
