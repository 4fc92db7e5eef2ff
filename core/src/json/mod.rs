//! JSON at the door: arguments are read by name with their errors, the user's own JSON is kept byte for byte.

mod place;

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Deepest nesting of the user's JSON.
pub(crate) const MAX_DEPTH: usize = 128;

/// Checks that `text` is one JSON value (RFC 8259) nested at most 128 deep. `name` is used in the error.
pub(crate) fn check(text: &str, name: &str) -> Result<()> {
    serde_json::from_str::<&RawValue>(text).map_err(|error| Error::invalid(format!("{name} is not JSON: {error}")))?;
    check_depth(text, name)
}

/// The same for a text that is known to be JSON.
pub(crate) fn check_depth(text: &str, name: &str) -> Result<()> {
    if text.len() <= 2 * MAX_DEPTH {
        return Ok(());
    }
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth -= 1,
            _ => continue,
        }
        if depth > MAX_DEPTH {
            return Err(Error::invalid(format!("{name} is nested more than {MAX_DEPTH} deep")));
        }
    }
    Ok(())
}

/// The full name of the member a syntax error is in.
fn faulty_member(text: &str, within: &str, error: &serde_json::Error) -> String {
    let line_begin: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let path = place::path_at(text, line_begin + error.column().saturating_sub(1));
    match (within.is_empty(), path.is_empty()) {
        (true, true) => "the text of the arguments".to_owned(),
        (true, false) => path,
        (false, true) => within.to_owned(),
        (false, false) => format!("{within}.{path}"),
    }
}

/// The arguments with their member `data`, if there is one, as the text of the JSON that it is.
pub(crate) fn data_as_text(args: &str) -> Result<String> {
    let mut fields = Fields::parse(args, "")?;
    let Some(data) = fields.raw("data")? else { return Ok(args.to_owned()) };
    let data = quote(&data);
    let mut out = String::with_capacity(args.len() + data.len());
    for (name, value) in fields.members.iter().map(|(name, value)| (quote(name), value.get())) {
        out.push_str(&format!("{name}:{value},"));
    }
    Ok(format!("{{{out}\"data\":{data}}}"))
}

/// `text` as a JSON string, quoted.
pub(crate) fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Appends it to others.
pub(crate) fn push_quoted(text: &str, out: &mut String) {
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        return out.push_str(&quote(text));
    }
    out.push('"');
    out.push_str(text);
    out.push('"');
}

/// The members of one JSON object, taken by name; what is left at the end is unknown and refused.
pub(crate) struct Fields<'a> {
    members: BTreeMap<String, &'a RawValue>,
    within: String,
}

impl<'a> Fields<'a> {
    /// Reads an object. `within` says where it is in error messages (`options`, `jobs[3]`, or empty for the arguments).
    pub fn parse(text: &'a str, within: &str) -> Result<Fields<'a>> {
        let members = serde_json::from_str(text).map_err(|error| {
            if error.is_data() {
                let name = if within.is_empty() { "the arguments" } else { within };
                return Error::invalid(format!("{name} must be a JSON object: {error}"));
            }
            Error::invalid(format!("{} is not JSON: {error}", faulty_member(text, within, &error)))
        })?;
        Ok(Fields { members, within: within.to_owned() })
    }

    /// Members that are read already.
    pub fn of(members: BTreeMap<&'a str, &'a RawValue>) -> Fields<'a> {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Fields { members, within: String::new() }
    }

