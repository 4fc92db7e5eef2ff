//! What the core refuses before it asks Redis. Each error names the argument. The engine checks again,
//! and alone knows what depends on settings (the size of data, for one).

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// Longest name in bytes.
pub(crate) const MAX_NAME: usize = 255;
/// Most items of one call: what Redis does in a few milliseconds, so that no other client waits longer.
pub(crate) const MAX_ITEMS: usize = 250;
/// Most runs that end by one call.
pub(crate) const MAX_OUTCOMES: usize = 125;
/// Most headers of a job.
const MAX_HEADERS: usize = 32;
/// Most bytes of them, names and texts.
const MAX_HEADER_BYTES: usize = 4096;
/// Longest span in milliseconds: 100 years.
pub const MAX_SPAN_MS: i64 = 3_155_760_000_000;

/// A whole number within a range.
pub(crate) fn integer(number: i64, name: &str, least: i64, most: i64) -> Result<()> {
    if (least..=most).contains(&number) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} {number} is outside {least}..{most}")))
}

/// A span of time in milliseconds, from 0.
pub(crate) fn span_ms(number: i64, name: &str) -> Result<()> {
    if number < 0 {
        return Err(Error::invalid(format!("{name} {number} is negative")));
    }
    integer(number, name, 0, MAX_SPAN_MS)
}

/// A name: 1 to 255 bytes, no control characters.
pub(crate) fn name(value: &str, name: &str) -> Result<()> {
    if value.is_empty() {
        return Err(Error::invalid(format!("{name} is empty")));
    }
    if value.len() > MAX_NAME {
        return Err(Error::invalid(format!("{name} has {} bytes, at most {MAX_NAME} are allowed", value.len())));
    }
    let is_control = |byte| byte < 0x20 || byte == 0x7f;
    // Many at a time: no branch for each.
    if value.bytes().fold(false, |found, byte| found | is_control(byte)) {
        let at = value.bytes().position(is_control).unwrap_or_default();
        return Err(Error::invalid(format!("{name} has a control character at byte {at}")));
    }
    Ok(())
}

/// A list of at most `most` names.
pub(crate) fn names(values: &[String], name: &str, most: usize) -> Result<()> {
    if values.len() > most {
        return Err(Error::invalid(format!("{name} has {} entries, at most {most} are allowed", values.len())));
    }
    for (index, value) in values.iter().enumerate() {
        self::name(value, &format!("{name}[{index}]"))?;
    }
    Ok(())
}

/// The number of items of one call: 1 to `most`.
pub(crate) fn count(count: usize, name: &str, most: usize) -> Result<()> {
    if (1..=most).contains(&count) {
        return Ok(());
    }
    Err(Error::invalid(format!("{name} has {count} entries, 1 to {most} are allowed")))
}

/// A text for each of some names: as many, and as many bytes of both, as a job may carry.
pub(crate) fn headers(headers: &BTreeMap<String, String>, name: &str) -> Result<()> {
    if headers.len() > MAX_HEADERS {
        let count = headers.len();
        return Err(Error::invalid(format!("{name} has {count} entries, at most {MAX_HEADERS} are allowed")));
    }
    let bytes: usize = headers.iter().map(|(key, value)| key.len() + value.len()).sum();
    if headers.contains_key("") {
        return Err(Error::invalid(format!("{name} has an empty name")));
    }
    if bytes > MAX_HEADER_BYTES {
        return Err(Error::invalid(format!("{name} has {bytes} bytes, at most {MAX_HEADER_BYTES} are allowed")));
    }
    Ok(())
}

/// A token: 1 to 19 digits.
pub(crate) fn token(token: &str) -> Result<()> {
    if (1..=19).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    Err(Error::invalid(format!("token {} is not a token: 1 to 19 digits", crate::json::quote(token))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_1_to_255_bytes_without_control_characters() {
        assert!(name(&"x".repeat(255), "queue").is_ok());
        assert!(name("é😀 / {x}", "queue").is_ok());
        assert_eq!(name("", "queue").unwrap_err().message, "queue is empty");
        assert_eq!(name(&"x".repeat(300), "jid").unwrap_err().message, "jid has 300 bytes, at most 255 are allowed");
        assert_eq!(name("a\nb", "kind").unwrap_err().message, "kind has a control character at byte 1");
    }

    #[test]
    fn numbers_name_their_range() {
        assert_eq!(integer(5000, "priority", -128, 127).unwrap_err().message, "priority 5000 is outside -128..127");
        assert_eq!(span_ms(-1, "delay_ms").unwrap_err().message, "delay_ms -1 is negative");
        assert_eq!(count(0, "jobs", 250).unwrap_err().message, "jobs has 0 entries, 1 to 250 are allowed");
    }
}
