//! `manyhands check`

use std::process::ExitCode;

use manyhands::{Client, Result, Violation};

#[derive(clap::Args)]
pub struct Options {
    /// Mends what can be mended without guessing.
    #[arg(long)]
    repair: bool,
}

/// Goes through all steps and prints a line for each violation.
pub fn run(client: &Client, options: &Options) -> Result<ExitCode> {
    let (mut check, mut left) = (client.check(options.repair), 0);
    while let Some(violation) = check.next().transpose()? {
        let Violation { rule, jid, detail, repaired } = violation;
        left += usize::from(!repaired);
        println!("{rule}: {} {detail}{}", jid.as_deref().unwrap_or("-"), if repaired { " (mended)" } else { "" });
    }
    println!("{} keys and members looked at, {left} violations left", check.looked());
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
