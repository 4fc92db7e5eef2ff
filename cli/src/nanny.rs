//! `manyhands nanny`

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use manyhands::{Client, Code, Error, Lines, Nanny, NannyNews, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long its end waits for who reads what it said.
const PATIENCE: Duration = Duration::from_millis(500);

#[derive(clap::Args)]
pub struct Options {
    /// Says of each step what it did.
    #[arg(long, short)]
    verbose: bool,
}

/// Sweeps until TERM or INT; then ends after the step in progress.
pub fn run(client: Client, options: &Options) -> Result<ExitCode> {
    let nanny = Nanny::new(client.clone());
    let mut signals = Signals::new([SIGTERM, SIGINT])
        .map_err(|error| Error::new(Code::Internal, format!("signals cannot be caught: {error}")))?;
    let stopper = nanny.clone();
    thread::spawn(move || signals.forever().for_each(|_| stopper.stop()));
    // A sweep does not wait for who reads them.
    let lines = Lines::to_stderr();
    let say = |what: String| lines.say(format!("manyhands nanny: {what}\n"));
    say(format!("looks after {} at {}", client.namespace(), client.shown_url()));
    let done = nanny.run(|news| match news {
        NannyNews::Swept(swept) if options.verbose => say(format!("moved {}, forgot {}", swept.moved, swept.trimmed)),
        NannyNews::Swept(_) => {}
        NannyNews::OutageBegan(error) => say(format!("{error}; goes on trying")),
        NannyNews::OutageOver => say("the outage is over".to_owned()),
    });
    let status = done.map_or_else(
        |error| {
            say(error.to_string());
            ExitCode::from(2)
        },
        |()| ExitCode::SUCCESS,
    );
    lines.flush(Instant::now() + PATIENCE);
    Ok(status)
}
