//! Does an answer match what the scenario expects?
//!
//! Objects match when every expected field does (others may be there); lists match item by item.
//! `"*"` is any value; `"$name"` captures a value, or compares with what was captured before;
//! `">$name"` is a number (or digits) above the captured one.

use std::fmt;

use serde_json::Value as Json;

use crate::template::{Captures, capture_name, interpolate};

/// The first place where an answer differs.
#[derive(Debug, PartialEq)]
pub struct Mismatch {
    /// Where, for example `[0].outcome`; empty for the whole.
    pub place: String,
    /// What was expected there.
    pub expected: String,
    /// What was there.
    pub actual: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.place.is_empty() { "the answer" } else { &self.place };
        write!(f, "at {place}\n    expected {}\n    actual   {}", shortened(&self.expected), shortened(&self.actual))
    }
}

/// The beginning of a text that is too long to read.
pub fn shortened(text: &str) -> String {
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}… ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

/// Compares; remembers captures on the way.
///
/// # Errors
/// The first mismatch, in the order of the expected text.
pub fn compare(expected: &Json, actual: &Json, captures: &mut Captures) -> Result<(), Mismatch> {
    compare_at(String::new(), expected, actual, captures)
}

fn compare_at(place: String, expected: &Json, actual: &Json, captures: &mut Captures) -> Result<(), Mismatch> {
    let differs = |expected: String, actual: String| Err(Mismatch { place: place.clone(), expected, actual });
    match (expected, actual) {
        (Json::Object(fields), Json::Object(found)) => {
            for (name, value) in fields {
                let place = format!("{place}.{name}");
                match found.get(name) {
                    Some(actual) => compare_at(place, value, actual, captures)?,
                    None => return Err(Mismatch { place, expected: value.to_string(), actual: "nothing".into() }),
                }
            }
            Ok(())
        }
        (Json::Array(items), Json::Array(found)) => {
            if items.len() != found.len() {
                let count = |list: &[Json], json: &Json| format!("{} items: {json}", list.len());
                return differs(count(items, expected), count(found, actual));
            }
            for (index, (item, actual)) in items.iter().zip(found).enumerate() {
                compare_at(format!("{place}[{index}]"), item, actual, captures)?;
            }
            Ok(())
        }
        (Json::String(text), _) => match compare_text(text, actual, captures) {
            Ok(()) => Ok(()),
            Err(expected) => differs(expected, actual.to_string()),
        },
        (Json::Number(_), Json::Number(_)) if same_number(expected, actual) => Ok(()),
        _ if expected == actual => Ok(()),
        _ => differs(expected.to_string(), actual.to_string()),
    }
}

/// An expected text may be a pattern. The error says what it stood for.
fn compare_text(text: &str, actual: &Json, captures: &mut Captures) -> Result<(), String> {
    if text == "*" {
        return Ok(());
    }
    if let Some(name) = capture_name(text) {
        return match captures.get(name) {
            Some(known) if known == actual => Ok(()),
            Some(known) => Err(format!("{known} (${name})")),
            None => {
                captures.insert(name.into(), actual.clone());
                Ok(())
            }
        };
    }
    if let Some(name) = text.strip_prefix('>').and_then(capture_name) {
        let floor = captures.get(name).ok_or_else(|| format!("nothing was captured as ${name}"))?;
        return match (as_number(floor), as_number(actual)) {
            (Some(floor), Some(number)) if number > floor => Ok(()),
            _ => Err(format!("more than {floor} (${name})")),
        };
    }
    let text = interpolate(text, captures)?;
    if actual.as_str() == Some(&text) { Ok(()) } else { Err(format!("{text:?}")) }
}

fn as_number(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| json.as_str()?.parse().ok())
}

/// Hosts that count in seconds come back with the last bit off.
fn same_number(expected: &Json, actual: &Json) -> bool {
    if expected.is_f64() || actual.is_f64() {
        let (expected, actual) = (expected.as_f64().unwrap_or(f64::NAN), actual.as_f64().unwrap_or(f64::NAN));
        return (expected - actual).abs() <= 1e-9 * expected.abs().max(1.0);
    }
    expected == actual
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(expected: Json, actual: Json) -> Result<(), String> {
        let mut captures = Captures::from([("old".into(), json!("9007199254740993"))]);
        compare(&expected, &actual, &mut captures).map_err(|m| format!("{} {} {}", m.place, m.expected, m.actual))
    }

    #[test]
    fn objects_match_in_part_and_lists_whole() {
        assert_eq!(check(json!({"a":[1,{"b":2}]}), json!({"a":[1,{"b":2,"c":3}],"d":4})), Ok(()));
        assert_eq!(check(json!({"a":[{"b":2}]}), json!({"a":[{"b":3}]})), Err(".a[0].b 2 3".into()));
        assert_eq!(check(json!({"a":1}), json!({})), Err(".a 1 nothing".into()));
        assert_eq!(check(json!([1]), json!([1, 2])), Err(" 1 items: [1] 2 items: [1,2]".into()));
        assert_eq!(check(json!({}), json!([])), Err(" {} []".into()));
        assert_eq!(check(json!(null), json!(0)), Err(" null 0".into()));
    }

    #[test]
    fn a_capture_is_compared_when_met_again() {
        assert_eq!(check(json!(["$t", "$t"]), json!(["1", "1"])), Ok(()));
        assert_eq!(check(json!(["$t", "$t"]), json!(["1", "2"])), Err("[1] \"1\" ($t) \"2\"".into()));
        assert_eq!(check(json!(["$t", "x-${t}"]), json!([7, "x-7"])), Ok(()));
        assert_eq!(check(json!(">$old"), json!("18014398509481986")), Ok(()));
        assert!(check(json!(">$old"), json!("9007199254740000")).is_err());
        assert_eq!(check(json!("*"), json!({"any": 1})), Ok(()));
    }

    #[test]
    fn numbers_compare_by_value() {
        assert_eq!(check(json!(1500), json!(1500.0000000000002)), Ok(()));
        assert_eq!(check(json!(2), json!(2.0)), Ok(()));
        assert!(check(json!(1500), json!(1501.0)).is_err());
        assert!(check(json!(9007199254740993u64), json!(9007199254740992u64)).is_err());
    }
}
