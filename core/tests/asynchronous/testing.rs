//! Drain and the other tools for tests of programs on tokio; the example of docs/testing.md is beside.

use std::sync::{Arc, Mutex, OnceLock, mpsc};

use manyhands::testing::{inline_async, recorded_puts_async};
use manyhands::{AsyncClient, Code, Next, Outcome, Put, Worker};

use crate::handlers::{LONG, view, worker};
use crate::support::Server;
use crate::{client, run, threaded};

#[test]
fn the_page_shows_the_example() {
    let example = include_str!("../../../examples/rust/greetings_async.rs");
    assert!(include_str!("../../../docs/testing.md").contains(&format!("```rust\n{example}```\n")));
}

#[test]
fn what_may_run_is_performed_and_what_that_puts() {
    let server = Server::start();
    let client = client(&server);
    run(async {
        client.put(Put::new("first").queue("q").jid("first").route(["r"])).await.unwrap();
        client.put(Put::new("late").queue("q").jid("late").delay_ms(3_600_000)).await.unwrap();
        client.put(Put::new("panics").queue("q").jid("panics")).await.unwrap();
        let worker = Worker::open(client.blocking(), r#"{"queues":["q","r*"]}"#).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (sees, puts) = (Arc::clone(&seen), client.clone());
        let drained = worker.drain_async(move |job| {
            sees.lock().unwrap().push(format!("{} in {}", job.kind, job.queue));
            let puts = puts.clone();
            async move {
                match (job.kind.as_str(), job.queue.as_str()) {
                    ("panics", _) => panic!("out of order"),
                    ("first", "q") => drop(puts.put(Put::new("more").queue("rest")).await.unwrap()),
                    _ => {}
                }
                Outcome::DONE
            }
        });
        assert_eq!(drained.await.unwrap(), 4);
        assert_eq!(*seen.lock().unwrap(), ["first in q", "panics in q", "first in r", "more in rest"]);
        assert_eq!(worker.drain_async(|_| async { Outcome::DONE }).await.unwrap(), 0);
        assert!(worker.is_paused());
        // It is not over.
        worker.resume();
        client.put(Put::new("k").queue("q")).await.unwrap();
        let Next::Job(job) = worker.next(LONG).unwrap() else { panic!("no job came") };
        worker.finish(&job.jid, &job.token, Outcome::DONE).unwrap();
        worker.stop(LONG).unwrap();
        let error = worker.drain_async(|_| async { Outcome::DONE }).await.unwrap_err();
        assert_eq!((error.code, error.operation.as_deref()), (Code::Closed, Some("worker_drain")));
    });
    let states = ["first", "late", "panics"].map(|jid| view(client.blocking(), jid, "/state"));
    assert_eq!(states, ["completed", "scheduled", "scheduled"]);
    assert_eq!(view(client.blocking(), "panics", "/failure/message"), "out of order");
}

#[test]
fn a_drained_handler_whose_time_is_over_is_dropped() {
    let server = Server::start();
    let client = client(&server);
    run(async {
        client.put(Put::new("k").queue("q").jid("j")).await.unwrap();
        let worker = worker(client.blocking(), r#","timeout_ms":1"#);
        assert_eq!(worker.drain_async(|_| std::future::pending()).await.unwrap(), 1);
    });
    assert_eq!(view(client.blocking(), "j", "/failure/group"), "k:JobInterrupted");
}

#[test]
fn dropping_a_drain_releases_its_job_and_the_worker_can_go_on() {
    let server = Server::start();
    let client = client(&server);
    let worker = worker(client.blocking(), "");
    threaded(async {
        client.put(Put::new("k").queue("q").jid("j")).await.unwrap();
        let (begun, begins) = mpsc::channel();
        let draining = {
            let worker = worker.clone();
            tokio::spawn(async move {
                let handler = move |_| {
                    begun.send(()).unwrap();
                    std::future::pending()
                };
                worker.drain_async(handler).await
            })
        };
        begins.recv_timeout(LONG).unwrap();
        draining.abort();
        assert!(draining.await.unwrap_err().is_cancelled());
        worker.resume();
        let Next::Job(job) = worker.next(LONG).unwrap() else { panic!("no job came") };
        assert_eq!((job.jid.as_str(), job.remaining), ("j", job.retries));
        worker.finish(&job.jid, &job.token, Outcome::DONE).unwrap();
    });
    worker.stop(LONG).unwrap();
}

#[test]
fn inline_performs_before_a_put_returns() {
    let server = Server::start();
    let plain = client(&server);
    let worker = worker(plain.blocking(), "");
    let nested = Arc::new(OnceLock::<AsyncClient>::new());
    let own = Arc::clone(&nested);
    let at_once = inline_async(&plain, &worker, move |job| {
        let client = own.get().cloned().unwrap();
        async move {
            if job.kind == "outer" {
                client.put(Put::new("inner").queue("q").jid("inner")).await.unwrap();
                let inner = client.call("job_get", r#"{"jid":"inner"}"#).await.unwrap();
                assert!(inner.contains(r#""state":"completed""#), "{inner}");
            }
            Outcome::DONE
        }
    });
    // A client of the handler's own, as the handler would hold itself.
    nested.set(inline_async(&plain, &worker, |_| async { Outcome::DONE })).unwrap();
    let placed = run(at_once.put(Put::new("outer").queue("q"))).unwrap();
    assert_eq!((placed.outcome.as_str(), view(plain.blocking(), &placed.jid, "/state")), ("put", "completed".into()));
}

#[test]
fn recorded_puts_are_checked_and_go_no_further() {
    let nowhere = AsyncClient::open(Some("unix:///nowhere/redis.sock"), "").unwrap();
    let (client, puts) = recorded_puts_async(&nowhere);
    run(async {
        let placed = client.put(Put::new("a").queue("mail").jid("own").tags(["t"])).await.unwrap();
        assert_eq!((placed.jid.as_str(), placed.outcome.as_str()), ("own", "put"));
        let error = client.put(Put::new("b").queue("q").priority(128)).await.unwrap_err();
        assert_eq!(error.message, "priority 128 is outside -128..127");
        assert_eq!(error.operation.as_deref(), Some("queue_put"));
    });
    puts.assert_put("a", |put| put.queue == "mail" && put.tags == ["t"]);
    assert_eq!(puts.all().len(), 1);
}
