//! What the environment asks of a run: QUICK, PEER, JOBS and RUNS.

use std::env;

/// Those that leave something out, or measure something else.
const PARTIAL: [&str; 3] = ["PEER", "JOBS", "RUNS"];

/// Whether a run is only to see that everything works.
pub fn quick() -> bool {
    env::var_os("QUICK").is_some()
}

/// So many jobs or rounds as the run has time for.
pub fn extent(full: usize) -> usize {
    if quick() { full.div_ceil(10) } else { full }
}

/// What peers have in their names that are to be measured; all have an empty text in theirs.
pub fn peer() -> String {
    env::var("PEER").unwrap_or_default()
}

/// The number in a variable; None when it is not set.
pub fn number(name: &str) -> Result<Option<usize>, String> {
    let text = env::var(name).unwrap_or_default();
    match text.parse() {
        _ if text.is_empty() => Ok(None),
        Ok(number) if number > 0 => Ok(Some(number)),
        _ => Err(format!("{name} is a whole number above 0, not {text}")),
    }
}

/// Whether parts measure all that is theirs, so that what they find may take the place of what was found before.
pub fn whole() -> bool {
    !quick() && PARTIAL.iter().all(|name| env::var_os(name).is_none_or(|value| value.is_empty()))
}
