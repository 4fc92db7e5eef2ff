//! Reads the engine's answers: piece by piece for typed requests, generically into JSON for the door.

use redis::{Value, VerbatimFormat};

use crate::error::{Error, Result};
use crate::json;

fn shape(expected: &str, value: &Value) -> Error {
    Error::internal(format!("the engine answered {value:?} where {expected} was promised"))
}

/// The parts of an array.
pub(crate) fn list(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(parts) | Value::Set(parts) => Ok(parts),
        other => Err(shape("a list", &other)),
    }
}

/// An array of exactly `N` parts.
pub(crate) fn parts<const N: usize>(value: Value) -> Result<[Value; N]> {
    list(value)?.try_into().map_err(|parts| shape("a list of another length", &Value::Array(parts)))
}

/// What `read` makes of the part of each of `count` items: of an array of them, or of a text that is all of them.
pub(crate) fn per_item<T: Clone>(value: Value, count: usize, read: impl Fn(Value) -> Result<T>) -> Result<Vec<T>> {
    if let Value::BulkString(_) = value {
        return Ok(vec![read(value)?; count]);
    }
    let parts = list(value)?;
    if parts.len() == count {
        return parts.into_iter().map(read).collect();
    }
    Err(Error::internal(format!("the engine answered {} parts for {count} items", parts.len())))
}

/// A text.
pub(crate) fn text(value: Value) -> Result<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes)
            .map_err(|error| Error::internal(format!("the engine answered text that is not UTF-8: {error}"))),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Ok(text),
        Value::Okay => Ok("OK".to_owned()),
        Value::Int(number) => Ok(number.to_string()),
        other => Err(shape("a text", &other)),
    }
}

/// A whole number, also when it came as text.
pub(crate) fn integer(value: Value) -> Result<i64> {
    match value {
        Value::Int(number) => Ok(number),
        Value::Double(number) if number.fract() == 0.0 => Ok(number as i64),
        other => {
            let text = text(other)?;
            text.parse()
                .map_err(|_| Error::internal(format!("the engine answered {text:?} where a number was promised")))
        }
    }
}

/// A whole number from 0.
pub(crate) fn natural(value: Value) -> Result<u64> {
    let number = integer(value)?;
    u64::try_from(number)
        .map_err(|_| Error::internal(format!("the engine answered {number} where a number from 0 was promised")))
}

/// Any answer as JSON. A verbatim text of format `jsn` is JSON already and goes in as it is.
pub(crate) fn to_json(value: &Value, out: &mut String) -> Result<()> {
    match value {
        Value::Nil => out.push_str("null"),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Boolean(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Double(number) => match serde_json::Number::from_f64(*number) {
            Some(number) => out.push_str(&number.to_string()),
            None => out.push_str("null"),
        },
        Value::BulkString(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => out.push_str(&json::quote(text)),
            Err(error) => return Err(Error::internal(format!("the engine answered text that is not UTF-8: {error}"))),
        },
        Value::SimpleString(text) => out.push_str(&json::quote(text)),
        Value::Okay => out.push_str("\"OK\""),
        Value::VerbatimString { format: VerbatimFormat::Unknown(name), text } if name == "jsn" => out.push_str(text),
        Value::VerbatimString { text, .. } => out.push_str(&json::quote(text)),
        Value::Array(parts) | Value::Set(parts) => {
            out.push('[');
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                to_json(part, out)?;
            }
            out.push(']');
        }
        Value::Map(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&json::quote(&text(name.clone())?));
                out.push(':');
                to_json(member, out)?;
            }
            out.push('}');
        }
        Value::Attribute { data, .. } => to_json(data, out)?,
        other => return Err(shape("data", other)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn every_shape_becomes_json() {
        let value = Value::Map(vec![
            (
                bulk("data"),
                Value::VerbatimString { format: VerbatimFormat::Unknown("jsn".into()), text: "{\"a\": 1.0}".into() },
            ),
            (bulk("text"), bulk("a\"é\n")),
            (bulk("list"), Value::Array(vec![Value::Int(-1), Value::Boolean(true), Value::Nil])),
            (bulk("mean"), Value::Double(1.5)),
            (bulk("none"), Value::Array(vec![])),
            (bulk("map"), Value::Map(vec![])),
        ]);
        let mut json = String::new();
        to_json(&value, &mut json).unwrap();
        assert_eq!(json, r#"{"data":{"a": 1.0},"text":"a\"é\n","list":[-1,true,null],"mean":1.5,"none":[],"map":{}}"#);
    }

    #[test]
    fn one_text_is_the_answer_to_all_items() {
        assert_eq!(per_item(bulk("put"), 2, text).unwrap(), ["put", "put"]);
        let parts = Value::Array(vec![bulk("put"), bulk("kept")]);
        assert_eq!(per_item(parts.clone(), 2, text).unwrap(), ["put", "kept"]);
        assert_eq!(per_item(parts, 3, text).unwrap_err().code, crate::Code::Internal);
    }

    #[test]
    fn numbers_come_as_numbers_or_text() {
        assert_eq!(integer(bulk("1792713600000")).unwrap(), 1_792_713_600_000);
        assert_eq!(natural(Value::Int(7)).unwrap(), 7);
        assert_eq!(natural(Value::Int(-7)).unwrap_err().code, crate::Code::Internal);
        assert_eq!(integer(Value::Nil).unwrap_err().code, crate::Code::Internal);
    }
}
