//! The program `manyhands`: thin over the core.

mod check;
mod nanny;
mod work;

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
    /// Where the jobs are: redis://, rediss:// (TLS), unix:// or embedded:. Default: MANYHANDS_URL, else REDIS_URL, else
    /// embedded:.manyhands
    #[arg(long, global = true)]
    url: Option<String>,
    /// The namespace of the jobs. Default: NAMESPACE, else mh
    #[arg(long, global = true)]
    namespace: Option<String>,
}

#[derive(Subcommand)]
enum Action {
    /// Does what falls due even when no worker runs, until TERM or INT.
    Nanny(nanny::Options),
    /// Keeps worker processes of a program: manyhands work [options] -- program arguments…
    Work(work::Options),
    /// Compares everything in Redis with the jobs' records. Exit status 1 when something differs and was not mended.
    Check(check::Options),
}

impl Target {
    /// An empty variable counts as absent, as for workers.
    fn open(&self) -> manyhands::Result<Client> {
        let variable = std::env::var("NAMESPACE").ok().filter(|namespace| !namespace.is_empty());
        let said = [("--namespace", self.namespace.clone()), ("NAMESPACE", variable)];
        let Some((place, namespace)) = said.into_iter().find_map(|(place, name)| Some((place, name?))) else {
            return Client::open(self.url.as_deref(), "");
        };
        let options = serde_json::json!({ "namespace": namespace }).to_string();
        Client::open(self.url.as_deref(), &options).map_err(|error| error.renamed(&[("options.namespace", place)]))
    }
}

fn main() -> ExitCode {
    let command = Command::parse();
    let Target { url, namespace } = &command.target;
    let done = match &command.action {
        Action::Nanny(options) => command.target.open().and_then(|client| nanny::run(client, options)),
        Action::Work(options) => work::run(url.as_deref(), namespace.as_deref(), options),
        Action::Check(options) => command.target.open().and_then(|client| check::run(&client, options)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("manyhands: {error}");
        ExitCode::from(2)
    })
}
