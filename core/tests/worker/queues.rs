//! One worker of 1,000 queues: more than a reserve asks at once.

use std::time::{Duration, Instant};

use manyhands::{Client, Job, Outcome, Put, Worker};
use serde_json::json;

use crate::support::{Server, member};
use crate::wake::calls_in_two_waits;
use crate::{LONG, blocked, finish, next, until, waiting};

const QUEUES: usize = 1_000;
/// In the first window, around its end, in the middle, in the last one.
const PLACES: [usize; 6] = [0, 63, 64, 500, 960, 999];
/// Sooner than a queue is asked again without a token.
const BY_TOKEN: Duration = Duration::from_millis(1_800);

fn name(number: usize) -> String {
    format!("queue {number}")
}

fn worker_of(client: &Client, queues: &[String], strategy: &str) -> Worker {
    Worker::open(client, &json!({"queues": queues, "strategy": strategy}).to_string()).unwrap()
}

fn worker(client: &Client, strategy: &str) -> Worker {
    worker_of(client, &(0..QUEUES).map(name).collect::<Vec<_>>(), strategy)
}

fn put(client: &Client, number: usize, jobs: usize) {
    client.queue(name(number)).put_many((0..jobs).map(|_| Put::new("k"))).unwrap();
}

fn perform(worker: &Worker) -> Job {
    let job = next(worker);
    finish(worker, &job, Outcome::DONE);
    job
}

#[test]
fn a_put_into_any_queue_wakes_an_idle_worker() {
    for strategy in ["ordered", "round_robin"] {
        let server = Server::start();
        let client = server.client();
        let worker = worker(&client, strategy);
        let begun = Instant::now();
        for number in PLACES {
            let waiting = waiting(&worker);
            until("the worker blocks", || blocked(&server) == 1);
            put(&client, number, 1);
            let (job, _) = waiting.join().unwrap();
            assert_eq!(job.queue, name(number));
            finish(&worker, &job, Outcome::DONE);
        }
        assert!(begun.elapsed() < BY_TOKEN, "{strategy}: by looking again, not by tokens");
        worker.stop(LONG).unwrap();
    }
}

#[test]
fn one_token_brings_all_jobs_of_its_queue_and_no_others_wait_behind() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "ordered");
    let begun = Instant::now();
    let waiting = waiting(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    put(&client, 999, 20);
    for number in PLACES {
        put(&client, number, 1);
    }
    let (first, _) = waiting.join().unwrap();
    assert_eq!(first.queue, name(999));
    finish(&worker, &first, Outcome::DONE);
    let mut came: Vec<String> = (0..25).map(|_| perform(&worker).queue).collect();
    came.sort_unstable();
    came.dedup();
    assert_eq!(came.len(), PLACES.len());
    assert!(begun.elapsed() < BY_TOKEN, "by looking again, not by tokens");
    worker.stop(LONG).unwrap();
}

#[test]
fn jobs_in_all_queues_are_done() {
    for strategy in ["ordered", "round_robin"] {
        let server = Server::start();
        let client = server.client();
        for number in 0..QUEUES {
            put(&client, number, 2);
        }
        let worker = worker(&client, strategy);
        let mut came: Vec<String> = (0..2 * QUEUES).map(|_| perform(&worker).queue).collect();
        worker.stop(LONG).unwrap();
        assert_eq!(worker.take_refused(), []);
        let in_order: Vec<String> = (0..2 * QUEUES).map(|job| name(job / 2)).collect();
        if strategy == "round_robin" {
            came.sort_unstable_by_key(|queue| queue[6..].parse::<usize>().unwrap());
        }
        assert!(came == in_order, "{strategy}");
    }
}

#[test]
fn ordered_serves_an_early_queue_before_a_late_one() {
    let server = Server::start();
    let client = server.client();
    put(&client, 999, 10);
    let worker = worker(&client, "ordered");
    let job = next(&worker);
    for number in [700, 70, 0] {
        put(&client, number, 1);
    }
    finish(&worker, &job, Outcome::DONE);
    let came: Vec<String> = (0..4).map(|_| perform(&worker).queue).collect();
    assert_eq!(came, [0, 70, 700, 999].map(name));
    worker.stop(LONG).unwrap();
}

#[test]
fn round_robin_serves_another_window_within_one_round_of_a_flood() {
    let server = Server::start();
    let client = server.client();
    put(&client, 5, 1_000);
    let worker = worker(&client, "round_robin");
    let job = next(&worker);
    for number in [4, 70, 999] {
        put(&client, number, 1);
    }
    finish(&worker, &job, Outcome::DONE);
    let came: Vec<String> = (0..4).map(|_| perform(&worker).queue).collect();
    for number in [4, 70, 999] {
        assert!(came.contains(&name(number)), "{number} is not among {came:?}");
    }
    worker.stop(LONG).unwrap();
}

