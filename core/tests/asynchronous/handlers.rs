//! Handlers that are futures.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use manyhands::{Around, Backoff, Client, Code, Job, JobKind, Outcome, Put, Worker};
use tokio::sync::{Notify, Semaphore};

use crate::support::{Calls, Server, member};
use crate::{run, threaded};

/// Longer than anything here takes: a test that waits for so long has failed.
pub const LONG: Duration = Duration::from_secs(20);

pub fn worker(client: &Client, more: &str) -> Worker {
    Worker::open(client, &format!("{{\"queues\":[\"q\"]{more}}}")).unwrap()
}

fn put(client: &Client, kind: &str) -> String {
    client.queue("q").put(Put::new(kind)).unwrap().jid
}

pub fn view(client: &Client, jid: &str, pointer: &str) -> serde_json::Value {
    member(&client.call("job_get", &format!("{{\"jid\":\"{jid}\"}}")).unwrap(), pointer)
}

/// A worker that performs jobs on a runtime of its own, on a thread of its own.
struct Performing {
    worker: Worker,
    thread: std::thread::JoinHandle<manyhands::Result<()>>,
}

impl Performing {
    fn begin<R: Future<Output = Outcome> + Send + 'static>(
        worker: &Worker,
        handler: impl Fn(Job) -> R + Send + Sync + 'static,
    ) -> Performing {
        let own = worker.clone();
        let thread = std::thread::spawn(move || run(async move { own.run_async(handler).await }));
        Performing { worker: worker.clone(), thread }
    }

    /// Waits until it has ended by itself and all outcomes are told.
    fn ends(self) {
        self.thread.join().unwrap().unwrap();
        self.worker.stop(LONG).unwrap();
    }

    /// The same of one that would go on.
    fn end(self) {
        self.worker.quiet();
        self.ends();
    }
}

/// What a handler tells of itself.
#[derive(Debug, PartialEq)]
enum News {
    Begun,
    Dropped,
}

/// Tells when it is dropped.
struct Dropped(mpsc::Sender<News>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(News::Dropped);
    }
}

type Run = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A handler that never ends by itself, and what it tells.
fn endless() -> (impl Fn(Job) -> Run, mpsc::Receiver<News>) {
    let (tell, told) = mpsc::channel();
    let handler = move |_job| -> Run {
        let tell = tell.clone();
        Box::pin(async move {
            tell.send(News::Begun).unwrap();
            let _dropped = Dropped(tell);
            std::future::pending().await
        })
    };
    (handler, told)
}

fn expect(told: &mpsc::Receiver<News>, news: News) {
    assert_eq!(told.recv_timeout(LONG).unwrap(), news);
}

/// One job `k` in the hand of a handler that never ends by itself.
struct Endless {
    server: Server,
    worker: Worker,
    jid: String,
    performing: Performing,
    told: mpsc::Receiver<News>,
}

impl Endless {
    fn begin(kind: &JobKind) -> Endless {
        let server = Server::start();
        let client = server.client();
        let jid = client.queue("q").put(kind.job("null")).unwrap().jid;
        let worker = worker(&client, "");
        worker.define(kind).unwrap();
        let (handler, told) = endless();
        let performing = Performing::begin(&worker, handler);
        expect(&told, News::Begun);
        Endless { server, worker, jid, performing, told }
    }
}

#[test]
fn as_many_run_at_once_as_there_are_threads() {
    let server = Server::start();
    let client = server.client();
    let jids: Vec<_> = (0..8).map(|_| put(&client, "k")).collect();
    let worker = worker(&client, r#","threads":3,"max_jobs":8"#);
    let (gate, now, most) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (begun, begins) = mpsc::channel();
    let running = {
        let (gate, now, most) = (Arc::clone(&gate), Arc::clone(&now), Arc::clone(&most));
        let worker = worker.clone();
        let handler = move |job: Job| {
            let (gate, now, most) = (Arc::clone(&gate), Arc::clone(&now), Arc::clone(&most));
            let begun = begun.clone();
            async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                begun.send(()).unwrap();
                gate.acquire().await.unwrap().forget();
                now.fetch_sub(1, Ordering::SeqCst);
                Outcome::completed(Some(&format!("\"{}\"", job.jid)), "").unwrap()
            }
        };
        std::thread::spawn(move || threaded(async move { worker.run_async(handler).await }))
    };
    (0..3).for_each(|_| begins.recv_timeout(LONG).unwrap());
    assert_eq!(worker.running(), 3);
    gate.add_permits(8);
    running.join().unwrap().unwrap();
    worker.stop(LONG).unwrap();
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert!(jids.iter().all(|jid| view(&client, jid, "/result") == jid.as_str()));
}

