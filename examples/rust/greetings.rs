//! How a program that uses Manyhands is tested. Needs no server: `embedded:DIR` starts a private one there.

use std::sync::LazyLock;

use manyhands::testing::{inline, perform, recorded_puts};
use manyhands::{Around, Client, Job, JobKind, Outcome, Result, Worker};

// The program: who signs up is greeted.
static GREET: LazyLock<JobKind> = LazyLock::new(|| JobKind::new("greet").queue("mail").retries(3));

fn greet(job: &Job) -> Outcome {
    let name = job.data.trim_matches('"');
    Outcome::completed(Some(&format!("\"Hello, {name}!\"")), "").unwrap()
}

fn sign_up(client: &Client, name: &str) -> Result<String> {
    let priority = if name == "Ada" { 10 } else { 0 };
    Ok(GREET.put_with(client, format!("\"{name}\""), |job| job.priority(priority))?.jid)
}

/// A client of the test's own.
fn client(test: &str) -> Client {
    let url = format!("embedded:{}/{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    Client::open(Some(&url), &format!("{{\"namespace\": \"{test}\"}}")).unwrap()
}

fn worker(client: &Client) -> Worker {
    Worker::open(client, r#"{"queues": ["mail"]}"#).unwrap().perform(&GREET, greet).unwrap()
}

#[test]
fn a_handler_on_a_job_that_was_built_without_a_server() {
    let job = Job { retries: 3, ..Job::build("greet", "\"Ada\"") };
    assert_eq!(greet(&job), Outcome::completed(Some("\"Hello, Ada!\""), "").unwrap());
}

#[test]
fn a_handler_with_the_middleware_around_it() {
    let refuses = |job: &Job, next: Around<'_>| if job.data == "null" { Outcome::DONE } else { next.call() };
    let worker = worker(&client("middleware")).with(refuses);
    assert_eq!(perform(&worker, &Job::build("greet", "null"), greet).unwrap(), Outcome::DONE);
}

#[test]
fn what_is_put_without_a_server() {
    let (client, puts) = recorded_puts(&client("puts"));
    sign_up(&client, "Ada").unwrap();
    puts.assert_put("greet", |put| put.queue == "mail" && put.data == "\"Ada\"" && put.priority == 10);
    puts.assert_not_put("greet", |put| put.data == "\"Grace\"");
}

#[test]
fn performed_when_asked() {
    let client = client("drain");
    let jid = sign_up(&client, "Grace").unwrap();
    assert_eq!(worker(&client).drain_served().unwrap(), 1);
    assert_eq!(client.job(&jid).unwrap().unwrap().result.unwrap(), "\"Hello, Grace!\"");
}

#[test]
fn performed_at_once() {
    let client = client("inline");
    let client = inline(&client, &worker(&client), greet);
    let jid = sign_up(&client, "Grace").unwrap();
    assert_eq!(client.job(&jid).unwrap().unwrap().state, "completed");
}
