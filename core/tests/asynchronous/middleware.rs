//! Middleware around handlers that are futures, and around the puts of an asynchronous client.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use manyhands::testing::perform_async;
use manyhands::{
    AsyncAround, AsyncAroundPut, AsyncClient, AsyncLocals, AsyncMiddleware, Backoff, Code, Job, JobKind, Outcome,
    Placed, Put, Result, RetryRules, Worker,
};

use crate::handlers::{LONG, view, worker};
use crate::support::Server;
use crate::support::cases::{self, Move, Seen, Shared};
use crate::{client, run, threaded};

impl Shared for AsyncLocals {
    fn keep(&self, seen: Seen) {
        self.set(seen);
    }

    fn kept(&self) -> Option<Seen> {
        self.get()
    }
}

struct Step(Move);

impl AsyncMiddleware for Step {
    async fn around(&self, job: Arc<Job>, next: AsyncAround) -> Outcome {
        match self.0.before(&job, next.worker(), next.locals()) {
            Some(outcome) => outcome,
            None => {
                let outcome = next.call().await;
                tokio::task::yield_now().await;
                self.0.after(outcome)
            }
        }
    }
}

#[test]
fn the_cases_of_all_languages() {
    cases::play(|worker, chain, handler| {
        let worker = chain.into_iter().fold(worker, |worker, step| worker.with_async(Step(step)));
        threaded(worker.run_async_with(move |job, locals| {
            let handler = handler.clone();
            async move {
                tokio::task::yield_now().await;
                handler.call(&job, &locals)
            }
        }))
        .unwrap();
    });
}

