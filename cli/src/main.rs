//! The program `manyhands`: thin over the core.

mod check;
mod nanny;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use manyhands::Client;

/// Looks after a Manyhands job system.
#[derive(Parser)]
#[command(version)]
struct Command {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    action: Action,
}

/// Which jobs.
#[derive(Args)]
struct Target {
    /// Where the jobs are: redis://, unix:// or embedded:. Default: MANYHANDS_URL, else REDIS_URL, else embedded:.manyhands
    #[arg(long, global = true)]
    url: Option<String>,
    /// The namespace. Default: mh
    #[arg(long, global = true)]
    namespace: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Does what falls due even when no worker runs, until TERM or INT.
    Nanny(nanny::Options),
    /// Compares everything in Redis with the jobs' records. Exit status 1 when something differs and was not mended.
    Check(check::Options),
}

impl Target {
    fn open(&self) -> manyhands::Result<Client> {
        let options = match &self.namespace {
            Some(namespace) => serde_json::json!({ "namespace": namespace }).to_string(),
            None => String::new(),
        };
        Client::open(self.url.as_deref(), &options)
    }
}

fn main() -> ExitCode {
    let command = Command::parse();
    let done = command.target.open().and_then(|client| match &command.action {
        Action::Nanny(options) => nanny::run(client, options),
        Action::Check(options) => check::run(&client, options),
    });
    done.unwrap_or_else(|error| {
        eprintln!("manyhands: {error}");
        ExitCode::from(2)
    })
}
