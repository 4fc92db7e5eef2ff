//! The asynchronous client: many calls at once on one connection, for programs that run on tokio.
//!
//! The calls that wait for the connection are written together, and their answers come in the order of the calls. What a
//! fault means, and when a call is repeated, is the same as for the blocking client (`trial.rs`).

mod answers;
mod link;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{RedisError, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep, timeout};

use self::link::{Call, Link};
use super::blocking::Client;
use super::connection::{SILENCE, left};
use super::fault::{Fault, NO_ANSWER};
use super::trial::{Then, Trial};
use crate::error::{Code, Error, Result};
use crate::identity;
use crate::middleware::{AnyPutMiddleware, AsyncAroundPut, AsyncPutMiddleware};
use crate::ops::{Operation, Placed, Put, QueuePut};
use crate::request::{Args, Request};

/// Changing calls outstanding at once; more wait for their turn. Each has a caller id of its own, and for each Redis keeps
/// the last answer for a while.
const LANES: usize = 256;
/// How often a pause looks whether the client was closed.
const LOOK: Duration = Duration::from_millis(100);

/// A client for tokio: the same requests and operations as [`Client`], many at once on one connection. Cheap to clone;
/// clones share the connection.
///
/// A call that is dropped before its answer came may have happened, or happen later. In a forked child every call answers
/// `CLOSED`: tokio does not live through a fork.
///
/// ```no_run
/// use manyhands::{AsyncClient, Put};
///
/// # async fn example() -> manyhands::Result<()> {
/// let client = AsyncClient::open(Some("redis://localhost"), "")?;
/// client.put(Put::new("send").queue("mail")).await?;
/// println!("{}", client.call("queue_counts", r#"{"queue":"mail"}"#).await?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AsyncClient {
    client: Client,
    state: Arc<State>,
    around_put: Vec<Arc<dyn AnyPutMiddleware>>,
}

/// What all clones share.
struct State {
    pid: u32,
    link: Mutex<Option<Arc<Link>>>,
    /// Held by the call that connects.
    dialing: tokio::sync::Mutex<()>,
    idle: Mutex<Vec<Caller>>,
    lanes: Arc<Semaphore>,
}

/// Who makes changing calls, one at a time, and how many it has made.
struct Caller {
    id: String,
    calls: u64,
}

