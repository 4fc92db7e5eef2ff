//! Text that both languages can read: Rust by its length, C by the NUL at its end.

use std::borrow::Cow;
use std::ffi::c_char;

use manyhands::{Error, Result};

/// UTF-8 text with a NUL behind it and none in it.
#[derive(Debug)]
pub(crate) struct Text(Cow<'static, str>);

impl Text {
    /// JSON of a list without items, and of an object without members.
    pub const NO_ITEMS: Text = Text(Cow::Borrowed("[]\0"));
    pub const NO_MEMBERS: Text = Text(Cow::Borrowed("{}\0"));

    /// Appends the NUL. `what` names the text, should it contain one already.
    pub fn new(mut text: String, what: &str) -> Result<Text> {
        if text.contains('\0') {
            return Err(Error::internal(format!("{what} contains a NUL, which C cannot read")));
        }
        text.push('\0');
        Ok(Text(text.into()))
    }

    /// Text for people, in which a NUL is replaced.
    pub fn shown(text: &str) -> Text {
        let mut text = text.replace('\0', "\u{fffd}");
        text.push('\0');
        Text(text.into())
    }

    /// For Rust.
    pub fn as_str(&self) -> &str {
        &self.0[..self.length()]
    }

    /// For C; lasts as long as the text itself.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }

    /// Bytes before the NUL.
    pub fn length(&self) -> usize {
        self.0.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_one_nul() {
        let text = Text::new("é".to_owned(), "data").unwrap();
        assert_eq!((text.as_str(), text.length()), ("é", 2));
        assert_eq!(
            Text::new("a\0b".to_owned(), "data").unwrap_err().message,
            "data contains a NUL, which C cannot read"
        );
        assert_eq!(Text::shown("a\0b").as_str(), "a\u{fffd}b");
    }
}
