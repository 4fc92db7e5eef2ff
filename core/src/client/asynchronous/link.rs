//! One connection: calls go out together, answers come in the order of the calls.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

use redis::{RedisError, Value};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;

use super::answers::{Answer, Answers, Heard};
use super::lock;
use crate::client::connection::greeting;
use crate::client::fault::Fault;
use crate::endpoint::{Address, Endpoint};

/// Calls are written together up to so many bytes.
const WRITE: usize = 1 << 16;

pub(super) type Reads = Box<dyn AsyncRead + Send + Unpin>;
type Writes = Box<dyn AsyncWrite + Send + Unpin>;

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
    pub async fn open(endpoint: &Endpoint) -> std::result::Result<Link, Fault> {
        let (reads, mut writes) = connect(&endpoint.address).await?;
        let heard = Arc::new(Heard::new());
        let mut answers = Answers::new(reads, Arc::clone(&heard));
        let (greeting, needed) = greeting(&endpoint.login);
        writes.write_all(&greeting.get_packed_pipeline()).await?;
        writes.flush().await?;
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

/// Connects, and shakes hands where TLS is asked for.
async fn connect(address: &Address) -> io::Result<(Reads, Writes)> {
    match address {
        Address::Tcp { host, port, tls } => {
            let socket = TcpStream::connect((host.as_str(), *port)).await?;
            socket.set_nodelay(true)?;
            match tls {
                None => {
                    let (reads, writes) = socket.into_split();
                    Ok((Box::new(reads), Box::new(writes)))
                }
                Some(tls) => {
                    let stream = TlsConnector::from(tls.configuration()).connect(tls.name.clone(), socket).await?;
                    let (reads, writes) = tokio::io::split(stream);
                    Ok((Box::new(reads), Box::new(writes)))
                }
            }
        }
        Address::Unix(path) => {
            let (reads, writes) = UnixStream::connect(path).await?.into_split();
            Ok((Box::new(reads), Box::new(writes)))
        }
    }
}

/// Writes calls, those that wait together.
async fn write(mut writes: Writes, mut queue: mpsc::UnboundedReceiver<Call>, waiting: Arc<Waiting>) {
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
        let mut written = writes.write_all(&bytes).await;
        if written.is_ok() {
            // TLS may keep what the socket did not take at once.
            written = writes.flush().await;
        }
        if let Err(error) = written {
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
