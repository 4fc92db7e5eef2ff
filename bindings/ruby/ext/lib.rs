//! The native half of the Ruby gem: handles of the core, text in and text out, Ruby's lock let go of while waiting.
//!
//! Everything a Ruby program sees is in lib/; nothing here has a default. The core is asked from Ruby's own threads and
//! never calls into Ruby.
#![allow(missing_docs, reason = "magnus::init makes a public function, and no other Rust code can see this crate")]

mod client;
mod errors;
mod events;
mod gvl;
mod job;
mod supervisor;
mod worker;

use std::collections::BTreeMap;

use magnus::{Error, RArray, RHash, RModule, Ruby, TypedData, function, prelude::*};
use manyhands::ops::QueuePut;
use manyhands::{Put, Request};
use serde_json::value::RawValue;

/// The module `Manyhands`.
fn module(ruby: &Ruby) -> Result<RModule, Error> {
    ruby.define_module("Manyhands")
}

/// Splits the text of a JSON object into its members, each the text it is.
fn members(ruby: &Ruby, text: String) -> Result<RHash, Error> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(&text)
        .map_err(|error| errors::exception(ruby, manyhands::Error::internal(format!("not a JSON object: {error}"))))?;
    let hash = ruby.hash_new();
    for (name, value) in members {
        hash.aset(name, value.get())?;
    }
    Ok(hash)
}

/// Splits the text of a JSON array into its items, each the text it is.
fn items(ruby: &Ruby, text: String) -> Result<RArray, Error> {
    let items: Vec<&RawValue> = serde_json::from_str(&text)
        .map_err(|error| errors::exception(ruby, manyhands::Error::internal(format!("not a JSON array: {error}"))))?;
    let list = ruby.ary_new_capa(items.len());
    for item in items {
        list.push(item.get())?;
    }
    Ok(list)
}

/// Refuses what the core would refuse of a put, as far as that goes without a server. `within`: what an error puts before the
/// argument's name.
fn check_put(ruby: &Ruby, queue: String, kind: String, options: String, within: String) -> Result<(), Error> {
    let put = Put::new(kind).queue(queue).with_options(&options);
    put.and_then(|put| QueuePut::new([put]).split()).map(drop).map_err(|error| {
        let error = error.renamed(&[("options.", "")]);
        let error = manyhands::Error { message: format!("{within}{}", error.message), ..error };
        errors::exception(ruby, error.during(QueuePut::OPERATION))
    })
}

/// Looks the class of `T` up now. Magnus would do it at first use, where an interrupt makes it panic; `require` holds
/// interrupts back (lib/manyhands.rb).
fn resolve<T: TypedData>(ruby: &Ruby) {
    T::class(ruby);
}

#[magnus::init(name = "native")]
fn init(ruby: &Ruby) -> Result<(), Error> {
    let native = module(ruby)?.define_module("Native")?;
    native.const_set("VERSION", env!("CARGO_PKG_VERSION"))?;
    native.const_set("CODES", errors::codes(ruby)?)?;
    native.const_set("MAX_SPAN_MS", manyhands::MAX_SPAN_MS)?;
    native.const_set("MAX_TIMEOUT_MS", manyhands::MAX_TIMEOUT_MS)?;
    native.define_singleton_method("members", function!(members, 1))?;
    native.define_singleton_method("items", function!(items, 1))?;
    native.define_singleton_method("check_put", function!(check_put, 4))?;
    client::define(ruby, native)?;
    events::define(ruby, native)?;
    supervisor::define(ruby, native)?;
    worker::define(ruby, native)
}
