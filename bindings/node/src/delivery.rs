//! The jobs on their way to JavaScript: threads wait for them, an environment that ends gives them back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use manyhands::{Error, Next, Outcome};
use napi::Env;
use napi::bindgen_prelude::ToNapiValue;

use crate::job::{Batch, Job};
use crate::pool::{self, Apart, Pending};

/// Longest single wait for a job. The runtime ends it when the worker stops, so it only has to be long.
const LONG: Duration = Duration::from_secs(3_600);

/// Jobs, or None once the worker is stopped.
pub type Jobs = Option<Batch>;

/// Wants at least one job and at most so many.
pub struct Wanted {
    pub most: usize,
    pub jobs: Pending<Jobs>,
}

/// What the JavaScript object shares with the thread that waits for jobs.
pub struct Shared {
    pub core: Apart<manyhands::Worker>,
    /// Jobs on their way to JavaScript, by jid and token: taken, but not yet given to a handler. Those of a delivery stand
    /// under its number.
    under_way: Mutex<BTreeMap<u64, Vec<(String, String)>>>,
    /// How many deliveries there were.
    deliveries: AtomicU64,
    /// Read while jobs are waited for, until they are in `under_way`.
    taking: RwLock<()>,
}

impl Shared {
    pub fn new(core: manyhands::Worker) -> Arc<Shared> {
        Arc::new(Shared {
            core: Apart::new(core),
            under_way: Mutex::default(),
            deliveries: AtomicU64::new(0),
            taking: RwLock::default(),
        })
    }

    /// Stores finished jobs, gives unstarted ones back. Handlers that run are about to end; their jobs are left to their
    /// leases.
    pub fn end(&self) {
        // A job that was just taken must be under way before those are given back; quiet ends the waiting for more.
        self.core.quiet();
        drop(self.taking.write());
        // Nobody is left to be told of an error: what was not stored runs again when its lease ends.
        let under_way = std::mem::take(&mut *self.under_way());
        for (jid, token) in under_way.into_values().flatten() {
            let _ = self.core.finish(&jid, &token, Outcome::Release);
        }
        let _ = self.core.stop(Duration::ZERO);
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<(String, String)>>> {
        held(&self.under_way)
    }

    /// Keeps the promise with what `wait` gives, the jobs of which are under way until they arrive.
    pub fn deliver<T: ToNapiValue + Send + 'static>(
        self: &Arc<Shared>,
        promise: Pending<T>,
        wait: impl FnOnce(&manyhands::Worker) -> manyhands::Result<T>,
        jobs: fn(&T) -> &[Job],
    ) {
        let number = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let arrived = Arc::clone(self);
        let wait = || {
            let _taking = self.taking.read();
            let taken = wait(&self.core)?;
            let leases = jobs(&taken).iter().map(|job| (job.jid.clone(), job.token.clone())).collect();
            self.under_way().insert(number, leases);
            Ok(taken)
        };
        // On JavaScript's thread, right before the handlers start; never, when the environment ends first.
        promise.keep_and(wait, move || drop(arrived.under_way().remove(&number)));
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that waits for this worker's jobs. It ends when what is returned is dropped.
pub fn start_waiter(shared: &Arc<Shared>) -> manyhands::Result<Sender<Wanted>> {
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::clone(shared);
    let deliver = move |Wanted { most, jobs }: Wanted| {
        shared.deliver(jobs, |core| wait(core, most), |jobs| jobs.as_ref().map_or(&[], |Batch(jobs)| jobs));
    };
    pool::start("manyhands-next", move || receiver.into_iter().for_each(deliver))
        .map_err(|error| Error::internal(format!("cannot start the thread that waits for jobs: {error}")))?;
    Ok(sender)
}

/// Waits for one job, then takes what else is there at once. None once the worker is stopped.
fn wait(core: &manyhands::Worker, most: usize) -> manyhands::Result<Jobs> {
    let Some(first) = first(core, None)? else { return Ok(None) };
    let mut jobs = vec![Job::from(first)];
    jobs.append(&mut in_hand(core, most.saturating_sub(1)));
    Ok(Some(Batch(jobs)))
}

/// Waits for one job. None when that time is over, or the worker is stopped.
pub fn first(core: &manyhands::Worker, until: Option<Instant>) -> manyhands::Result<Option<manyhands::Job>> {
    loop {
        let left = until.map_or(LONG, |until| until.saturating_duration_since(Instant::now()).min(LONG));
        match core.next(left)? {
            Next::Job(job) => return Ok(Some(job)),
            Next::Empty if left < LONG => return Ok(None),
            Next::Empty => {}
            Next::Stopped => return Ok(None),
        }
    }
}

/// What is there without waiting. These jobs are started and must not be lost.
fn in_hand(core: &manyhands::Worker, most: usize) -> Vec<Job> {
    let mut jobs = Vec::new();
    while jobs.len() < most {
        let Ok(Some(job)) = core.next_in_hand() else { break };
        jobs.push(Job::from(job));
    }
    jobs
}

thread_local! {
    /// The workers of this thread's environment that have begun to take jobs; None before the first.
    static WORKERS: RefCell<Option<Vec<Weak<Shared>>>> = const { RefCell::new(None) };
}

/// Has the worker ended when its environment goes away: a worker_thread that is terminated runs no more JavaScript.
pub fn end_with_environment(env: &Env, shared: &Arc<Shared>) -> napi::Result<()> {
    WORKERS.with_borrow_mut(|workers| {
        if workers.is_none() {
            env.add_env_cleanup_hook((), |()| end_all())?;
        }
        let workers = workers.get_or_insert_default();
        workers.retain(|worker| worker.strong_count() > 0);
        workers.push(Arc::downgrade(shared));
        Ok(())
    })
}

fn end_all() {
    for worker in WORKERS.take().into_iter().flatten() {
        if let Some(worker) = worker.upgrade() {
            // A panic must not unwind into Node; the panic hook has reported it.
            let _ = catch_unwind(AssertUnwindSafe(|| worker.end()));
        }
    }
}
