//! The engine: a Redis Function library, brought to the server by the clients that need it.
//!
//! Within a major version an engine only gains, so a newer one serves an older client. A client loads its engine
//! where there is none, replaces an older one where that is allowed, and never a newer one.

mod bundle;
mod constants;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use bundle::{Bundle, MAJOR, MINOR};

use crate::client::{Connection, Fault};
use crate::error::{Code, Error};
use crate::json::Fields;
use crate::ops::{Operation, reply};
use crate::options::{EngineUpgrade, Options};
use crate::request::Args;
use crate::url::Target;

/// The engine a server has.
#[derive(Debug, PartialEq, Eq)]
struct Installed {
    minor: i64,
    hash: String,
}

/// What to do about it.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Load,
    Replace,
    Use,
    UseAndWarn,
    Refuse,
}

/// Sees to it that the server has an engine this client can use.
///
/// # Errors
/// `ENGINE_OUTDATED` when the server is too old for functions, or has an older engine that may not be replaced;
/// `DENIED` when the login may not load functions; `SCHEMA_MISMATCH` when the namespace belongs to another major.
pub(crate) fn prepare(
    connection: &mut Connection,
    target: &Target,
    options: &Options,
    deadline: Instant,
) -> Result<(), Fault> {
    let mut installed = installed(connection, options, deadline)?;
    for _ in 0..2 {
        let upgrade = match (options.engine_upgrade, target) {
            (Some(choice), _) => choice == EngineUpgrade::Auto,
            (None, Target::Embedded { .. }) => true,
            (None, Target::Server { .. }) => installed.is_some() && is_empty(connection, deadline)?,
        };
        match step(installed.as_ref(), &bundle::hash(), upgrade) {
            Step::Use => return Ok(()),
            Step::UseAndWarn => {
                warn_once(target);
                return Ok(());
            }
            Step::Refuse => return Err(Fault::Refused(outdated(installed.as_ref()))),
            Step::Load => load(connection, false, deadline)?,
            Step::Replace => load(connection, true, deadline)?,
        }
        installed = self::installed(connection, options, deadline)?;
    }
    match installed {
        Some(_) => Ok(()),
        None => Err(Fault::Refused(Error::internal("the engine was loaded, but the server does not find it"))),
    }
}

fn step(installed: Option<&Installed>, hash: &str, upgrade: bool) -> Step {
    match installed {
        None => Step::Load,
        Some(found) if found.minor > MINOR || found.hash == hash => Step::Use,
        Some(found) if found.minor == MINOR => Step::UseAndWarn,
        Some(_) if upgrade => Step::Replace,
        Some(_) => Step::Refuse,
    }
}

fn outdated(installed: Option<&Installed>) -> Error {
    let minor = installed.map_or(0, |found| found.minor);
    Error::new(
        Code::EngineOutdated,
        format!(
            "the server has engine {MAJOR}.{minor}, this client needs {MAJOR}.{MINOR}; a client opened with \
             engine_upgrade \"auto\" replaces it"
        ),
    )
}

/// Two builds of one version: during development, or somebody patched the engine. Said once a process.
fn warn_once(target: &Target) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        eprintln!(
            "manyhands: {target} has engine {MAJOR}.{MINOR} with other content than this client's; it is used as it is"
        );
    }
}

fn installed(connection: &mut Connection, options: &Options, deadline: Instant) -> Result<Option<Installed>, Fault> {
    let operation = Operation::named("engine_version").map_err(Fault::Refused)?;
    let mut args = Args::new();
    args.text("{}");
    let packed = args.packed(&operation.function(), &options.key("meta"), "", "");
    let value = match connection.call(&packed, deadline) {
        Ok(value) => value,
        Err(Fault::NoFunction) => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut json = String::new();
    reply::to_json(&value, &mut json).and_then(|()| read_version(&json)).map(Some).map_err(Fault::Refused)
}

fn read_version(json: &str) -> crate::Result<Installed> {
    let mut fields = Fields::parse(json, "engine_version")?;
    Ok(Installed { minor: fields.integer("minor")?.unwrap_or(0), hash: fields.required_text("hash")? })
}

fn is_empty(connection: &mut Connection, deadline: Instant) -> Result<bool, Fault> {
    let size = connection.call(&redis::cmd("DBSIZE").get_packed_command(), deadline)?;
    Ok(reply::integer(size).map_err(Fault::Refused)? == 0)
}

fn load(connection: &mut Connection, replace: bool, deadline: Instant) -> Result<(), Fault> {
    let mut command = redis::cmd("FUNCTION");
    command.arg("LOAD");
    if replace {
        command.arg("REPLACE");
    }
    command.arg(Bundle::new().text);
    match connection.call(&command.get_packed_command(), deadline) {
        Ok(_) => Ok(()),
        // Another client was faster.
        Err(Fault::Refused(error)) if error.message.contains("already exists") => Ok(()),
        Err(fault) => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_loaded_replaced_used_or_refused() {
        let found = |minor, hash: &str| Some(Installed { minor, hash: hash.to_owned() });
        for (installed, upgrade, expected) in [
            (None, false, Step::Load),
            (found(MINOR, "mine"), true, Step::Use),
            (found(MINOR, "other"), true, Step::UseAndWarn),
            (found(MINOR + 1, "other"), true, Step::Use),
            (found(MINOR - 1, "other"), true, Step::Replace),
            (found(MINOR - 1, "other"), false, Step::Refuse),
        ] {
            assert_eq!(step(installed.as_ref(), "mine", upgrade), expected, "{installed:?} {upgrade}");
        }
    }
}
