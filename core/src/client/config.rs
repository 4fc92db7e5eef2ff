//! The settings of a namespace.

use super::blocking::Client;
use crate::error::{Error, Result};

/// The settings of a namespace: `heartbeat`, `grace-period` (both also per queue), `jobs-history`,
/// `jobs-history-count`, `stats-history`, `max-data`, `test-clock`. Spans are in milliseconds. Made by [`Client::config`].
#[derive(Clone, Debug)]
pub struct Config {
    client: Client,
}

impl Config {
    pub(super) fn new(client: Client) -> Config {
        Config { client }
    }

    /// The value in force: of `queue` when one is named, else of all queues, else the default. None: a `test-clock` that is off.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a name that is no setting, or not one of queues; those of [`Client::call`].
    pub fn get(&self, name: &str, queue: Option<&str>) -> Result<Option<i64>> {
        let reply = self.client.call("config_get", &arguments(name, queue, None))?;
        if reply == "\"off\"" {
            return Ok(None);
        }
        reply.parse().map(Some).map_err(|_| Error::internal(format!("the engine answered {reply} for a setting")))
    }

    /// Changes a setting, for all queues or for one. None puts the default back.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` also for a value outside the setting's range; those of [`Client::call`].
    pub fn set(&self, name: &str, value: Option<i64>, queue: Option<&str>) -> Result<()> {
        self.client.call("config_set", &arguments(name, queue, Some(value))).map(drop)
    }
}

fn arguments(name: &str, queue: Option<&str>, value: Option<Option<i64>>) -> String {
    let mut arguments = serde_json::json!({ "name": name, "queue": queue });
    if let Some(value) = value {
        arguments["value"] = value.into();
    }
    arguments.to_string()
}
