//! Captured values and long arguments: what stands for something else in a scenario's JSON.
//!
//! `"$name"` is a captured value, `"job-${name}"` holds its text; `{"$repeat": 65, "of": item}` is a
//! list in which `$i` counts from 0, and `{"$times": 1048577, "of": "x"}` is a long text.

use std::collections::HashMap;

use serde_json::Value as Json;

/// What the scenario has captured so far, by name.
pub type Captures = HashMap<String, Json>;

/// The arguments as text to be sent: verbatim when they hold nothing to expand.
///
/// # Errors
/// A text that names an unknown capture.
pub fn expand_text(arguments: &str, captures: &Captures) -> Result<String, String> {
    if !arguments.contains('$') {
        return Ok(arguments.to_owned());
    }
    let json = serde_json::from_str(arguments).map_err(|error| error.to_string())?;
    expand(&json, captures).map(|json| json.to_string())
}

fn expand(json: &Json, captures: &Captures) -> Result<Json, String> {
    match json {
        Json::String(text) => match capture_name(text) {
            Some(name) => captures.get(name).cloned().ok_or_else(|| format!("nothing was captured as ${name}")),
            None => interpolate(text, captures).map(Json::String),
        },
        Json::Array(items) => items.iter().map(|item| expand(item, captures)).collect(),
        Json::Object(fields) => {
            if let Some(count) = fields.get("$repeat").and_then(Json::as_u64) {
                return repeat(&fields["of"], count, captures);
            }
            if let Some(count) = fields.get("$times").and_then(Json::as_u64) {
                let text = fields["of"].as_str().unwrap_or_default();
                return Ok(Json::String(text.repeat(count as usize)));
            }
            let expanded = fields.iter().map(|(name, value)| Ok((name.clone(), expand(value, captures)?)));
            expanded.collect::<Result<serde_json::Map<_, _>, String>>().map(Json::Object)
        }
        other => Ok(other.clone()),
    }
}

fn repeat(item: &Json, count: u64, captures: &Captures) -> Result<Json, String> {
    let mut captures = captures.clone();
    let mut items = Vec::new();
    for index in 0..count {
        captures.insert("i".into(), index.into());
        items.push(expand(item, &captures)?);
    }
    Ok(Json::Array(items))
}

/// The name in `$name`; other texts name nothing.
pub fn capture_name(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    let is_word = |byte: u8| byte == b'_' || byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (starts_well && name.bytes().all(is_word)).then_some(name)
}

/// The text with each `${name}` replaced by what was captured.
///
/// # Errors
/// A text that names an unknown capture.
pub fn interpolate(text: &str, captures: &Captures) -> Result<String, String> {
    let mut pieces = text.split("${");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').ok_or_else(|| format!("{text:?}: ${{ without }}"))?;
        match captures.get(name) {
            Some(Json::String(value)) => result.push_str(value),
            Some(value) => result.push_str(&value.to_string()),
            None => return Err(format!("nothing was captured as ${name}")),
        }
        result.push_str(rest);
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn captures() -> Captures {
        Captures::from([("t".into(), json!("77")), ("n".into(), json!(5))])
    }

    #[test]
    fn plain_text_is_sent_as_it_stands() {
        let text = r#"{"b": 1.0,  "a":"\u0041"}"#;
        assert_eq!(expand_text(text, &captures()).unwrap(), text);
    }

    #[test]
    fn captures_and_repetitions_are_expanded() {
        let text =
            r#"{"token":"$t","n":"$n","price":"$5","l":{"$repeat":2,"of":"q${i}-${t}"},"x":{"$times":3,"of":"ab"}}"#;
        let sent: Json = serde_json::from_str(&expand_text(text, &captures()).unwrap()).unwrap();
        let expected = json!({"token":"77","n":5,"price":"$5","l":["q0-77","q1-77"],"x":"ababab"});
        assert_eq!(sent, expected);
    }

    #[test]
    fn an_unknown_capture_is_an_error() {
        assert_eq!(expand_text(r#"["$u"]"#, &captures()), Err("nothing was captured as $u".into()));
    }
}