#[test]
fn retry_rules_say_what_becomes_of_a_job_after_an_error() {
    let server = Server::start();
    let client = server.client();
    let rules = RetryRules::new().discard_on("NoSuchUser").retry_on("JobInterrupted", Backoff::fixed(LONG * 100));
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let worker = worker(&client, r#","max_jobs":2,"timeouts":{"slow":1}"#);
    let worker = worker.with_async(move |job: Arc<Job>, next: AsyncAround| {
        let hears = Arc::clone(&hears);
        async move {
            let outcome = next.call().await;
            hears.lock().unwrap().push(format!("{} {}", job.kind, outcome.name()));
            outcome
        }
    });
    let worker = worker.with_async(rules);
    let jids = ["NoSuchUser", "slow"].map(|kind| client.queue("q").put(Put::new(kind)).unwrap().jid);
    let running = worker.run_async(|job| async move {
        match job.kind.as_str() {
            "slow" => std::future::pending().await,
            class => Outcome::thrown(class, "on purpose"),
        }
    });
    run(running).unwrap();
    worker.stop(LONG).unwrap();
    assert_eq!(view(&client, &jids[0], "/state"), "failed");
    let due = view(&client, &jids[1], "/due_at_ms").as_u64().unwrap();
    let put_at = view(&client, &jids[1], "/put_at_ms").as_u64().unwrap();
    assert!(due - put_at >= 2_000_000, "{due} {put_at}");
    assert_eq!(*heard.lock().unwrap(), ["NoSuchUser error", "slow error"]);
}

#[test]
fn an_interrupt_ends_what_is_innermost_and_those_outside_go_on() {
    let server = Server::start();
    let client = server.client();
    let jid = client.queue("q").put(Put::new("k")).unwrap().jid;
    let (begun, begins) = mpsc::channel();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let worker = worker(&client, r#","max_jobs":1"#)
        .with_async(move |_: Arc<Job>, next: AsyncAround| {
            let hears = Arc::clone(&hears);
            async move {
                let outcome = next.call().await;
                // It is told once: what those outside still await is theirs.
                tokio::task::yield_now().await;
                hears.lock().unwrap().push(outcome.name());
                outcome
            }
        })
        .with_async(move |_: Arc<Job>, _: AsyncAround| {
            begun.send(()).unwrap();
            std::future::pending()
        });
    let running = {
        let worker = worker.clone();
        std::thread::spawn(move || run(worker.run_async(|_| async { Outcome::DONE })))
    };
    begins.recv_timeout(LONG).unwrap();
    worker.kill_running();
    running.join().unwrap().unwrap();
    worker.stop(LONG).unwrap();
    assert_eq!((view(&client, &jid, "/state"), heard.lock().unwrap().as_slice()), ("waiting".into(), &["release"][..]));
}

#[test]
fn a_call_that_a_middleware_gives_up_is_dropped() {
    let worker = Worker::open(&nowhere(), r#"{"queues":["q"]}"#).unwrap();
    let worker = worker.with_async(|_: Arc<Job>, next: AsyncAround| async move {
        let waited = tokio::time::timeout(Duration::from_millis(1), next.call()).await;
        waited.unwrap_or(Outcome::Snooze { delay_ms: 1 })
    });
    let outcome = run(perform_async(&worker, Job::build("k", "null"), |_| std::future::pending()));
    assert_eq!(outcome.unwrap(), Outcome::Snooze { delay_ms: 1 });
}

#[test]
fn middleware_of_the_other_sort_is_refused() {
    let worker = Worker::open(&nowhere(), r#"{"queues":["q"]}"#).unwrap();
    let worker = worker.with_async(RetryRules::new());
    let errors = [
        worker.run(|_| Outcome::DONE).unwrap_err(),
        worker.drain(|_| Outcome::DONE).unwrap_err(),
        manyhands::testing::perform(&worker, &Job::build("k", "null"), |_| Outcome::DONE).unwrap_err(),
    ];
    for error in errors {
        assert_eq!(error.code, Code::WrongState);
        assert!(error.message.starts_with("the middleware of Worker::with_async is for futures"), "{error}");
    }
    let blocking = nowhere().with(|puts: Vec<Put>, next: manyhands::AroundPut<'_>| next.call(puts));
    let error = run(AsyncClient::of(blocking).put(Put::new("k").queue("q"))).unwrap_err();
    assert_eq!((error.code, error.operation.as_deref()), (Code::WrongState, Some("queue_put")));
}

fn nowhere() -> manyhands::Client {
    manyhands::Client::open(Some("unix:///nowhere/redis.sock"), "").unwrap()
}

#[test]
fn middleware_around_put_changes_adds_and_refuses() {
    async fn adds(mut puts: Vec<Put>, next: AsyncAroundPut) -> Result<Vec<Placed>> {
        if puts.iter().any(|put| put.kind == "never") {
            return Ok(Vec::new());
        }
        puts.push(Put::new("audit").queue("log"));
        next.call(puts).await
    }
    let server = Server::start();
    let plain = client(&server);
    let order = Arc::new(Mutex::new(Vec::new()));
    let outer = Arc::clone(&order);
    let adding = plain.with(move |puts: Vec<Put>, next: AsyncAroundPut| {
        let outer = Arc::clone(&outer);
        async move {
            outer.lock().unwrap().push(puts.len());
            let placed = next.call(puts).await?;
            outer.lock().unwrap().push(placed.len());
            Ok(placed)
        }
    });
    let adding = adding.with(adds);
    run(async {
        let placed = adding.put_all(manyhands::ops::QueuePut::new([Put::new("a").queue("q")])).await.unwrap();
        assert_eq!((placed.len(), order.lock().unwrap().as_slice()), (2, &[1, 2][..]));
        assert_eq!(adding.put(Put::new("never").queue("q")).await.unwrap_err().code, Code::Internal);
        plain.put(JobKind::new("never").queue("q").job("null")).await.unwrap();
        let again = Put::new("never").queue("q").jid("j").on_conflict(manyhands::ops::OnConflict::Reject);
        plain.put(again.clone()).await.unwrap();
        assert_eq!(plain.put(again).await.unwrap_err().code, Code::JobExists);
        // Two steps.
        let many = (0..300).map(|_| Put::new("k").queue("q"));
        assert_eq!(plain.put_all(manyhands::ops::QueuePut::new(many)).await.unwrap().len(), 300);
    });
    let counts = server.client().queue("q").counts().unwrap();
    assert_eq!((counts.waiting, server.client().queue("log").length().unwrap()), (303, 1));
}
