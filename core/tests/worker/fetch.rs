//! When jobs are fetched: at once after a put, at their due times, ahead when they are short, and never to be kept.

use std::ops::RangeInclusive;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use manyhands::{Next, Outcome, Put, Worker};

use crate::support::Server;
use crate::{LONG, blocked, finish, next, put, until, view, waiting, worker};

#[test]
fn drains_a_queue_once_and_in_order() {
    let server = Server::start();
    let client = server.client();
    let jobs = (0..3_000).map(|number| Put::new("count").jid(format!("job {number}")));
    for batch in jobs.collect::<Vec<_>>().chunks(1_000) {
        client.queue("q").put_many(batch.to_vec()).unwrap();
    }
    let worker = worker(&client, "");
    for number in 0..3_000 {
        let job = next(&worker);
        assert_eq!(job.jid, format!("job {number}"));
        finish(&worker, &job, Outcome::DONE);
    }
    worker.stop(LONG).unwrap();
    let counts = client.queue("q").counts().unwrap();
    assert_eq!((counts.waiting, counts.running), (0, 0));
    assert_eq!(view(&client, "job 2999", "/state"), "completed");
    assert_eq!(worker.take_refused(), []);
}

#[test]
fn an_idle_worker_is_woken_by_a_put() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    for _ in 0..5 {
        let waiting = waiting(&worker);
        until("the worker blocks", || blocked(&server) == 1);
        let begun = Instant::now();
        put(&client, 1, "k");
        let (job, started) = waiting.join().unwrap();
        assert!(started.duration_since(begun) < Duration::from_millis(900), "not by the wait's end");
        finish(&worker, &job, Outcome::DONE);
    }
}

#[test]
fn a_delayed_job_starts_when_it_is_due() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "");
    let waiting = waiting(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    let begun = Instant::now();
    client.queue("q").put(Put::new("k").delay_ms(300)).unwrap();
    let (_, started) = waiting.join().unwrap();
    let late = started.duration_since(begun).checked_sub(Duration::from_millis(299)).expect("not too early");
    assert!(late < Duration::from_millis(600), "{late:?} late");
}

#[test]
fn one_token_wakes_as_many_workers_as_there_are_jobs() {
    let server = Server::start();
    let client = server.client();
    let workers: Vec<Worker> = (0..3).map(|_| worker(&client, "")).collect();
    let all_run = Barrier::new(3);
    std::thread::scope(|scope| {
        for worker in &workers {
            scope.spawn(|| {
                let job = next(worker);
                all_run.wait();
                finish(worker, &job, Outcome::DONE);
            });
        }
        until("all block", || blocked(&server) == 3);
        put(&client, 3, "k");
    });
    for worker in workers {
        worker.stop(LONG).unwrap();
    }
    assert_eq!(client.queue("q").counts().unwrap().running, 0);
}

#[test]
fn no_job_waits_in_a_busy_workers_hands() {
    let server = Server::start();
    let client = server.client();
    put(&client, 200, "quick");
    put(&client, 1, "slow");
    put(&client, 400, "quick");
    let worker = worker(&client, "");
    for _ in 0..200 {
        let job = next(&worker);
        finish(&worker, &job, Outcome::DONE);
    }
    let slow = next(&worker);
    assert_eq!(slow.kind, "slow");
    until("what was held ahead went back", || {
        let counts = client.queue("q").counts().unwrap();
        (counts.running, counts.waiting) == (1, 400)
    });
    assert_eq!(view(&client, &slow.jid, "/state"), "running");
    let other = super::worker(&client, "");
    let job = next(&other);
    assert_eq!((job.kind.as_str(), job.remaining), ("quick", job.retries), "it was given back free");
    finish(&other, &job, Outcome::DONE);
    finish(&worker, &slow, Outcome::DONE);
}

#[test]
fn ordered_serves_the_first_queue_and_the_others_share() {
    let server = Server::start();
    let client = server.client();
    let first_half = |strategy: &str, weights: &str| {
        for queue in ["a", "b"] {
            client.queue(queue).put_many((0..600).map(|_| Put::new(queue))).unwrap();
        }
        let options = format!("{{\"queues\":[\"a\",\"b\"],\"strategy\":\"{strategy}\"{weights}}}");
        let worker = Worker::open(&client, &options).unwrap();
        let mut kinds = String::new();
        for _ in 0..1_200 {
            let job = next(&worker);
            kinds.push_str(&job.kind);
            finish(&worker, &job, Outcome::DONE);
        }
        worker.stop(LONG).unwrap();
        kinds[..600].matches('a').count()
    };
    assert_eq!(first_half("ordered", ""), 600);
    let shares = |strategy: &str, weights: &str, expected: RangeInclusive<usize>| {
        let share = first_half(strategy, weights);
        assert!(expected.contains(&share), "{strategy}: {share} of 600");
    };
    shares("round_robin", "", 200..=400);
    shares("shuffled_round_robin", "", 200..=400);
    shares("weighted", "", 200..=400);
    shares("weighted", ",\"weights\":{\"a\":4}", 430..=530);
}

#[test]
fn next_gives_up_after_its_time() {
    let server = Server::start();
    let worker = worker(&server.client(), "");
    assert_eq!(worker.next(Duration::ZERO).unwrap(), Next::Empty);
    let begun = Instant::now();
    assert_eq!(worker.next(Duration::from_millis(50)).unwrap(), Next::Empty);
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[test]
fn run_performs_on_threads_and_counts_a_panic_as_an_error() {
    let server = Server::start();
    let client = server.client();
    let placed = client.queue("q").put(Put::new("panics").retries(0)).unwrap();
    let unknown = client.queue("q").put(Put::new("nobody knows")).unwrap();
    put(&client, 50, "k");
    let worker = worker(&client, ",\"threads\":4,\"kinds\":[\"k\"]");
    let (done, performed) = channel();
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            worker.run(|job| match job.kind.as_str() {
                "k" => {
                    done.send(()).unwrap();
                    Outcome::DONE
                }
                "panics" => panic!("on purpose"),
                _ => Outcome::UnknownKind,
            })
        });
        for _ in 0..50 {
            performed.recv_timeout(LONG).unwrap();
        }
        until("the first two are through", || view(&client, &unknown.jid, "/state") == "failed");
        worker.stop(LONG).unwrap();
        running.join().unwrap().unwrap();
    });
    assert_eq!(view(&client, &placed.jid, "/failure/group"), "panics:panic");
    assert_eq!(view(&client, &placed.jid, "/failure/message"), "on purpose");
    assert_eq!(view(&client, &unknown.jid, "/failure/group"), "unknown-kind:nobody knows");
}
