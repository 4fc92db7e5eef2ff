//! One connection: calls go out together, answers come in the order of the calls.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use redis::{ConnectionAddr, ConnectionInfo, RedisError, Value};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::answers::{Answer, Answers, Heard};
use super::lock;
use crate::client::connection::greeting;
use crate::client::fault::Fault;
use crate::error::Error;

/// Calls are written together up to so many bytes.
const WRITE: usize = 1 << 16;

/// A packed call, and who is told the answer.
pub(super) struct Call {
    pub packed: Arc<Vec<u8>>,
    pub tell: oneshot::Sender<Answer>,
}

/// One connection: a task that writes calls, and one that reads answers.
pub(super) struct Link {
    calls: mpsc::UnboundedSender<Call>,
    waiting: Arc<Waiting>,
    pub heard: Arc<Heard>,
    tasks: [AbortHandle; 2],
}

/// Who waits for an answer, in the order of the calls; None once the connection is broken.
struct Waiting(Mutex<Option<VecDeque<oneshot::Sender<Answer>>>>);

impl Waiting {
    /// From now on nobody waits; who does gets the cause.
    fn fail(&self, cause: &str) {
        let all = lock(&self.0).take();
        for tell in all.into_iter().flatten() {
            // Who waits no longer needs no answer.
            let _ = tell.send(Err(Fault::Broken(cause.to_owned())));
        }
    }

    /// Joins the line; false when there is none any more.
    fn join(&self, tell: oneshot::Sender<Answer>) -> bool {
        match &mut *lock(&self.0) {
            Some(line) => line.push_back(tell),
            None => {
                let _ = tell.send(Err(Fault::Broken("the connection was lost".to_owned())));
                return false;
            }
        }
        true
    }

    /// Answers the first of the line; false when nobody is there.
    fn answer(&self, value: Value) -> bool {
        let first = lock(&self.0).as_mut().and_then(VecDeque::pop_front);
        first.map(|tell| tell.send(Ok(value))).is_some()
    }
}

impl Link {
    /// Connects and logs in.
    pub async fn open(info: &ConnectionInfo) -> std::result::Result<Link, Fault> {
        let broken = |error: io::Error| Fault::Broken(error.to_string());
        let (reads, mut writes): (Box<dyn AsyncRead + Send + Unpin>, Box<dyn AsyncWrite + Send + Unpin>) =
            match info.addr() {
                ConnectionAddr::Tcp(host, port) => {
                    let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(broken)?;
                    stream.set_nodelay(true).map_err(broken)?;
                    let (reads, writes) = stream.into_split();
                    (Box::new(reads), Box::new(writes))
                }
                ConnectionAddr::Unix(path) => {
                    let (reads, writes) = UnixStream::connect(path).await.map_err(broken)?.into_split();
                    (Box::new(reads), Box::new(writes))
                }
                _ => return Err(Fault::Refused(Error::internal("an address of a kind that no URL gives"))),
            };
        let heard = Arc::new(Heard::new());
        let mut answers = Answers::new(reads, Arc::clone(&heard));
        let (greeting, needed) = greeting(info.redis_settings());
        writes.write_all(&greeting.get_packed_pipeline()).await.map_err(broken)?;
        for index in 0..greeting.len() {
            match answers.next().await? {
                Value::ServerError(error) if index < needed => return Err(RedisError::from(error).into()),
                _ => {}
            }
        }
        let (calls, queue) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting(Mutex::new(Some(VecDeque::new()))));
        let writing = tokio::spawn(write(writes, queue, Arc::clone(&waiting)));
        let reading = tokio::spawn(read(answers, Arc::clone(&waiting)));
        Ok(Link { calls, waiting, heard, tasks: [writing.abort_handle(), reading.abort_handle()] })
    }

    /// Hands a call over to be written. Nothing was sent when this fails.
    pub fn send(&self, call: Call) -> std::result::Result<(), Fault> {
        self.calls.send(call).map_err(|_| Fault::Broken("the connection was lost".to_owned()))
    }

    pub fn is_broken(&self) -> bool {
        self.calls.is_closed() || lock(&self.waiting.0).is_none()
    }

    /// Ends the connection: whoever waits gets the cause.
    pub fn fail(&self, cause: &str) {
        self.waiting.fail(cause);
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.fail("the connection was closed");
    }
}

/// Writes calls, those that wait together.
async fn write(
    mut writes: Box<dyn AsyncWrite + Send + Unpin>,
    mut queue: mpsc::UnboundedReceiver<Call>,
    waiting: Arc<Waiting>,
) {
    let mut bytes = Vec::with_capacity(WRITE);
    while let Some(call) = queue.recv().await {
        let mut next = Some(call);
        while let Some(Call { packed, tell }) = next.take() {
            // A call that nobody waits for any more need not be made.
            if !tell.is_closed() {
                if !waiting.join(tell) {
                    return;
                }
                bytes.extend_from_slice(&packed);
            }
            if bytes.len() < WRITE {
                next = queue.try_recv().ok();
            }
        }
        if let Err(error) = writes.write_all(&bytes).await {
            waiting.fail(&error.to_string());
            return;
        }
        bytes.clear();
    }
}

/// Reads answers until the connection breaks.
async fn read(mut answers: Answers, waiting: Arc<Waiting>) {
    let cause = loop {
        match answers.next().await {
            // Redis pushes what nobody asked for, for example that it is closing.
            Ok(Value::Push { .. }) => {}
            Ok(value) => {
                if !waiting.answer(value) {
                    break "an answer came that nobody asked for".to_owned();
                }
            }
            Err(Fault::Broken(cause)) => break cause,
            Err(_) => break "what it answered is no reply of Redis; is it Redis?".to_owned(),
        }
    };
    waiting.fail(&cause);
}
