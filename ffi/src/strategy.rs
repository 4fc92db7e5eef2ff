//! The strategy "callback": a function of the program says which queues are asked, and in which order.

use std::ffi::{CString, c_char, c_void};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use manyhands::{Code, Error, Next, Result, Worker};
use serde_json::{Map, Value};

use crate::error::{mh_code, mh_error};
use crate::worker::mh_worker;

/// How often it is asked while no job comes: its answer may depend on the time.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// The same while there is no queue: a worker on patterns looks up what they stand for.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Its answer when it has none.
const AS_BEFORE: usize = usize::MAX;

/// A function that says which queues a worker asks for its next job. On the thread that is about to take one, in
/// mh_worker_next(), and every second while none comes; by several threads at once, where the newest answer holds for all.
///
/// user_data  As mh_worker_choose() was given it.
/// queues     The names of the queues that are served now, in the order of the worker's "queues"; at least one.
/// count      How many.
/// out_order  Places for `count` numbers: those of the queues to ask, as indexes of `queues`, the first to be asked first.
///
/// Returns how many it wrote there: the other queues are not asked. SIZE_MAX: as before.
///
/// It should return soon, and must not free the worker, throw or jump out. `queues` and its texts last as long as the call.
pub type mh_choose = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        queues: *const *const c_char,
        count: usize,
        out_order: *mut usize,
    ) -> usize,
>;

/// What a worker of this strategy knows.
pub(crate) struct Chosen {
    choice: RwLock<Option<Choice>>,
}

impl Chosen {
    /// None for options of another strategy.
    pub fn of(options: &str) -> Option<Chosen> {
        let members: Map<String, Value> = serde_json::from_str(options).ok()?;
        (members.get("strategy")?.as_str()? == "callback").then(|| Chosen { choice: RwLock::default() })
    }

    fn choose(&self, choice: Choice) {
        *self.choice.write().unwrap_or_else(PoisonError::into_inner) = Some(choice);
    }

    fn choice(&self) -> Result<Choice> {
        let choice = *self.choice.read().unwrap_or_else(PoisonError::into_inner);
        let message = "the strategy callback needs a function: mh_worker_choose() gives it";
        choice.ok_or_else(|| Error::new(Code::WrongState, message))
    }

    /// [`Worker::next`], in the order that the function says meanwhile.
    pub fn next(&self, worker: &Worker, timeout: Duration) -> Result<Next> {
        let until = Instant::now().checked_add(timeout);
        loop {
            let ask_after = self.ask(worker)?;
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            let next = worker.next(left.min(ask_after))?;
            if next != Next::Empty || left <= ask_after {
                return Ok(next);
            }
        }
    }

    /// Sets the order, and says how soon it is to be set again.
    fn ask(&self, worker: &Worker) -> Result<Duration> {
        let choice = self.choice()?;
        let serving = worker.serving();
        if serving.is_empty() {
            return Ok(LOOK_AGAIN);
        }
        if let Some(order) = choice.order(&serving)? {
            worker.set_order(order)?;
        }
        Ok(ASK_EVERY)
    }
}

/// The function of a worker.
#[derive(Clone, Copy)]
struct Choice {
    function: unsafe extern "C" fn(*mut c_void, *const *const c_char, usize, *mut usize) -> usize,
    user_data: *mut c_void,
}

// SAFETY: the header says that the function is called on any thread, with `user_data` as it is.
unsafe impl Send for Choice {}
// SAFETY: as above.
unsafe impl Sync for Choice {}

impl Choice {
    /// Those to ask among these queues; None: as before.
    fn order(self, serving: &[String]) -> Result<Option<Vec<String>>> {
        // Names have no NUL: the engine lets none in.
        let names: Vec<CString> = serving.iter().map(|name| CString::new(name.as_str()).unwrap_or_default()).collect();
        let queues: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let count = queues.len();
        let mut order = vec![0; count];
        // SAFETY: the program gave a function of this shape; what it is given lives until it returns.
        let answered = unsafe { (self.function)(self.user_data, queues.as_ptr(), count, order.as_mut_ptr()) };
        if answered == AS_BEFORE {
            return Ok(None);
        }
        let wrong = |what: String| Error::invalid(format!("the function of mh_worker_choose() answered {what}"));
        let order = order.get(..answered).ok_or_else(|| wrong(format!("{answered} of {count} queues")))?;
        let chosen = order.iter().map(|at| {
            serving.get(*at).cloned().ok_or_else(|| wrong(format!("index {at}, and there are {count} queues")))
        });
        chosen.collect::<Result<Vec<_>>>().map(Some)
    }
}

/// Say which function chooses the queues of a worker whose "strategy" is "callback". It takes the place of the one before.
/// Needed before the first mh_worker_next(), which returns MH_CODE_WRONG_STATE without one, and MH_CODE_INVALID_ARGUMENT
/// for an answer that is outside of `queues`. Under another strategy, which the user may set from outside, it is not called.
///
/// Returns MH_CODE_OK, or MH_CODE_INVALID_ARGUMENT naming the argument that is NULL.
///
/// Ownership: what user_data points to must last until no thread is in mh_worker_next() any more.
/// Threads:   any.
/// Blocking:  no.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mh_worker_choose(
    worker: *mut mh_worker,
    choose: mh_choose,
    user_data: *mut c_void,
    out_error: *mut *mut mh_error,
) -> mh_code {
    fallible!(out_error, {
        let worker = handle!(worker)?;
        let function = choose.ok_or_else(|| Error::invalid("choose is NULL"))?;
        if let Some(chosen) = worker.chosen() {
            chosen.choose(Choice { function, user_data });
        }
        Ok(())
    })
}
