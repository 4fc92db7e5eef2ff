//! A worker process for `manyhands work -- target/release/examples/worker`. Alone it runs as well, until it is killed.

use manyhands::{Client, Outcome, Signal, WorkSettings, Worker};

fn main() -> manyhands::Result<()> {
    // QUEUES, THREAD_COUNT, JOBS_PER_FORK and the others, as `manyhands work --help` tells.
    let settings = WorkSettings::from_environment()?;
    let client = Client::open(settings.url.as_deref(), &settings.client_options("{}")?)?;
    let own = r#"{"queues": ["greetings"], "kinds": ["hello"]}"#;
    let worker = Worker::open(&client, &settings.worker_options(own)?)?;
    worker.run(|job| match job.kind.as_str() {
        // A handler that may take long asks `worker.interrupted` now and then, and then ends with Outcome::Release.
        "hello" => {
            println!("Hello, {}!", job.data);
            Outcome::DONE
        }
        _ => Outcome::UnknownKind,
    })?;
    // There are no more jobs for this process: its master wanted it so, or is dead, or JOBS_PER_FORK is reached.
    let at_once = std::iter::from_fn(|| worker.take_signal()).any(|signal| signal == Signal::Term);
    worker.stop(if at_once { std::time::Duration::ZERO } else { worker.shutdown_timeout() })
}