    /// The same, whose members are named alone in messages: the caller can only mean this object.
    pub fn unplaced(self) -> Fields<'a> {
        Fields { within: String::new(), ..self }
    }

    /// The member's full name for messages.
    pub fn path(&self, name: &str) -> String {
        if self.within.is_empty() { name.to_owned() } else { format!("{}.{name}", self.within) }
    }

    /// The names of the members not yet taken, in order.
    pub fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        self.members.remove(name).map(RawValue::get)
    }

    fn given(&mut self, name: &str) -> Option<&'a str> {
        self.take(name).filter(|text| *text != "null")
    }

    fn required<T>(&self, name: &str, value: Option<T>) -> Result<T> {
        value.ok_or_else(|| Error::invalid(format!("{} is missing", self.path(name))))
    }

    fn wrong(&self, name: &str, text: &str, what: &str) -> Error {
        let mut shown: String = text.chars().take(40).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        Error::invalid(format!("{} {shown} is not {what}", self.path(name)))
    }

    /// Any JSON, as it was written; None when absent. JSON null counts as given.
    pub fn raw(&mut self, name: &str) -> Result<Option<String>> {
        let Some(text) = self.take(name) else { return Ok(None) };
        check_depth(text, &self.path(name))?;
        Ok(Some(text.to_owned()))
    }

    /// A text; None when absent or null.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        let Some(text) = self.given(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|_| self.wrong(name, text, "a text"))
    }

    /// A text that must be there.
    pub fn required_text(&mut self, name: &str) -> Result<String> {
        let value = self.text(name)?;
        self.required(name, value)
    }

    /// A whole number; None when absent or null. `5.0` is a whole number, `5.5` and `1e999` are not.
    pub fn integer(&mut self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.given(name) else { return Ok(None) };
        if let Ok(number) = serde_json::from_str::<i64>(text) {
            return Ok(Some(number));
        }
        match serde_json::from_str::<f64>(text) {
            // A number too large for i64 becomes its nearest one, which every range then refuses.
            Ok(number) if number.fract() == 0.0 => Ok(Some(number as i64)),
            _ => Err(self.wrong(name, text, "a whole number")),
        }
    }

    /// A whole number within a range; None when absent or null.
    pub fn integer_in(&mut self, name: &str, least: i64, most: i64) -> Result<Option<i64>> {
        let Some(number) = self.integer(name)? else { return Ok(None) };
        crate::check::integer(number, &self.path(name), least, most)?;
        Ok(Some(number))
    }

    /// A number within a range; None when absent or null.
    pub fn number_in(&mut self, name: &str, least: f64, most: f64) -> Result<Option<f64>> {
        let Some(text) = self.given(name) else { return Ok(None) };
        match serde_json::from_str::<f64>(text) {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            Ok(number) => Err(Error::invalid(format!("{} {number} is outside {least}..{most}", self.path(name)))),
            Err(_) => Err(self.wrong(name, text, "a number")),
        }
    }

    /// true or false; None when absent or null.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>> {
        let Some(text) = self.given(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|_| self.wrong(name, text, "true or false"))
    }

    /// A list of texts; None when absent or null.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(text) = self.given(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|_| self.wrong(name, text, "a list of texts"))
    }

    /// An object of texts; None when absent or null.
    pub fn text_map(&mut self, name: &str) -> Result<Option<BTreeMap<String, String>>> {
        let Some(text) = self.given(name) else { return Ok(None) };
        serde_json::from_str(text).map(Some).map_err(|_| self.wrong(name, text, "an object of texts"))
    }

    /// The members of an object of its own; None when absent or null.
    pub fn object(&mut self, name: &str) -> Result<Option<Fields<'a>>> {
        self.given(name).map(|text| Fields::parse(text, &self.path(name))).transpose()
    }

    /// A list of objects that must be there, each to be read by [`Fields::parse`].
    pub fn required_list(&mut self, name: &str) -> Result<Vec<&'a RawValue>> {
        let text = self.given(name);
        let text = self.required(name, text)?;
        serde_json::from_str(text).map_err(|_| self.wrong(name, text, "a list"))
    }

    /// Refuses whatever was not taken.
    pub fn end(self) -> Result<()> {
        match self.members.first_key_value() {
            None => Ok(()),
            Some((name, _)) => Err(Error::invalid(format!("{} is unknown", self.path(name)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_json_and_refuses_what_only_looks_like_it() {
        for good in ["null", "1e400", "\"\\u0000\"", "[1, {\"a\": [true]}]", " 5 "] {
            check(good, "data").unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        for bad in ["", "NaN", "01", "[1,]", "{\"a\"}", "\"\u{1}\"", "1 2", "Infinity", "'a'"] {
            let error = check(bad, "data").unwrap_err();
            assert!(error.message.starts_with("data is not JSON"), "{bad}: {error}");
        }
    }

    #[test]
    fn depth_counts_brackets_outside_texts() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(check(&nested(128), "data").is_ok());
        assert!(check(&nested(129), "data").unwrap_err().message.contains("128 deep"));
        assert!(check(&format!("\"{}\\\"{}\"", "[".repeat(200), "{".repeat(200)), "data").is_ok());
    }

    #[test]
    fn fields_name_the_argument_at_fault() {
        let message = |json: &str, read: fn(&mut Fields) -> Result<()>| {
            let mut fields = Fields::parse(json, "jobs[0]").unwrap();
            read(&mut fields).and_then(|()| fields.end()).unwrap_err().message
        };
        assert_eq!(
            message("{\"priority\":1.5}", |fields| fields.integer("priority").map(drop)),
            "jobs[0].priority 1.5 is not a whole number"
        );
        assert_eq!(message("{\"prio\":1}", |_| Ok(())), "jobs[0].prio is unknown");
        assert_eq!(message("{}", |fields| fields.required_text("kind").map(drop)), "jobs[0].kind is missing");
        assert_eq!(message("{\"kind\":7}", |fields| fields.text("kind").map(drop)), "jobs[0].kind 7 is not a text");
    }

    #[test]
    fn raw_keeps_the_bytes() {
        let mut fields = Fields::parse("{\"data\":{\"b\": 1.0,\"a\":12345678901234567890}}", "").unwrap();
        assert_eq!(fields.raw("data").unwrap().unwrap(), "{\"b\": 1.0,\"a\":12345678901234567890}");
    }
}
