//! The blocking client.

use std::collections::VecDeque;
use std::sync::Arc;

use super::config::Config;
use super::lane::{Interrupted, Lane};
use super::pool::{Pool, PoolCell};
use super::queue::Queue;
use crate::error::{Code, Error, Result};
use crate::middleware::{AroundPut, PutMiddleware};
use crate::ops::{Operation, Placed, QueuePut};
use crate::options::Options;
use crate::request::{Args, Request, Value};
use crate::url::Target;

/// What all clones of a client share.
pub(crate) struct Shared {
    pub(super) target: Target,
    pub(super) options: Options,
    url: String,
    pool: PoolCell,
}

impl Shared {
    pub(super) fn pool(&self) -> &Pool {
        self.pool.get()
    }

    pub(super) fn unavailable(&self, cause: &str) -> Error {
        Error::new(Code::Unavailable, format!("cannot reach {}: {cause}", self.target))
    }
}

/// A client: sends requests to the engine in Redis. Cheap to clone; clones share their connections.
///
/// It may be used from many threads at once, and in forked children, which get connections of their own.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    interrupted: Option<Interrupted>,
    around_put: Vec<Arc<dyn PutMiddleware>>,
}

impl Client {
    /// A client for a URL. Checks the arguments only; the first call connects.
    ///
    /// url: `redis://[user[:password]@]host[:port][/database]`, the same with `rediss://` for TLS, which may end in
    /// `?ca=FILE&cert=FILE&key=FILE` (docs/urls.md), `unix:///path[?db=&user=&password=]`, or `embedded:DIR[?keep=1]` (a
    /// private server in that folder). None: `MANYHANDS_URL`, else `REDIS_URL`, else `embedded:.manyhands`, which an
    /// environment that says production refuses.
    ///
    /// options_json: `{"namespace": "mh", "timeout_ms": 60000, "engine_upgrade": "auto" | "manual"}`, all optional,
    /// or an empty text. `engine_upgrade` is `auto` by default for `embedded:` and an empty server, else `manual`.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the option, the part of the URL, or the file in it that cannot be used;
    /// `UNSUPPORTED_URL`.
    pub fn open(url: Option<&str>, options_json: &str) -> Result<Client> {
        let options = Options::parse(options_json)?;
        let url = crate::url::choose(url)?;
        let target = Target::parse(&url)?;
        let url = target.full(&url);
        let shared = Arc::new(Shared { target, options, url, pool: PoolCell::new() });
        Ok(Client { shared, interrupted: None, around_put: Vec::new() })
    }

    /// A clone whose calls can be ended by the host's user (Ctrl-C) while Redis is away, instead of being repeated until
    /// `timeout_ms` has passed. `interrupted` is asked at least every 100 ms between two tries, on the calling thread,
    /// with its signals free; when it says true, the call ends as if its time were up. One try lasts 5 s at most;
    /// only the start of a private server may take longer.
    pub fn interruptible(&self, interrupted: impl Fn() -> bool + Send + Sync + 'static) -> Client {
        Client { interrupted: Some(Arc::new(interrupted)), ..self.clone() }
    }

    /// A clone whose puts go through this middleware too, inside of those it has already.
    pub fn with(&self, middleware: impl PutMiddleware + 'static) -> Client {
        let mut client = self.clone();
        client.around_put.push(Arc::new(middleware));
        client
    }

    #[cfg(feature = "async")]
    pub(super) fn has_middleware(&self) -> bool {
        !self.around_put.is_empty()
    }

    /// Sends a request and waits for its reply; see [`Lane::send`] for repeats and errors.
    pub fn send<R: Request>(&self, request: R) -> Result<R::Reply> {
        self.send_ref(&request)
    }

    pub(crate) fn send_ref<R: Request>(&self, request: &R) -> Result<R::Reply> {
        self.lane().send(request)
    }

    /// Performs any operation by name, with JSON in and out; the door for every host language.
    ///
    /// # Errors
    /// `UNKNOWN_OPERATION`; `INVALID_ARGUMENT` naming the argument; those of [`Lane::send`]; and what the operation
    /// itself answers. In calls with many items, the error of one item stands in its place in the reply.
    pub fn call(&self, operation: &str, args_json: &str) -> Result<String> {
        Operation::named(operation)?.call(self, args_json)
    }

