//! Lists of what may be large: a reply holds a part of the page, and the rest is asked for until the page is whole.

use serde_json::{Map, Value as Json};

use super::{Passed, Ready};
use crate::error::{Error, Result};
use crate::json::Fields;
use crate::request::{Args, Value};

/// One call of such an operation.
pub(super) struct Listed(Passed);

impl Listed {
    pub(super) fn ready(args: &str) -> Result<Box<dyn Ready>> {
        Ok(Box::new(Listed(Passed::checked(args.to_owned())?)))
    }
}

impl Ready for Listed {
    fn encode(&self, args: &mut Args) -> Result<()> {
        self.0.encode(args)
    }

    fn answer(&self, value: Value) -> Result<String> {
        self.0.answer(value)
    }

    fn rest(&self, answer: &str) -> Result<Option<Box<dyn Ready>>> {
        let Some(mut rest) = Fields::parse(answer, "")?.object("rest")? else { return Ok(None) };
        let mut args: Map<String, Json> =
            serde_json::from_str(&self.0.0).map_err(|_| Error::internal("no arguments"))?;
        for name in ["offset", "limit"] {
            args.insert(name.to_owned(), rest.integer(name)?.into());
        }
        Listed::ready(&Json::from(args).to_string()).map(Some)
    }
}

/// The answers to the parts of a page as that to the whole: the items of `list` one after the other.
pub(super) fn joined(list: &str, mut answers: Vec<String>) -> Result<String> {
    if answers.len() == 1 {
        return Ok(answers.remove(0));
    }
    let (mut items, mut total) = (Vec::new(), None);
    for answer in &answers {
        let mut fields = Fields::parse(answer, "")?;
        items.extend(fields.required_list(list)?.into_iter().map(|item| item.get()));
        total = fields.integer("total")?;
    }
    let total = total.ok_or_else(|| Error::internal("a list without its length"))?;
    Ok(format!("{{\"total\":{total},\"{list}\":[{}],\"rest\":null}}", items.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_out_is_asked_for() {
        let asked = Listed::ready(r#"{"queue":"a\"b","limit":9}"#).unwrap();
        assert!(asked.rest(r#"{"total":3,"jobs":[1,2,3],"rest":null}"#).unwrap().is_none());
        let next = asked.rest(r#"{"total":3,"jobs":[1,2],"rest":{"offset":2,"limit":7}}"#).unwrap().unwrap();
        let mut args = Args::new();
        next.encode(&mut args).unwrap();
        let sent = String::from_utf8(args.packed("f", "k", "", "")).unwrap();
        assert!(sent.contains(r#"{"limit":7,"offset":2,"queue":"a\"b"}"#), "{sent}");
    }

    #[test]
    fn parts_become_one_page() {
        let parts = [r#"{"total":3,"jobs":[{"data": 1.0}],"rest":{}}"#, r#"{"total":4,"jobs":[],"rest":{}}"#];
        let last = r#"{"total":3,"jobs":[2,3],"rest":null}"#;
        let whole = joined("jobs", parts.iter().chain([&last]).map(|part| (*part).to_owned()).collect()).unwrap();
        assert_eq!(whole, r#"{"total":3,"jobs":[{"data": 1.0},2,3],"rest":null}"#);
    }
}