/// A caller in the hand of a call. Only after an answer it goes back: of any other call nobody knows when it happens, so its
/// caller is never used again.
struct Lane {
    caller: Caller,
    _turn: OwnedSemaphorePermit,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncClient {
    /// A client for a URL. Checks the arguments only; the first call connects. For both arguments see [`Client::open`].
    ///
    /// # Errors
    /// Those of [`Client::open`].
    pub fn open(url: Option<&str>, options_json: &str) -> Result<AsyncClient> {
        Client::open(url, options_json).map(AsyncClient::of)
    }

    /// An asynchronous client beside a blocking one: of the same namespace, and closed with it.
    pub fn of(client: Client) -> AsyncClient {
        let state = State {
            pid: crate::process::id(),
            link: Mutex::new(None),
            dialing: tokio::sync::Mutex::new(()),
            idle: Mutex::new(Vec::new()),
            lanes: Arc::new(Semaphore::new(LANES)),
        };
        AsyncClient { client, state: Arc::new(state), around_put: Vec::new() }
    }

    /// A clone whose puts go through this middleware too, inside of those it has already.
    pub fn with(&self, middleware: impl AsyncPutMiddleware + 'static) -> AsyncClient {
        let mut client = self.clone();
        client.around_put.push(Arc::new(middleware));
        client
    }

    /// Puts one job, into the queue that it names; of a [`JobKind`](crate::JobKind): `client.put(KIND.job(data))`.
    ///
    /// # Errors
    /// `JOB_EXISTS` when its jid exists and `on_conflict` is reject; those of [`AsyncClient::put_all`].
    pub async fn put(&self, job: Put) -> Result<Placed> {
        let placed = self.put_all(QueuePut::new([job])).await?.pop();
        placed.ok_or_else(|| Error::internal("the engine answered no outcome")).and_then(Placed::accepted)
    }

    /// Puts any number of jobs, in order; see [`Client::put_all`].
    ///
    /// # Errors
    /// Those of [`Client::put_all`]; `WRONG_STATE` beside a blocking client that has middleware around its puts, which cannot be
    /// around these.
    pub async fn put_all(&self, put: QueuePut) -> Result<Vec<Placed>> {
        if self.client.has_middleware() {
            let message = "the middleware of Client::with is for puts that block: for these there is AsyncClient::with";
            return Err(Error::new(Code::WrongState, message).during(QueuePut::OPERATION));
        }
        match self.around_put.is_empty() {
            true => self.put_now(put).await,
            false => AsyncAroundPut::new(self.clone()).call(put.into_jobs()).await,
        }
    }

    pub(crate) fn around_put(&self, at: usize) -> Option<Arc<dyn AnyPutMiddleware>> {
        self.around_put.get(at).cloned()
    }

    pub(crate) async fn put_now(&self, put: QueuePut) -> Result<Vec<Placed>> {
        let mut parts = VecDeque::from(put.split().map_err(|error| error.during(QueuePut::OPERATION))?);
        let mut placed = Vec::new();
        while let Some(part) = parts.pop_front() {
            match self.send_ref(&part).await {
                Ok(some) => placed.extend(some),
                Err(error) => part.instead(error)?.into_iter().rev().for_each(|part| parts.push_front(part)),
            }
        }
        Ok(placed)
    }

    /// Sends a request and waits for its reply. Must be awaited on a tokio runtime with time and I/O.
    ///
    /// When the connection breaks, the call is repeated on a new one, for `timeout_ms` (a client option, default 60 s) in
    /// all; an operation that changes something happens once all the same.
    ///
    /// # Errors
    /// Those of [`crate::Lane::send`].
    pub async fn send<R: Request>(&self, request: R) -> Result<R::Reply> {
        self.send_ref(&request).await
    }

    async fn send_ref<R: Request>(&self, request: &R) -> Result<R::Reply> {
        let sent = async {
            let operation = Operation::named(R::OPERATION)?;
            let value = self.transmit(operation, |args| request.encode(args)).await?;
            request.decode(value)
        };
        sent.await.map_err(|error| error.during(R::OPERATION))
    }

    /// Performs any operation by name, with JSON in and out; see [`Client::call`].
    ///
    /// # Errors
    /// Those of [`Client::call`].
    pub async fn call(&self, operation: &str, args_json: &str) -> Result<String> {
        let operation = Operation::named(operation)?;
        let called = async {
            if operation.puts() {
                return self.put_now(QueuePut::from_json(args_json)?).await.map(|placed| QueuePut::reply_json(&placed));
            }
            let mut next = Some(operation.ready(&self.client, args_json)?);
            let mut answers = Vec::new();
            while let Some(ready) = next {
                let value = self.transmit(operation, |args| ready.encode(args)).await?;
                let answer = ready.answer(value)?;
                next = ready.rest(&answer)?;
                answers.push(answer);
            }
            operation.joined(answers)
        };
        called.await.map_err(|error| error.during(operation.name))
    }

    /// The blocking client of the same namespace, for what waits by itself: workers and events.
    pub fn blocking(&self) -> &Client {
        &self.client
    }

    /// Closes the connection, that of all clones, and the blocking client; later calls get `CLOSED`.
    pub fn close(&self) {
        self.client.close();
        if self.state.pid == crate::process::id()
            && let Some(link) = lock(&self.state.link).take()
        {
            link.fail("the client is closed");
        }
    }

    async fn transmit(
        &self,
        operation: &'static Operation,
        encode: impl FnOnce(&mut Args) -> Result<()>,
    ) -> Result<Value> {
        let (shared, _) = self.client.parts();
        if self.state.pid != crate::process::id() {
            let message = "this client belongs to the process that opened it; a forked child must open its own";
            return Err(Error::new(Code::Closed, message));
        }
        let mut args = Args::new();
        encode(&mut args)?;
        let begun = Instant::now();
        let mut lane = if operation.writes { Some(self.lane().await?) } else { None };
        let (function, meta_key) = (operation.function(), shared.options.key("meta"));
        let packed = Arc::new(match &mut lane {
            Some(Lane { caller, .. }) => {
                caller.calls += 1;
                args.packed(&function, &meta_key, &caller.id, &caller.calls.to_string())
            }
            None => args.packed(&function, &meta_key, "", ""),
        });
        let left = shared.options.timeout.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        let answered = self.repeat(&packed, Trial::new(left, operation.writes)).await;
        let certain = match &answered {
            Ok(_) => true,
            Err(error) => error.code.is_of_the_engine(),
        };
        if certain {
            self.give_back(lane.take());
        }
        answered
    }

    /// A caller to change something by; waits while all are taken.
    async fn lane(&self) -> Result<Lane> {
        let turn = Arc::clone(&self.state.lanes).acquire_owned();
        let wait = self.client.parts().0.options.timeout;
        let turn = match timeout(wait, turn).await {
            Ok(Ok(turn)) => turn,
            _ => return Err(Error::new(Code::Unavailable, format!("no call ended within {} ms", wait.as_millis()))),
        };
        let idle = lock(&self.state.idle).pop();
        Ok(Lane { caller: idle.unwrap_or_else(|| Caller { id: identity::caller(), calls: 0 }), _turn: turn })
    }

    fn give_back(&self, lane: Option<Lane>) {
        if let Some(Lane { caller, _turn }) = lane {
            lock(&self.state.idle).push(caller);
        }
    }

    /// Tries until there is an answer, or time is up.
    async fn repeat(&self, packed: &Arc<Vec<u8>>, mut trial: Trial) -> Result<Value> {
        let (shared, _) = self.client.parts();
        loop {
            let fault = match self.attempt(packed, &mut trial).await {
                Ok(value) => return Ok(value),
                Err(fault) => fault,
            };
            match trial.after(fault, &shared)? {
                Then::Now => {}
                Then::After(wait, error) => {
                    let end = Instant::now() + wait;
                    while Instant::now() < end {
                        if shared.pool().is_closed() {
                            return Err(error);
                        }
                        sleep(LOOK.min(left(end))).await;
                    }
                }
            }
        }
    }

    /// One try, given up when nothing at all has come for 5 s.
    async fn attempt(&self, packed: &Arc<Vec<u8>>, trial: &mut Trial) -> std::result::Result<Value, Fault> {
        let link = self.link(trial.deadline).await?;
        let (tell, mut told) = oneshot::channel();
        link.send(Call { packed: Arc::clone(packed), tell })?;
        let answered = loop {
            match timeout(left(trial.deadline).min(SILENCE), &mut told).await {
                Ok(Ok(answer)) => break answer,
                Ok(Err(_)) => break Err(Fault::Broken("the runtime of the connection has ended".to_owned())),
                // Others are before this call in the line.
                Err(_) if link.heard.elapsed() < SILENCE && Instant::now() < trial.deadline => {}
                Err(_) => {
                    if link.heard.elapsed() >= SILENCE {
                        link.fail(NO_ANSWER);
                    }
                    break Err(Fault::silent());
                }
            }
        };
        trial.sent |= matches!(answered, Err(Fault::Broken(_)));
        match answered? {
            Value::ServerError(error) => {
                let fault = Fault::from(RedisError::from(error));
                if matches!(fault, Fault::NoFunction) {
                    // The next connection looks at the engine.
                    lock(&self.state.link).take_if(|current| Arc::ptr_eq(current, &link));
                }
                Err(fault)
            }
            value => Ok(value),
        }
    }

    /// The connection, made when there is none.
    async fn link(&self, deadline: Instant) -> std::result::Result<Arc<Link>, Fault> {
        let (shared, _) = self.client.parts();
        let current = || lock(&self.state.link).as_ref().filter(|link| !link.is_broken()).cloned();
        let closed = || Fault::Refused(Error::new(Code::Closed, "the client is closed"));
        let silent = |_| Fault::silent();
        if shared.pool().is_closed() {
            return Err(closed());
        }
        if let Some(link) = current() {
            return Ok(link);
        }
        let until = deadline.min(Instant::now() + SILENCE);
        let _dialing = timeout(left(until), self.state.dialing.lock()).await.map_err(silent)?;
        if let Some(link) = current() {
            return Ok(link);
        }
        let reach = {
            let shared = Arc::clone(&shared);
            move || shared.pool().reach(&shared.target, &shared.options, deadline)
        };
        let info = tokio::task::spawn_blocking(reach).await.map_err(|error| Fault::Broken(error.to_string()))??;
        let link = Arc::new(timeout(left(deadline).min(SILENCE), Link::open(&info)).await.map_err(silent)??);
        *lock(&self.state.link) = Some(Arc::clone(&link));
        if shared.pool().is_closed() {
            link.fail("the client is closed");
            return Err(closed());
        }
        Ok(link)
    }
}

impl std::fmt::Debug for AsyncClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Async{:?}", self.client)
    }
}