#[test]
fn waiting_for_jobs_leaves_the_runtime_alone() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    // Both on one thread: the second could not run if the first blocked it.
    run(async {
        let done = Arc::new(Notify::new());
        let tell = Arc::clone(&done);
        let performing = worker.run_async(move |_| {
            let tell = Arc::clone(&tell);
            async move {
                tell.notify_one();
                Outcome::DONE
            }
        });
        let putting = async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
                put(&client, "k");
                done.notified().await;
            }
            worker.quiet();
        };
        let mut performing = std::pin::pin!(performing);
        let mut putting = std::pin::pin!(putting);
        let mut is_put = false;
        std::future::poll_fn(|context| {
            is_put = is_put || putting.as_mut().poll(context).is_ready();
            performing.as_mut().poll(context)
        })
        .await
        .unwrap();
        assert!(is_put);
    });
    worker.stop(LONG).unwrap();
    assert_eq!(client.queue("q").length().unwrap(), 0);
}

#[test]
fn outcomes_are_those_of_the_future() {
    let server = Server::start();
    let client = server.client();
    let jids = ["panic", "error", "fail", "long", "unknown"].map(|kind| put(&client, kind));
    let worker = worker(&client, r#","max_jobs":5"#);
    worker.define(&JobKind::new("error").backoff(Backoff::fixed(Duration::from_secs(600)))).unwrap();
    let performing = Performing::begin(&worker, |job| async move {
        tokio::task::yield_now().await;
        match job.kind.as_str() {
            "panic" => panic!("on purpose"),
            "error" => Outcome::thrown("Broken", "on purpose"),
            "fail" => Outcome::Fail { group: "g".to_owned(), message: String::new(), trace: String::new() },
            // What cannot be kept is the handler's error.
            "long" => Outcome::Fail { group: "g".repeat(300), message: String::new(), trace: String::new() },
            _ => Outcome::UnknownKind,
        }
    });
    performing.ends();
    let state = |jid: &str| view(&client, jid, "/state");
    assert_eq!(jids.each_ref().map(|jid| state(jid)), ["scheduled", "scheduled", "failed", "scheduled", "failed"]);
    assert_eq!(view(&client, &jids[0], "/failure/message"), "on purpose");
    assert_eq!(view(&client, &jids[2], "/failure/group"), "g");
    assert_eq!(view(&client, &jids[4], "/failure/group"), "unknown-kind:unknown");
    let due = |jid: &str| view(&client, jid, "/due_at_ms").as_u64().unwrap();
    assert!(due(&jids[1]) > due(&jids[0]) + 500_000);
}

#[test]
fn a_killed_handler_is_dropped_and_its_job_released() {
    let Endless { server, worker, jid, performing, told } = Endless::begin(&JobKind::new("k"));
    let client = server.client();
    worker.kill_running();
    expect(&told, News::Dropped);
    // The worker goes on.
    expect(&told, News::Begun);
    assert_eq!(view(&client, &jid, "/remaining"), view(&client, &jid, "/retries"), "no retry is spent");
    worker.quiet();
    worker.kill_running();
    performing.ends();
    assert_eq!(view(&client, &jid, "/state"), "waiting");
}

#[test]
fn a_handler_whose_time_is_over_spends_a_retry() {
    let kind = JobKind::new("k").timeout(Duration::from_millis(1)).backoff(Backoff::fixed(LONG * 100));
    let Endless { server, jid, performing, told, .. } = Endless::begin(&kind);
    let client = server.client();
    expect(&told, News::Dropped);
    performing.end();
    assert_eq!(view(&client, &jid, "/state"), "scheduled");
    assert_eq!(view(&client, &jid, "/failure/group"), "k:JobInterrupted");
    assert_eq!(view(&client, &jid, "/failure/message"), "the run of the job was interrupted: timeout");
}

#[test]
fn a_lost_job_drops_its_handler() {
    let Endless { server, worker, jid, performing, told } = Endless::begin(&JobKind::new("k"));
    server.client().call("job_cancel", &format!("{{\"jids\":[\"{jid}\"]}}")).unwrap();
    expect(&told, News::Dropped);
    performing.end();
    assert_eq!(worker.take_refused()[0].reason, "cancelled");
}

#[test]
fn a_handler_that_blocks_its_runtime_keeps_its_lease() {
    let server = Server::start();
    let client = server.client();
    let jid = put(&client, "k");
    let worker = worker(&client, "");
    let (begun, begins) = mpsc::channel();
    let (go_on, goes_on) = mpsc::channel::<()>();
    let goes_on = Arc::new(Mutex::new(goes_on));
    let performing = Performing::begin(&worker, move |_| {
        let (begun, goes_on) = (begun.clone(), Arc::clone(&goes_on));
        async move {
            begun.send(()).unwrap();
            // The only thread of the runtime.
            goes_on.lock().unwrap().recv().unwrap();
            Outcome::DONE
        }
    });
    begins.recv_timeout(LONG).unwrap();
    let lease_until = || view(&client, &jid, "/lease_until_ms").as_u64();
    let before = lease_until();
    client.call("config_set", r#"{"name":"heartbeat","value":300000}"#).unwrap();
    let mut calls = Calls::of(&server);
    while lease_until() == before {
        calls.next("mh1_worker_pulse");
    }
    assert!(lease_until() > before);
    go_on.send(()).unwrap();
    performing.end();
    assert_eq!(view(&client, &jid, "/state"), "completed");
}

#[test]
fn dropping_the_run_or_its_runtime_releases_the_jobs() {
    let server = Server::start();
    let client = server.client();
    for drops_runtime in [false, true] {
        let jid = put(&client, "k");
        let worker = worker(&client, "");
        let (handler, told) = endless();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let performing = {
            let worker = worker.clone();
            runtime.spawn(async move { worker.run_async(handler).await })
        };
        expect(&told, News::Begun);
        match drops_runtime {
            false => performing.abort(),
            true => drop(runtime),
        }
        expect(&told, News::Dropped);
        assert!(matches!(worker.next(LONG), Ok(manyhands::Next::Stopped)), "it is quiet");
        worker.stop(LONG).unwrap();
        assert_eq!(view(&client, &jid, "/state"), "waiting");
        assert_eq!(view(&client, &jid, "/remaining"), view(&client, &jid, "/retries"), "no retry is spent");
        client.call("job_cancel", &format!("{{\"jids\":[\"{jid}\"]}}")).unwrap();
    }
}

#[test]
fn a_second_run_at_once_is_refused_and_the_first_hears_of_its_interrupts() {
    let server = Server::start();
    let client = server.client();
    let jid = put(&client, "k");
    let worker = worker(&client, r#","threads":2,"max_jobs":1"#);
    let (handler, told) = endless();
    let performing = Performing::begin(&worker, handler);
    expect(&told, News::Begun);
    let refused = [run(worker.run_async(|_| async { Outcome::DONE })), worker.run(|_| Outcome::DONE)];
    for error in refused.map(Result::unwrap_err) {
        assert_eq!((error.code, error.message.as_str()), (Code::WrongState, "the worker runs already"));
    }
    client.call("job_cancel", &format!("{{\"jids\":[\"{jid}\"]}}")).unwrap();
    expect(&told, News::Dropped);
    performing.ends();
}

#[test]
fn middleware_and_no_runtime_are_refused() {
    let client = Client::open(Some("unix:///nowhere/redis.sock"), "").unwrap();
    let worker = worker(&client, "");
    let refused = |worker: &Worker| {
        let future = worker.run_async(|_| async { Outcome::DONE });
        let mut future = std::pin::pin!(future);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match future.as_mut().poll(&mut context) {
            std::task::Poll::Ready(Err(error)) => (error.code, error.message),
            other => panic!("{other:?}"),
        }
    };
    let (code, message) = refused(&worker);
    assert_eq!((code, message.as_str()), (Code::WrongState, "handlers that are futures need a tokio runtime"));
    let worker = worker.with(|_: &Job, next: Around<'_>| next.call());
    let (code, message) = refused(&worker);
    assert_eq!(code, Code::WrongState);
    assert!(message.starts_with("the middleware of Worker::with is for handlers that block"), "{message}");
}
