//! The jobs of a call at the door, and what is answered of each.

use serde_json::{Map, Value as Json};

use crate::error::Result;
use crate::json::Fields;

/// The `jobs` of a call that has nothing else.
pub(super) fn of_call<T>(text: &str, read: fn(Fields) -> Result<T>) -> Result<Vec<T>> {
    let mut fields = Fields::parse(text, "")?;
    let items = take(&mut fields, read)?;
    fields.end()?;
    Ok(items)
}

/// The `jobs` of a call. Errors say which one is at fault when there are several, as `in_item` does.
pub(super) fn take<T>(fields: &mut Fields, read: impl Fn(Fields) -> Result<T>) -> Result<Vec<T>> {
    let items = fields.required_list("jobs")?;
    let alone = items.len() == 1;
    let items = items.into_iter().enumerate().map(|(index, item)| {
        let item = Fields::parse(item.get(), &format!("jobs[{index}]"))?;
        read(if alone { item.unplaced() } else { item })
    });
    items.collect()
}

/// Per job `{"jid", <name>}` or `{"jid", "error"}`.
pub(super) fn to_json<'a>(
    operation: &str,
    name: &str,
    answers: impl IntoIterator<Item = (&'a str, Result<Json>)>,
) -> String {
    let list = answers.into_iter().map(|(jid, answer)| {
        let mut map = Map::new();
        map.insert("jid".into(), jid.into());
        match answer {
            Ok(value) => map.insert(name.into(), value),
            Err(error) => map.insert("error".into(), Json::Object(error.during(operation).to_map())),
        };
        Json::Object(map)
    });
    Json::Array(list.collect()).to_string()
}
