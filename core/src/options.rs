//! The client's options: one JSON object, parsed once, an unknown key refused by name.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::json::Fields;

/// Longest `timeout_ms` of a client.
pub const MAX_TIMEOUT_MS: i64 = 600_000;

/// What a client does when the server's engine is older than its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineUpgrade {
    /// Replace an older minor version.
    Auto,
    /// Leave it, and fail with `ENGINE_OUTDATED`.
    Manual,
}

/// The options of [`crate::Client::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Names the keys in Redis: `{namespace}:…`.
    pub namespace: String,
    /// How long a call is repeated before it fails.
    pub timeout: Duration,
    /// None: auto for `embedded:` and for an empty server, else manual.
    pub engine_upgrade: Option<EngineUpgrade>,
}

impl Options {
    /// Reads the options. An empty text stands for no options.
    pub fn parse(json: &str) -> Result<Options> {
        let mut fields = Fields::parse(if json.is_empty() { "{}" } else { json }, "options")?;
        let namespace = fields.text("namespace")?.unwrap_or_else(|| "mh".to_owned());
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if !(1..=64).contains(&namespace.len()) || !namespace.bytes().all(allowed) {
            return Err(Error::invalid(format!(
                "options.namespace {} is not 1 to 64 letters, digits, _ or -",
                crate::json::quote(&namespace)
            )));
        }
        let timeout_ms = fields.integer_in("timeout_ms", 1, MAX_TIMEOUT_MS)?.unwrap_or(60_000);
        let engine_upgrade = match fields.text("engine_upgrade")?.as_deref() {
            None => None,
            Some("auto") => Some(EngineUpgrade::Auto),
            Some("manual") => Some(EngineUpgrade::Manual),
            Some(other) => {
                return Err(Error::invalid(format!(
                    "options.engine_upgrade {} is neither auto nor manual",
                    crate::json::quote(other)
                )));
            }
        };
        fields.end()?;
        Ok(Options { namespace, timeout: Duration::from_millis(timeout_ms.unsigned_abs()), engine_upgrade })
    }

    /// The name in Redis of something that belongs to the namespace as a whole.
    pub fn key(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_and_each_option() {
        let options = Options::parse("").unwrap();
        assert_eq!((options.namespace.as_str(), options.timeout), ("mh", Duration::from_secs(60)));
        assert_eq!(options.engine_upgrade, None);
        let options = Options::parse(r#"{"namespace":"a-B_1","timeout_ms":250,"engine_upgrade":"manual"}"#).unwrap();
        assert_eq!((options.namespace.as_str(), options.timeout), ("a-B_1", Duration::from_millis(250)));
        assert_eq!(options.engine_upgrade, Some(EngineUpgrade::Manual));
    }

    #[test]
    fn faults_are_named() {
        let message = |json| Options::parse(json).unwrap_err().message;
        assert_eq!(message(r#"{"name_space":"x"}"#), "options.name_space is unknown");
        assert_eq!(message(r#"{"timeout_ms":0}"#), "options.timeout_ms 0 is outside 1..600000");
        assert!(message(r#"{"namespace":"a:b"}"#).starts_with("options.namespace \"a:b\""));
        assert!(message(r#"{"engine_upgrade":"never"}"#).contains("neither auto nor manual"));
    }
}
