//! Lua 5.1 has no constants: a name costs an instruction wherever it is read, and the engine has a hundred of them in
//! the way of each job. So the bundle has the value in place of the name.

use std::collections::HashMap;

/// The constants of a file, by name.
pub(super) type Constants<'a> = HashMap<&'a str, &'a str>;

/// What a file declares at its left edge by `local NAME, … = value, …`: names in capitals, numbers or quoted texts.
pub(super) fn declared(text: &str) -> Constants<'_> {
    text.lines().filter_map(declaration).flatten().collect()
}

/// The text with each name replaced by its value. Every line stays where it is, as errors name lines.
pub(super) fn filled_in(text: &str, constants: &Constants<'_>) -> String {
    let mut filled = String::with_capacity(text.len());
    for line in text.lines() {
        if declaration(line).is_none() {
            fill_line(&mut filled, line, constants);
        }
        filled.push('\n');
    }
    filled
}

fn declaration(line: &str) -> Option<Vec<(&str, &str)>> {
    let line = line.split(" -- ").next()?;
    let (names, values) = line.strip_prefix("local ")?.split_once(" = ")?;
    let (names, values) = (names.split(", "), values.split(", "));
    let plain = names.clone().count() == values.clone().count()
        && names.clone().all(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
        && values.clone().all(|value| is_number(value) || is_quoted(value));
    plain.then(|| names.zip(values).collect())
}

fn is_number(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_quoted(value: &str) -> bool {
    value.len() > 1 && value.starts_with('\'') && value[1..].find('\'') == Some(value.len() - 2)
}

/// The length of the quoted text that `line` begins with.
fn quoted_length(line: &str) -> usize {
    line[1..].find(&line[..1]).map_or(line.len(), |length| length + 2)
}

fn fill_line(filled: &mut String, line: &str, constants: &Constants<'_>) {
    let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' => quoted_length(rest),
            '-' if rest.starts_with("--") => rest.len(),
            _ if is_word(first) => rest.find(|character| !is_word(character)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        filled.push_str(constants.get(token).unwrap_or(&token));
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_values_where_they_are_read() {
        let text = "local A, B_C = 1, 'x y' -- why\nlocal D = { A }\nf(A, b.A_, 'A', \"it's A\", B_C) -- A\n";
        let filled = filled_in(text, &declared(text));
        assert_eq!(filled, "\nlocal D = { 1 }\nf(1, b.A_, 'A', \"it's A\", 'x y') -- A\n");
    }

    #[test]
    fn only_plain_values_are_constants() {
        let text = "local A = 2 ^ 45\nlocal B, C = f()\nlocal d = 1\n  local E = 1\nlocal F = { 1 }\nlocal G, H\n";
        assert_eq!(declared(text), HashMap::new());
        assert_eq!(filled_in(text, &declared(text)), text);
    }
}
