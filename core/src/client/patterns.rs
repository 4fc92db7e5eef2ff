//! Saved lists of queue patterns.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::ask::Arguments;
use super::blocking::Client;
use crate::error::{Error, Result};
use crate::json::Fields;

/// The saved lists of queue patterns, which workers on patterns follow while they run: see [`crate::Worker::open`]. Made by
/// [`Client::patterns`].
#[derive(Clone, Debug)]
pub struct Patterns {
    client: Client,
}

/// The lists as they stood when they were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatternLists {
    /// Lists of patterns by name; `@name` stands for one.
    pub identifiers: BTreeMap<String, Vec<String>>,
    /// The order in which an `ordered` worker on patterns serves its queues: those of the first priority, those of the second,
    /// and at last those that none names.
    pub priorities: Vec<PatternPriority>,
}

/// The queues of some patterns, in the order in which they are served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatternPriority {
    /// At most 256 patterns.
    pub patterns: Vec<String>,
    /// Whether they take turns at being first, as far as one call asks them: 64 queues.
    pub fair: bool,
}

impl PatternLists {
    /// Reads what pattern_get answers.
    pub(crate) fn parse(json: &str) -> Result<PatternLists> {
        let read = |json| {
            let mut fields = Fields::parse(json, "")?;
            let identifiers = fields.raw("identifiers")?.unwrap_or_else(|| "{}".to_owned());
            let priorities = fields.required_list("priorities")?.into_iter().map(|one| {
                let mut fields = Fields::parse(one.get(), "priorities")?;
                let patterns = fields.texts("patterns")?.unwrap_or_default();
                Ok(PatternPriority { patterns, fair: fields.boolean("fair")?.unwrap_or(false) })
            });
            Ok(PatternLists {
                identifiers: serde_json::from_str(&identifiers).map_err(|_| Error::internal("no lists"))?,
                priorities: priorities.collect::<Result<_>>()?,
            })
        };
        read(json).map_err(|error: Error| Error::internal(error.message).during("pattern_get"))
    }
}

impl Client {
    /// The saved lists of queue patterns.
    pub fn patterns(&self) -> Patterns {
        Patterns { client: self.clone() }
    }
}

impl Patterns {
    /// The lists.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/pattern_get.lua
    pub fn get(&self) -> Result<PatternLists> {
        PatternLists::parse(&self.client.call("pattern_get", "{}")?)
    }

    /// Replaces all identifiers, all priorities, or both; what is None stays. Workers that use them follow at once.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, also for more than 256 of anything; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/pattern_set.lua
    pub fn set(
        &self,
        identifiers: Option<BTreeMap<String, Vec<String>>>,
        priorities: Option<Vec<PatternPriority>>,
    ) -> Result<()> {
        let identifiers = identifiers.map(|lists| {
            lists.into_iter().map(|(name, list)| (name, list.into())).collect::<serde_json::Map<_, Json>>()
        });
        let priorities = priorities.map(|list| {
            list.into_iter()
                .map(|one| serde_json::json!({"patterns": one.patterns, "fair": one.fair}))
                .collect::<Json>()
        });
        let arguments = Arguments::new().with_some("identifiers", identifiers).with_some("priorities", priorities);
        self.client.ask("pattern_set", arguments).map(|reply| reply.done())
    }
}