    /// Puts any number of jobs, in order, by as few steps as may be: up to 250 jobs, 250 tags and throttles (each
    /// dependency counted twice) and 8 MiB of data are one step, all or none; so are jobs that exist already, if those have
    /// no more than 250 tags, throttles and dependencies.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` before anything is put; those of [`Client::send`], which say how many jobs the steps before have
    /// put.
    pub fn put_all(&self, put: QueuePut) -> Result<Vec<Placed>> {
        if self.around_put.is_empty() {
            return self.put_now(put);
        }
        AroundPut::new(self, &self.around_put).call(put.into_jobs())
    }

    pub(crate) fn put_now(&self, put: QueuePut) -> Result<Vec<Placed>> {
        self.put_parts(put).map_err(|error| error.during(QueuePut::OPERATION))
    }

    /// One part after the other, each when that before it is answered. While the server works at one, the answer to that
    /// before it is read, and the next is encoded.
    fn put_parts(&self, put: QueuePut) -> Result<Vec<Placed>> {
        let operation = Operation::named(QueuePut::OPERATION)?;
        let mut parts = VecDeque::from(put.split()?);
        let (mut answered, mut encoded) = (None::<(QueuePut, Vec<Value>)>, None);
        let mut placed = Vec::new();
        let mut lane = self.lane();
        while let Some(part) = parts.pop_front() {
            let args = encoded.take().unwrap_or_else(|| part.encoded())?;
            let mut read = Ok(());
            let sent = lane.transmit_and(operation, &args, &mut || {
                encoded = encoded.take().or_else(|| parts.front().map(QueuePut::encoded));
                if let Some((before, answers)) = answered.take() {
                    read = before.read(answers, &mut placed);
                }
            });
            read?;
            match sent.and_then(|value| part.answers(value)) {
                Ok(answers) => answered = Some((part, answers)),
                Err(error) => {
                    part.instead(error)?.into_iter().rev().for_each(|part| parts.push_front(part));
                    encoded = None;
                }
            }
        }
        if let Some((last, answers)) = answered {
            last.read(answers, &mut placed)?;
        }
        Ok(placed)
    }

    pub(crate) fn transmit(
        &self,
        operation: &'static Operation,
        encode: impl FnOnce(&mut Args) -> Result<()>,
    ) -> Result<Value> {
        self.lane().transmit(operation, encode)
    }

    /// An exclusive connection with its own caller id. Dropping it gives the connection back.
    pub fn lane(&self) -> Lane {
        Lane::new(Arc::clone(&self.shared), self.interrupted.clone())
    }

    /// What a subscription to events needs.
    pub(super) fn parts(&self) -> (Arc<Shared>, Option<Interrupted>) {
        (Arc::clone(&self.shared), self.interrupted.clone())
    }

    /// A queue, to call its operations by.
    pub fn queue(&self, name: impl Into<String>) -> Queue {
        Queue::new(self.clone(), name.into())
    }

    /// The settings of this namespace.
    pub fn config(&self) -> Config {
        Config::new(self.clone())
    }

    /// Closes the connections of this client, of all its clones and of its subscriptions to events, and ends their waiting;
    /// later calls get `CLOSED`. The last user of an `embedded:` server stops it.
    pub fn close(&self) {
        self.shared.pool().close();
    }

    /// The URL, complete: with the absolute path for `embedded:`. It contains the password, if one was given.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The URL as it may be shown to anyone: without the password.
    pub fn shown_url(&self) -> String {
        self.shared.target.to_string()
    }

    /// The namespace, without braces.
    pub fn namespace(&self) -> &str {
        &self.shared.options.namespace
    }

    /// The name this client reserves by when no worker is named: `host:pid:8 hex`, new in every process.
    pub fn worker_name(&self) -> String {
        self.shared.pool().worker_name.clone()
    }

    /// The list whose token says that there is a queue nobody has seen yet, or that patterns mean other queues.
    pub(crate) fn new_queues_key(&self) -> String {
        self.shared.options.key("queues:wake")
    }

    /// The list that wakes those who wait for jobs of `queue`, for [`Lane::block_pop`].
    pub(crate) fn wake_key(&self, queue: &str) -> String {
        self.shared.options.key(&format!("wake:{queue}"))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({}, {})", self.shared.target, self.shared.options.namespace)
    }
}
