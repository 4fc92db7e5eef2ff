//! How a program that uses Manyhands on tokio is tested. Needs no server: `embedded:DIR` starts a private one there.

use std::sync::{Arc, LazyLock};

use manyhands::testing::{inline_async, perform_async, recorded_puts_async};
use manyhands::{AsyncAround, AsyncClient, Job, JobKind, Outcome, Result, Worker};

// The program: who signs up is greeted.
static GREET: LazyLock<JobKind> = LazyLock::new(|| JobKind::new("greet").queue("mail").retries(3));

async fn greet(job: Job) -> Outcome {
    let name = job.data.trim_matches('"');
    Outcome::completed(Some(&format!("\"Hello, {name}!\"")), "").unwrap()
}

async fn sign_up(client: &AsyncClient, name: &str) -> Result<String> {
    let priority = if name == "Ada" { 10 } else { 0 };
    Ok(client.put(GREET.job(format!("\"{name}\"")).priority(priority)).await?.jid)
}

/// A client of the test's own.
fn client(test: &str) -> AsyncClient {
    let url = format!("embedded:{}/{}", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    AsyncClient::open(Some(&url), &format!("{{\"namespace\": \"{test}\"}}")).unwrap()
}

fn worker(client: &AsyncClient) -> Worker {
    Worker::open(client.blocking(), r#"{"queues": ["mail"]}"#).unwrap().perform_async(&GREET, greet).unwrap()
}

#[tokio::test]
async fn a_handler_on_a_job_that_was_built_without_a_server() {
    let outcome = greet(Job::build("greet", "\"Ada\"")).await;
    assert_eq!(outcome, Outcome::completed(Some("\"Hello, Ada!\""), "").unwrap());
}

#[tokio::test]
async fn a_handler_with_the_middleware_around_it() {
    async fn refuses(job: Arc<Job>, next: AsyncAround) -> Outcome {
        if job.data == "null" { Outcome::DONE } else { next.call().await }
    }
    let worker = worker(&client("middleware")).with_async(refuses);
    assert_eq!(perform_async(&worker, Job::build("greet", "null"), greet).await.unwrap(), Outcome::DONE);
}

#[tokio::test]
async fn what_is_put_without_a_server() {
    let (client, puts) = recorded_puts_async(&client("puts"));
    sign_up(&client, "Ada").await.unwrap();
    puts.assert_put("greet", |put| put.queue == "mail" && put.data == "\"Ada\"" && put.priority == 10);
    puts.assert_not_put("greet", |put| put.data == "\"Grace\"");
}

#[tokio::test]
async fn performed_when_asked() {
    let client = client("drain");
    let jid = sign_up(&client, "Grace").await.unwrap();
    assert_eq!(worker(&client).drain_served_async().await.unwrap(), 1);
    assert_eq!(client.blocking().job(&jid).unwrap().unwrap().result.unwrap(), "\"Hello, Grace!\"");
}

#[tokio::test]
async fn performed_at_once() {
    let client = client("inline");
    let client = inline_async(&client, &worker(&client), greet);
    let jid = sign_up(&client, "Grace").await.unwrap();
    assert_eq!(client.blocking().job(&jid).unwrap().unwrap().state, "completed");
}
