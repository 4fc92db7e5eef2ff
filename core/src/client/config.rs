//! The settings of a namespace.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value as Json;

use super::ask::Arguments;
use super::blocking::Client;
use crate::error::{Error, Result};

/// The settings of a namespace: `heartbeat`, `grace-period` (both also per queue), `jobs-history`,
/// `jobs-history-count`, `stats-history`, `max-worker-age`, `max-data`, `events`, `test-clock`. Spans are in milliseconds.
/// Made by [`Client::config`].
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
    ///
    /// Source: core/src/engine/ops/config_get.lua
    pub fn get(&self, name: &str, queue: Option<&str>) -> Result<Option<i64>> {
        let arguments = Arguments::new().with("name", name).with_some("queue", queue);
        let reply = self.client.call("config_get", &arguments.json())?;
        if reply == "\"off\"" {
            return Ok(None);
        }
        reply.parse().map(Some).map_err(|_| Error::internal(format!("the engine answered {reply} for a setting")))
    }

    /// Changes a setting, for all queues or for one. None puts the default back.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` also for a value outside the setting's range; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/config_set.lua
    pub fn set(&self, name: &str, value: Option<i64>, queue: Option<&str>) -> Result<()> {
        let value = Setting::from(value);
        self.write(name, &value, queue)
    }

    /// Which jobs events tell of: `tracked` jobs, or `all`.
    ///
    /// # Errors
    /// Those of [`Client::call`].
    pub fn events(&self) -> Result<String> {
        self.client.ask("config_get", Arguments::new().with("name", "events"))?.text()
    }

    /// Sets which jobs events tell of: `tracked` jobs, or `all`; these are also kept in a capped stream.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for any other word; those of [`Client::call`].
    pub fn set_events(&self, which: &str) -> Result<()> {
        self.write("events", &Setting::Text(which.to_owned()), None)
    }

    /// Puts a setting's default back; for a queue, what holds for all queues.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for a name that is no setting; those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/config_unset.lua
    pub fn unset(&self, name: &str, queue: Option<&str>) -> Result<()> {
        let arguments = Arguments::new().with("name", name).with_some("queue", queue);
        self.client.ask("config_unset", arguments).map(|reply| reply.done())
    }

    /// Every setting: what is in force, the defaults, and what queues have of their own.
    ///
    /// ```no_run
    /// let client = manyhands::Client::open(None, "")?;
    /// for (name, value) in client.config().all()?.values {
    ///     println!("{name}: {value}");
    /// }
    /// # Ok::<(), manyhands::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Client::call`].
    ///
    /// Source: core/src/engine/ops/config_all.lua
    pub fn all(&self) -> Result<Settings> {
        self.client.ask("config_all", Arguments::new())?.read(|mut fields| {
            let mut map = |name| {
                let text = fields.raw(name)?.unwrap_or_else(|| "{}".to_owned());
                serde_json::from_str::<Json>(&text).map_err(|_| Error::internal("settings that are no JSON"))
            };
            let queues = map("queues")?;
            let queues = queues.as_object().into_iter().flatten();
            Ok(Settings {
                values: by_name(&map("values")?),
                defaults: by_name(&map("defaults")?),
                queues: queues.map(|(queue, values)| (queue.clone(), by_name(values))).collect(),
            })
        })
    }

    fn write(&self, name: &str, value: &Setting, queue: Option<&str>) -> Result<()> {
        let value = match value {
            Setting::Number(number) => Json::from(*number),
            Setting::Text(text) => Json::from(text.as_str()),
            Setting::Off => Json::Null,
        };
        let arguments = Arguments::new().with("name", name).with_some("queue", queue).with("value", value);
        self.client.ask("config_set", arguments).map(|reply| reply.done())
    }
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// A number; of spans and instants in milliseconds.
    Number(i64),
    /// A word.
    Text(String),
    /// None: a `test-clock` that is off.
    Off,
}

impl From<Option<i64>> for Setting {
    fn from(number: Option<i64>) -> Setting {
        number.map_or(Setting::Off, Setting::Number)
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Number(number) => write!(f, "{number}"),
            Setting::Text(text) => f.write_str(text),
            Setting::Off => f.write_str("off"),
        }
    }
}

/// Every setting by its name. See [`Config::all`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What is in force for all queues.
    pub values: BTreeMap<String, Setting>,
    /// The defaults.
    pub defaults: BTreeMap<String, Setting>,
    /// By queue, what it has of its own.
    pub queues: BTreeMap<String, BTreeMap<String, Setting>>,
}

fn by_name(values: &Json) -> BTreeMap<String, Setting> {
    let read = |value: &Json| match (value.as_i64(), value.as_str()) {
        (Some(number), _) => Setting::Number(number),
        (None, Some("off") | None) => Setting::Off,
        (None, Some(text)) => Setting::Text(text.to_owned()),
    };
    values.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), read(value))).collect()
}
