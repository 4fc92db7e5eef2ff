//! Which member of a JSON text stands at a place, so that a syntax error can name the argument it is in.

/// One object or array the place is within.
enum Within {
    Object { key: String, expects_key: bool },
    Array { index: usize },
}

/// The path (`jobs[0].data`) to what begins at or reaches over `offset`; empty at the outermost level.
/// The text need not be valid after `offset`.
pub(super) fn path_at(text: &str, offset: usize) -> String {
    let bytes = &text.as_bytes()[..offset.min(text.len())];
    let mut stack: Vec<Within> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' => stack.push(Within::Object { key: String::new(), expects_key: true }),
            b'[' => stack.push(Within::Array { index: 0 }),
            b'}' | b']' => drop(stack.pop()),
            b',' => match stack.last_mut() {
                Some(Within::Object { key, expects_key }) => (*key, *expects_key) = (String::new(), true),
                Some(Within::Array { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let end = end_of_text(bytes, at);
                if let Some(Within::Object { key, expects_key: expects_key @ true }) = stack.last_mut() {
                    *key = String::from_utf8_lossy(&bytes[(at + 1).min(end)..end]).into_owned();
                    *expects_key = false;
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for within in stack {
        match within {
            Within::Object { key, .. } if key.is_empty() => {}
            Within::Object { key, .. } if path.is_empty() => path = key,
            Within::Object { key, .. } => path = format!("{path}.{key}"),
            Within::Array { index } => path = format!("{path}[{index}]"),
        }
    }
    path
}

/// Where the text that begins at `begin` ends: its closing quote, or the end of what there is.
fn end_of_text(bytes: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::path_at;

    #[test]
    fn paths_lead_to_the_place() {
        let text = r#"{"a":1,"jobs":[{"queue":"q,[{\"","kind":"k"},{"data":{"x":[1,NaN]}}]}"#;
        assert_eq!(path_at(text, text.find("NaN").unwrap()), "jobs[1].data.x[1]");
        assert_eq!(path_at(text, text.find("\"k\"").unwrap()), "jobs[0].kind");
        assert_eq!(path_at(text, 5), "a");
        assert_eq!(path_at(text, 0), "");
        assert_eq!(path_at("nonsense", 99), "");
        assert_eq!(path_at("{\"data\":\"unclosed", 16), "data");
    }
}
