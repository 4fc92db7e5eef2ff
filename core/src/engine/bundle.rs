//! Makes one Redis Function library of the Lua files, at compile time their texts, here their order and frame.

use std::sync::atomic::{AtomicU64, Ordering};

use super::constants::{declared, filled_in};
use crate::identity;
use crate::ops::OPERATIONS;

/// The engine's major version; also the schema of the data in Redis. Libraries of two majors live side by side.
pub(crate) const MAJOR: i64 = 1;
/// Grows with every release that adds to the engine.
pub(crate) const MINOR: i64 = 0;

const PRELUDE: &str = include_str!("prelude.lua");

/// `lib/<name>.lua` for each name, in the order of loading: a file sees only what stands before it.
macro_rules! library {
    ($($name:literal)+) => {
        const LIBRARY: &[(&str, &str)] = &[$(($name, include_str!(concat!("lib/", $name, ".lua")))),+];
    };
}

library! {
    "keys" "uses" "check" "page" "config" "record" "texts" "tags" "history" "stats" "shared" "place" "throttle" "standing" "event"
    "queues" "commit" "state" "ending" "dependency" "failure" "lease" "backoff" "put_options" "placement" "view" "freeing" "recurring" "sweep"
    "reserve_request" "reserve_reply" "taking" "reserve" "verbs" "outcome" "tracking" "patterns" "explain" "agreement" "verify"
}

/// The library's text and what identifies its content.
pub(crate) struct Bundle {
    pub text: String,
    hash: String,
}

/// What identifies the content, of 16 hex digits; 0 until it is known. No lock: a process may be forked at any time.
static HASH: AtomicU64 = AtomicU64::new(0);

/// What identifies the content. To put the text together takes a thousand times as long as to know this from the last time.
pub(crate) fn hash() -> String {
    let known = match HASH.load(Ordering::Relaxed) {
        0 => {
            let made = u64::from_str_radix(&Bundle::new().hash, 16).unwrap_or(0);
            HASH.store(made, Ordering::Relaxed);
            made
        }
        known => known,
    };
    format!("{known:016x}")
}

impl Bundle {
    /// Puts the library together: the prelude at the top level, each file of lib/ as a local of its name, each
    /// operation in a block of its own (a Lua chunk has at most 200 locals); constants by value.
    pub fn new() -> Bundle {
        let shared = declared(PRELUDE);
        let filled = |text| {
            let mut known = shared.clone();
            known.extend(declared(text));
            filled_in(text, &known)
        };
        let mut body = format!("#!lua name=manyhands_{MAJOR}\n{}", filled(PRELUDE));
        for (name, text) in LIBRARY {
            body.push_str(&format!("local {name} = (function()\n{}end)()\n", filled(text)));
        }
        for operation in OPERATIONS {
            body.push_str(&format!("do\n{}end\n", filled(operation.lua)));
        }
        let hash = identity::fingerprint(body.as_bytes());
        let text =
            body.replace("@major@", &MAJOR.to_string()).replace("@minor@", &MINOR.to_string()).replace("@hash@", &hash);
        Bundle { text, hash }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn files(folder: &str) -> BTreeSet<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/engine").join(folder);
        let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter_map(|name| name.strip_suffix(".lua").map(str::to_owned)).collect()
    }

    #[test]
    fn every_file_is_bundled() {
        assert_eq!(files("ops"), OPERATIONS.iter().map(|operation| operation.name.to_owned()).collect());
        assert_eq!(files("lib"), LIBRARY.iter().map(|(name, _)| (*name).to_owned()).collect());
    }

    #[test]
    fn files_register_themselves_as_the_table_says() {
        for operation in OPERATIONS {
            let head = format!("operation('{}', '", operation.name);
            let at = operation.lua.find(&head).unwrap_or_else(|| panic!("{} is not registered", operation.name));
            let reads = operation.lua[at + head.len()..].starts_with("read'");
            assert_eq!(reads, !operation.writes, "{}", operation.name);
        }
    }

    #[test]
    fn the_bundle_is_filled_in() {
        let bundle = Bundle::new();
        assert!(bundle.text.starts_with("#!lua name=manyhands_1\n"));
        assert!(bundle.text.contains(&bundle.hash));
        assert!(!bundle.text.contains("@hash@") && !bundle.text.contains("@minor@"));
        assert_eq!(bundle.hash, Bundle::new().hash);
    }
}
