//! What the operations by JSON share: how arguments are written, and replies read.

use serde_json::Value as Json;

use super::blocking::Client;
use crate::backoff::Backoff;
use crate::error::{Error, Result};
use crate::json::{self, Fields};

/// The arguments of an operation.
pub(super) struct Arguments(String);

impl Arguments {
    pub fn new() -> Arguments {
        Arguments("{}".to_owned())
    }

    /// The part of a list from `offset` on, at most `limit` of it.
    pub fn page(offset: i64, limit: i64) -> Arguments {
        Arguments::new().with("offset", offset).with("limit", limit)
    }

    pub fn with(self, name: &str, value: impl Into<Json>) -> Arguments {
        self.member(name, &value.into().to_string())
    }

    /// Leaves the member out when there is no value.
    pub fn with_some(self, name: &str, value: Option<impl Into<Json>>) -> Arguments {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The user's own JSON, checked and then left as it is.
    pub fn with_json(self, name: &str, text: Option<&str>) -> Result<Arguments> {
        let Some(text) = text else { return Ok(self) };
        json::check(text, name)?;
        Ok(self.member(name, text))
    }

    /// A backoff of jobs, checked; left out when there is none.
    pub fn with_backoff(self, backoff: Option<&Backoff>) -> Result<Arguments> {
        let Some(backoff) = backoff else { return Ok(self) };
        backoff.check("backoff_ms")?;
        Ok(self.with("backoff_ms", backoff.value()))
    }

    /// As JSON.
    pub fn json(self) -> String {
        self.0
    }

    fn member(mut self, name: &str, json: &str) -> Arguments {
        self.0.pop();
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0 += &format!("{}:{json}}}", json::quote(name));
        self
    }
}

/// Texts from whatever has texts.
pub(super) fn texts<T: Into<String>>(list: impl IntoIterator<Item = T>) -> Vec<String> {
    list.into_iter().map(Into::into).collect()
}

impl Client {
    /// The reply of an operation.
    pub(super) fn ask(&self, operation: &'static str, arguments: Arguments) -> Result<Reply> {
        let text = self.call(operation, &arguments.0)?;
        Ok(Reply { operation, text })
    }
}

/// A reply that is to be read as what its operation promises.
pub(super) struct Reply {
    operation: &'static str,
    text: String,
}

impl Reply {
    fn wrong(&self) -> Error {
        Error::internal(format!("the engine answered {} which is not what was promised", self.text))
            .during(self.operation)
    }

    /// Reads an object; None for null.
    pub fn read_some<T>(&self, read: impl FnOnce(Fields<'_>) -> Result<T>) -> Result<Option<T>> {
        match self.text.as_str() {
            "null" => Ok(None),
            _ => self.read(read).map(Some),
        }
    }

    /// Reads an object.
    pub fn read<T>(&self, read: impl FnOnce(Fields<'_>) -> Result<T>) -> Result<T> {
        Fields::parse(&self.text, self.operation).and_then(read).map_err(|_| self.wrong())
    }

    pub fn number(&self) -> Result<u64> {
        self.text.parse().map_err(|_| self.wrong())
    }

    /// Whether one was changed: 1 or 0.
    pub fn changed(&self) -> Result<bool> {
        self.number().map(|count| count > 0)
    }

    pub fn text(&self) -> Result<String> {
        serde_json::from_str(&self.text).map_err(|_| self.wrong())
    }

    pub fn texts(&self) -> Result<Vec<String>> {
        serde_json::from_str(&self.text).map_err(|_| self.wrong())
    }

    /// For an operation that answers OK.
    pub fn done(self) {}

    /// A page whose items are the list `name`.
    pub fn page<T>(&self, name: &str, item: impl Fn(&str) -> Result<T>) -> Result<Page<T>> {
        self.read(|mut fields| Page::read(&mut fields, name, item))
    }

    /// A page of jids.
    pub fn jids(&self) -> Result<Page<String>> {
        self.page("jids", |json| serde_json::from_str(json).map_err(|_| Error::internal("a jid that is no text")))
    }

    /// A page of names, each with a count.
    pub fn counted(&self, name: &str) -> Result<Page<(String, u64)>> {
        self.page(name, |json| serde_json::from_str(json).map_err(|_| Error::internal("no pair")))
    }
}

/// A part of a list.
///
/// ```no_run
/// let client = manyhands::Client::open(None, "")?;
/// let page = client.tagged("urgent", 0, 25)?;
/// println!("{} of {} jobs", page.items.len(), page.total);
/// # Ok::<(), manyhands::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// How many there are in all.
    pub total: u64,
    /// Those that were asked for.
    pub items: Vec<T>,
}

impl<T> Page<T> {
    pub(super) fn read(fields: &mut Fields<'_>, name: &str, item: impl Fn(&str) -> Result<T>) -> Result<Page<T>> {
        let items = fields.required_list(name)?.into_iter().map(|json| item(json.get())).collect::<Result<_>>()?;
        Ok(Page { total: natural(fields, "total")?, items })
    }
}

impl<T> IntoIterator for Page<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

/// A whole number of a reply; 0 when it is absent.
pub(super) fn number(fields: &mut Fields<'_>, name: &str) -> Result<i64> {
    Ok(fields.integer(name)?.unwrap_or(0))
}

/// A whole number from 0; 0 when it is absent.
pub(super) fn natural(fields: &mut Fields<'_>, name: &str) -> Result<u64> {
    Ok(natural_or_none(fields, name)?.unwrap_or(0))
}

/// A whole number from 0; None when it is absent or null.
pub(super) fn natural_or_none(fields: &mut Fields<'_>, name: &str) -> Result<Option<u64>> {
    Ok(fields.integer(name)?.and_then(|number| u64::try_from(number).ok()))
}
