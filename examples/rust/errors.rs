//! Every error of a handler goes to an error reporter. Under a master: manyhands work -- target/release/errors

use std::time::Duration;

use manyhands::{Client, Hooks, Outcome, Run, WorkSettings, Worker};

/// Stands for Sentry, Honeybadger, …: it hears of the error, and of the job that it belongs to.
struct Reporter;

impl Hooks for Reporter {
    /// After each run that ended by an error, a panic or a failure, on its thread: a reporter that sends does so elsewhere.
    fn on_failure(&self, run: &Run<'_>, outcome: &Outcome, took: Duration) {
        let class = match outcome {
            Outcome::Error { class, .. } => class,
            Outcome::Fail { group, .. } => group,
            _ => return,
        };
        let job = serde_json::json!({"jid": run.jid, "kind": run.kind, "queue": run.queue, "attempt": run.attempt});
        let ms = took.as_millis() as u64;
        eprintln!("{}", serde_json::json!({"error": class, "message": outcome.message(), "ms": ms, "job": job}));
    }

    /// Whatever its handler does from now on is refused.
    fn on_lock_lost(&self, _worker: &str, jid: &str, _token: &str, reason: &str) {
        eprintln!("{}", serde_json::json!({"error": "LockLost", "message": reason, "job": {"jid": jid}}));
    }
}

fn main() -> manyhands::Result<()> {
    let settings = WorkSettings::from_environment()?;
    let client = Client::open(settings.url.as_deref(), &settings.client_options("{}")?)?;
    let own = r#"{"queues": ["orders"], "kinds": ["ship"]}"#;
    let worker = Worker::open(&client, &settings.worker_options(own)?)?.hooked(Reporter);
    worker.obey_signals()?;
    worker.run(|job| match (job.kind.as_str(), job.data.as_str()) {
        ("ship", "null") => panic!("an order without a number"),
        ("ship", order) => Outcome::thrown("LookupError", &format!("there is no order {order}")),
        _ => Outcome::UnknownKind,
    })?;
    worker.stop(worker.shutdown_timeout())
}
