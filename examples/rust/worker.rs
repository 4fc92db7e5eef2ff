//! A worker process for `manyhands work -- target/release/examples/worker`. Alone it runs as well, until a signal ends it.

use std::process::ExitCode;

use manyhands::{Client, Code, Outcome, Signal, WorkSettings, Worker};

fn main() -> ExitCode {
    let Err(error) = work() else { return ExitCode::SUCCESS };
    eprintln!("worker: {error}");
    ExitCode::from(if error.code == Code::InvalidArgument { 2 } else { 1 })
}

fn work() -> manyhands::Result<()> {
    // QUEUES, THREAD_COUNT, JOBS_PER_FORK and the others, as `manyhands work --help` tells.
    let settings = WorkSettings::from_environment()?;
    let client = Client::open(settings.url.as_deref(), &settings.client_options("{}")?)?;
    let own = r#"{"queues": ["greetings"], "kinds": ["hello"]}"#;
    let worker = Worker::open(&client, &settings.worker_options(own)?)?;
    // QUIT, TERM, USR1, … of this process do what a master's do.
    worker.obey_signals()?;
    worker.run(|job| match job.kind.as_str() {
        // A handler that may take long asks `worker.interrupted` now and then, and then ends with Outcome::Release.
        "hello" => {
            println!("Hello, {}!", job.data);
            Outcome::DONE
        }
        _ => Outcome::UnknownKind,
    })?;
    // There are no more jobs for this process: a signal or its master wanted it so, or JOBS_PER_FORK is reached.
    let at_once = std::iter::from_fn(|| worker.take_signal()).any(|signal| signal == Signal::Term);
    worker.stop(if at_once { std::time::Duration::ZERO } else { worker.shutdown_timeout() })
}
