//! A worker process that performs no-op jobs: `manyhands work -- target/release/noop`.

use manyhands::{Client, Outcome, WorkSettings, Worker};

fn main() -> manyhands::Result<()> {
    let settings = WorkSettings::from_environment()?;
    let client = Client::open(settings.url.as_deref(), &settings.client_options("{}")?)?;
    let worker = Worker::open(&client, &settings.worker_options(r#"{"queues": ["bench"], "kinds": ["noop"]}"#)?)?;
    worker.run(|_| Outcome::DONE)?;
    worker.stop(worker.shutdown_timeout())
}
