//! `manyhands check`

use std::process::ExitCode;

use manyhands::{Client, Error, Result};
use serde_json::{Value, json};

#[derive(clap::Args)]
pub struct Options {
    /// Mends what can be mended without guessing.
    #[arg(long)]
    repair: bool,
}

/// Goes through all steps and prints a line for each violation.
pub fn run(client: &Client, options: &Options) -> Result<ExitCode> {
    let (mut cursor, mut looked, mut left) = (String::new(), 0, 0);
    loop {
        let reply = client.call("check", &json!({ "cursor": cursor, "repair": options.repair }).to_string())?;
        let reply: Value = serde_json::from_str(&reply).map_err(|error| Error::internal(format!("check: {error}")))?;
        looked += reply["looked"].as_u64().unwrap_or(0);
        for violation in reply["violations"].as_array().into_iter().flatten() {
            let mended = violation["repaired"] == 1;
            left += usize::from(!mended);
            println!("{}{}", line(violation), if mended { " (mended)" } else { "" });
        }
        cursor = reply["cursor"].as_str().unwrap_or_default().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    println!("{looked} keys and members looked at, {left} violations left");
    Ok(if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(violation: &Value) -> String {
    let text = |name: &str| violation[name].as_str().unwrap_or("-");
    format!("{}: {} {}", text("rule"), text("jid"), text("detail"))
}