#[test]
fn a_delayed_job_in_any_queue_starts_when_it_is_due() {
    let server = Server::start();
    let client = server.client();
    for (delay_ms, number) in (300..).step_by(50).zip(PLACES) {
        client.queue(name(number)).put(Put::new("k").delay_ms(delay_ms)).unwrap();
    }
    let worker = worker(&client, "ordered");
    let begun = Instant::now();
    let came = PLACES.map(|_| perform(&worker).queue);
    assert_eq!(came, PLACES.map(name));
    assert!(begun.elapsed() < BY_TOKEN, "by looking again, not when they were due");
    worker.stop(LONG).unwrap();
}

#[test]
fn an_idle_worker_looks_every_two_seconds_and_asks_no_queue() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "round_robin");
    let waiting = waiting(&worker);
    let count = calls_in_two_waits(&server);
    assert!(count < 20, "{count} calls in two waits");
    put(&client, 70, 1);
    let (job, _) = waiting.join().unwrap();
    finish(&worker, &job, Outcome::DONE);
    worker.stop(LONG).unwrap();
}

// A frozen process takes a queue's token; tokens of another queue keep the worker from ever waiting for long.
#[test]
fn a_swallowed_token_is_made_up_for_while_others_come() {
    let server = Server::start();
    let client = server.client();
    let worker = worker(&client, "ordered");
    let first = waiting(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    put(&client, 3, 1);
    let (job, _) = first.join().unwrap();
    put(&client, 999, 1);
    let mut redis = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let token: Option<String> = redis::cmd("LPOP").arg("{mh}:wake:queue 999").query(&mut redis).unwrap();
    assert_eq!(token.as_deref(), Some("1"));
    finish(&worker, &job, Outcome::DONE);
    let begun = Instant::now();
    loop {
        let waiting = waiting(&worker);
        until("the worker blocks or has the job", || blocked(&server) == 1 || waiting.is_finished());
        put(&client, 3, 1);
        let (job, _) = waiting.join().unwrap();
        finish(&worker, &job, Outcome::DONE);
        if job.queue == name(999) {
            break;
        }
        assert!(begun.elapsed() < LONG, "it starves");
    }
    worker.stop(LONG).unwrap();
}

#[test]
fn its_status_names_all_queues_however_long() {
    let server = Server::start();
    let client = server.client();
    let queues: Vec<String> = (0..QUEUES).map(|number| format!("{number:q>255}")).collect();
    let worker = worker_of(&client, &queues, "round_robin");
    let waiting = waiting(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    client.queue(&queues[999]).put(Put::new("k")).unwrap();
    let (job, _) = waiting.join().unwrap();
    finish(&worker, &job, Outcome::DONE);
    let list = client.call("worker_list", "{}").unwrap();
    assert_eq!(member(&list, "/workers/0/status/queues"), json!(queues));
    worker.stop(LONG).unwrap();
}

#[test]
fn a_callback_worker_asks_the_queues_it_was_told_last() {
    let server = Server::start();
    let client = server.client();
    let queues: Vec<String> = (1..=3).map(name).collect();
    let worker = worker_of(&client, &queues, "callback");
    assert_eq!(worker.serving(), queues);
    worker.set_order([3, 1].map(name).to_vec()).unwrap();
    for number in 1..=3 {
        put(&client, number, 1);
    }
    assert_eq!([perform(&worker).queue, perform(&worker).queue], [3, 1].map(name));
    let waiting = waiting(&worker);
    until("the worker blocks", || blocked(&server) == 1);
    worker.set_order([2].map(name).to_vec()).unwrap();
    let (job, _) = waiting.join().unwrap();
    assert_eq!(job.queue, name(2));
    // With none to ask it still hands in its outcomes, and takes nothing.
    worker.set_order(Vec::new()).unwrap();
    put(&client, 2, 1);
    finish(&worker, &job, Outcome::DONE);
    until("the outcome is there", || client.job(&job.jid).unwrap().unwrap().state == "completed");
    assert_eq!(client.queue(name(2)).counts().unwrap().waiting, 1);
    worker.set_order([2].map(name).to_vec()).unwrap();
    perform(&worker);
    worker.stop(LONG).unwrap();
    let ordered = worker_of(&client, &queues, "ordered");
    assert_eq!(ordered.set_order(Vec::new()).unwrap_err().code, manyhands::Code::WrongState);
}
