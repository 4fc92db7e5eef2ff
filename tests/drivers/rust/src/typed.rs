//! The operations that have typed methods, by what they are about. What those cannot say (a wrong type, an unknown member)
//! goes through the door.

mod job;
mod namespace;
mod queue;

use std::collections::BTreeMap;

use manyhands::ops::Missing;
use manyhands::{Backoff, Client, Page, Result};
use serde_json::{Map, Value as Json, json};

/// The arguments, taken by name; None where one is of another type than the method takes.
struct Args(Map<String, Json>);

type Texts = Vec<String>;

impl Args {
    /// Takes a member; Some(None) when it is not there.
    fn some<T>(&mut self, name: &str, read: impl Fn(&Json) -> Option<T>) -> Option<Option<T>> {
        match self.0.remove(name) {
            None => Some(None),
            Some(value) => read(&value).map(Some),
        }
    }

    fn one<T>(&mut self, name: &str, read: impl Fn(&Json) -> Option<T>) -> Option<T> {
        read(&self.0.remove(name)?)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.one(name, as_text)
    }

    fn number(&mut self, name: &str) -> Option<i64> {
        self.one(name, Json::as_i64)
    }

    fn texts(&mut self, name: &str) -> Option<Texts> {
        self.one(name, as_texts)
    }

    fn page(&mut self) -> Option<(i64, i64)> {
        let offset = self.some("offset", Json::as_i64)?.unwrap_or(0);
        Some((offset, self.some("limit", Json::as_i64)?.unwrap_or(25)))
    }

    fn missing(&mut self) -> Option<Option<Missing>> {
        self.some("missing", |word| match word.as_str()? {
            "satisfied" => Some(Missing::Satisfied),
            "reject" => Some(Missing::Reject),
            _ => None,
        })
    }

    /// Nothing is left.
    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

fn as_text(value: &Json) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn as_text_map(value: &Json) -> Option<BTreeMap<String, String>> {
    value.as_object()?.iter().map(|(name, text)| Some((name.clone(), as_text(text)?))).collect()
}

fn as_backoff(value: &Json) -> Option<Backoff> {
    Backoff::from_json(&value.to_string()).ok()
}

fn backoff(backoff: &Backoff) -> Json {
    parsed(&backoff.to_json())
}

fn as_texts(value: &Json) -> Option<Texts> {
    value.as_array()?.iter().map(as_text).collect()
}

fn as_json(value: &Json) -> Option<String> {
    Some(value.to_string())
}

fn done(result: Result<()>) -> Result<Json> {
    result.map(|()| "OK".into())
}

fn changed(result: Result<bool>) -> Result<Json> {
    result.map(|changed| i32::from(changed).into())
}

fn reply<T: Into<Json>>(result: Result<T>) -> Result<Json> {
    result.map(Into::into)
}

fn page<T>(name: &str, page: Result<Page<T>>, item: impl Fn(T) -> Json) -> Result<Json> {
    let page = page?;
    Ok(json!({"total": page.total, name: page.items.into_iter().map(item).collect::<Vec<_>>()}))
}

fn jids(result: Result<Page<String>>) -> Result<Json> {
    page("jids", result, Json::from)
}

fn counted(name: &str, result: Result<Page<(String, u64)>>) -> Result<Json> {
    page(name, result, |(name, count)| json!([name, count]))
}

/// A JSON text that the core kept as it was.
fn parsed(text: &str) -> Json {
    serde_json::from_str(text).expect("the core keeps JSON")
}

/// Performs the operation, if its method can say these arguments.
pub fn perform(client: &Client, operation: &str, arguments: &Json) -> Option<Result<Json>> {
    let mut a = Args(arguments.as_object()?.clone());
    let (noun, verb) = operation.split_once('_').unwrap_or((operation, ""));
    match noun {
        "job" => job::perform(client, verb, &mut a),
        "queue" => queue::perform(client, verb, &mut a),
        "throttle" => queue::throttle(client, verb, &mut a),
        "recurring" => queue::recurring(client, verb, &mut a),
        _ => namespace::perform(client, operation, &mut a),
    }
}
