//! `manyhands nanny`

use std::process::ExitCode;
use std::thread;

use manyhands::{Client, Code, Error, Nanny, NannyNews, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

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
    eprintln!("manyhands nanny: looks after {} at {}", client.namespace(), client.shown_url());
    nanny.run(|news| match news {
        NannyNews::Swept(swept) if options.verbose => {
            eprintln!("manyhands nanny: moved {}, forgot {}", swept.moved, swept.trimmed);
        }
        NannyNews::Swept(_) => {}
        NannyNews::OutageBegan(error) => eprintln!("manyhands nanny: {error}; goes on trying"),
        NannyNews::OutageOver => eprintln!("manyhands nanny: the outage is over"),
    })?;
    Ok(ExitCode::SUCCESS)
}
