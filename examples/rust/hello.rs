//! Put a job and perform it. Needs no server: the default is a private one in .manyhands.

use manyhands::{Client, Outcome, Put, Worker};

fn main() -> manyhands::Result<()> {
    let client = Client::open(None, "")?;
    client.queue("greetings").put(Put::new("hello").data(r#"{"name": "world"}"#))?;

    let worker = Worker::open(&client, r#"{"queues": ["greetings"], "kinds": ["hello"]}"#)?;
    worker.run(|job| {
        let data: serde_json::Value = serde_json::from_str(&job.data).unwrap_or_default();
        println!("Hello, {}!", data["name"].as_str().unwrap_or("you"));
        worker.quiet(); // one greeting is enough
        Outcome::DONE
    })
}
