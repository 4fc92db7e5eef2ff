//! What a user sets of workers from outside their programs: one list, from which every language's command has its flags,
//! its help and its checks.

use std::collections::BTreeMap;

use serde_json::json;

use super::options::check_queues;
use super::strategy::Strategy;
use crate::error::{Error, Result};
use crate::middleware::{DEFAULT_KEY, check_key};
use crate::options::Options;
use crate::url::Target;

const MAX_PROCESSES: u64 = 1_000;
const MAX_THREADS: u64 = 1_000;
/// SHUTDOWN_TIMEOUT when nobody says.
pub const SHUTDOWN_MS: u64 = 25_000;
/// KILL_TIMEOUT when nobody says.
pub const KILL_MS: u64 = 2_000;
const MAX_SECONDS: f64 = 86_400.0;

/// One setting, as a help text shows it. Its name is that of its environment variable.
#[derive(Clone, Copy, Debug)]
pub struct WorkSetting {
    /// The environment variable.
    pub name: &'static str,
    /// Another environment variable, which counts when the first is absent or empty.
    pub also: Option<&'static str>,
    /// The flag, without its two dashes.
    pub flag: &'static str,
    /// What it is when nobody says; empty: nothing.
    pub default: &'static str,
    /// What the value counts or is; empty for a switch, whose flag takes no value.
    pub unit: &'static str,
    /// A sentence or two.
    pub help: &'static str,
}

const fn setting(
    name: &'static str,
    flag: &'static str,
    default: &'static str,
    unit: &'static str,
    help: &'static str,
) -> WorkSetting {
    WorkSetting { name, also: None, flag, default, unit, help }
}

/// All of them, in the order of a help text.
pub const WORK_SETTINGS: [WorkSetting; 17] = [
    setting(
        "QUEUES",
        "queues",
        "",
        "names",
        "The queues to serve, parted by commas, in the order they are asked. Patterns are followed: mail-*, !mail-bulk, @saved-list.",
    ),
    WorkSetting {
        also: Some("JOB_RESERVER"),
        ..setting(
            "RESERVATION",
            "reservation",
            "ordered",
            "strategy",
            "How a worker chooses among its queues, for example ordered or round_robin. JOB_RESERVER means the same.",
        )
    },
    setting("WORKER_COUNT", "worker-count", "1", "processes", "Worker processes that serve at once."),
    setting("THREAD_COUNT", "thread-count", "1", "jobs", "Jobs that one process performs at once."),
    setting(
        "JOBS_PER_FORK",
        "jobs-per-fork",
        "0",
        "jobs",
        "A process that began so many jobs is replaced by a fresh one, without a gap. 0: no limit; 1: a process per job.",
    ),
    setting(
        "INTERVAL",
        "interval",
        "2",
        "seconds",
        "The longest an idle worker waits before it looks again for what nobody told it.",
    ),
    setting("VERBOSE", "verbose", "", "", "Logs every job when it ends."),
    setting("VVERBOSE", "very-verbose", "", "", "Logs every job when it starts and when it ends."),
    setting(
        "RUN_AS_SINGLE_PROCESS",
        "run-as-single-process",
        "",
        "",
        "Performs the jobs in this very process, without a master: for debugging.",
    ),
    setting(
        "STATSD_HOST",
        "statsd-host",
        "",
        "host",
        "Sends a counter and a timing for every job to this StatsD server, over UDP.",
    ),
    setting("STATSD_PORT", "statsd-port", "8125", "port", "The port of the StatsD server."),
    setting("STATSD_KEY", "statsd-key", DEFAULT_KEY, "prefix", "What the names of these figures begin with."),
    setting(
        "MANYHANDS_URL",
        "url",
        "",
        "URL",
        "Where the jobs are: redis://, rediss:// (TLS), unix:// or embedded:. Default: REDIS_URL, else embedded:.manyhands.",
    ),
    setting("NAMESPACE", "namespace", "mh", "name", "The namespace of the jobs."),
    setting(
        "SHUTDOWN_TIMEOUT",
        "shutdown-timeout",
        "25",
        "seconds",
        "How long started jobs may run on after QUIT before their process is killed.",
    ),
    setting(
        "KILL_TIMEOUT",
        "kill-timeout",
        "2",
        "seconds",
        "How long handlers have to end after TERM or their own timeout before their process is killed.",
    ),
    setting(
        "MAX_MEMORY_MB",
        "max-memory-mb",
        "0",
        "MB",
        "A process with more resident memory is replaced by a fresh one, without a gap. 0: no limit.",
    ),
];

/// The settings of one master or worker, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkSettings {
    /// Names and patterns; empty when nobody said: the program's own count then.
    pub queues: Vec<String>,
    /// The strategy's name; None when nobody said.
    pub strategy: Option<String>,
    /// WORKER_COUNT.
    pub processes: usize,
    /// THREAD_COUNT; None when nobody said: the program's own counts then.
    pub threads: Option<usize>,
    /// JOBS_PER_FORK; 0: no limit.
    pub jobs_per_process: u64,
    /// INTERVAL; None when nobody said.
    pub interval_ms: Option<u64>,
    /// VERBOSE or VVERBOSE.
    pub verbose: bool,
    /// VVERBOSE.
    pub very_verbose: bool,
    /// RUN_AS_SINGLE_PROCESS.
    pub single_process: bool,
    /// Host, port and prefix.
    pub statsd: Option<(String, u16, String)>,
    /// MANYHANDS_URL, when given.
    pub url: Option<String>,
    /// NAMESPACE, when given.
    pub namespace: Option<String>,
    /// SHUTDOWN_TIMEOUT; None when nobody said: 25 s for a master, the program's own counts in a worker.
    pub shutdown_ms: Option<u64>,
    /// KILL_TIMEOUT; None when nobody said: 2 s for a master, the program's own counts in a worker.
    pub kill_ms: Option<u64>,
    /// MAX_MEMORY_MB; 0: no limit.
    pub max_memory_mb: u64,
    /// What was said by flags, by the names of the environment variables.
    said: BTreeMap<&'static str, String>,
}

impl WorkSettings {
    /// From this process's environment.
    ///
    /// # Errors
    /// Those of [`WorkSettings::read`].
    pub fn from_environment() -> Result<WorkSettings> {
        WorkSettings::read(&BTreeMap::new(), |name| std::env::var(name).ok())
    }

    /// From flags, which win, as the members of a JSON object (`{"worker-count":"2","verbose":"true"}`), and this process's
    /// environment.
    ///
    /// # Errors
    /// Those of [`WorkSettings::read`].
    pub fn from_flags(flags_json: &str) -> Result<WorkSettings> {
        let flags = serde_json::from_str(flags_json)
            .map_err(|error| Error::invalid(format!("flags is not a JSON object of texts: {error}")))?;
        WorkSettings::read(&flags, |name| std::env::var(name).ok())
    }

    /// From flags, which win, and an environment. `flags`: value by the flag's name without dashes; that of a switch is `true`.
    /// A flag or variable that is empty counts as absent.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` naming the flag or the variable, as it was written.
    pub fn read(
        flags: &BTreeMap<String, String>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<WorkSettings> {
        if let Some(unknown) = flags.keys().find(|flag| WORK_SETTINGS.iter().all(|known| known.flag != **flag)) {
            return Err(Error::invalid(format!("--{unknown} is unknown")));
        }
        let given = Given { flags, environment: &environment };
        let very_verbose = given.switch("VVERBOSE")?;
        let statsd_port = given.whole("STATSD_PORT", 1, u64::from(u16::MAX))?.unwrap_or(8125) as u16;
        let statsd_key = given.text("STATSD_KEY").map_or(Ok(DEFAULT_KEY.to_owned()), |Said { place, value }| {
            check_key(&value, &place)?;
            Ok(value)
        })?;
        Ok(WorkSettings {
            queues: given.queues()?,
            strategy: given.strategy()?,
            processes: given.whole("WORKER_COUNT", 1, MAX_PROCESSES)?.unwrap_or(1) as usize,
            threads: given.whole("THREAD_COUNT", 1, MAX_THREADS)?.map(|threads| threads as usize),
            jobs_per_process: given.whole("JOBS_PER_FORK", 0, 1 << 53)?.unwrap_or(0),
            interval_ms: given.milliseconds("INTERVAL", 0.01)?,
            verbose: given.switch("VERBOSE")? || very_verbose,
            very_verbose,
            single_process: given.switch("RUN_AS_SINGLE_PROCESS")?,
            statsd: given.text("STATSD_HOST").map(|host| (host.value, statsd_port, statsd_key)),
            url: given.url()?,
            namespace: given.namespace()?,
            shutdown_ms: given.milliseconds("SHUTDOWN_TIMEOUT", 0.0)?,
            kill_ms: given.milliseconds("KILL_TIMEOUT", 0.0)?,
            max_memory_mb: given.whole("MAX_MEMORY_MB", 0, 1 << 33)?.unwrap_or(0),
            said: WORK_SETTINGS.iter().filter_map(|setting| Some((setting.name, given.flag(setting)?))).collect(),
        })
    }

    /// The variables that a program must find in its environment to read the same settings: those that flags said.
    pub fn environment(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.said.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// A client's options (a JSON object, for [`Client::open`](crate::Client::open) beside `url`) under these settings, which win.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when `options` is no JSON object.
    pub fn client_options(&self, options: &str) -> Result<String> {
        let mut options = object(options)?;
        options.extend(self.namespace.as_ref().map(|name| ("namespace".to_owned(), json!(name))));
        Ok(serde_json::Value::Object(options).to_string())
    }

    /// A worker's options (a JSON object, for [`Worker::open`](super::Worker::open)) under these settings, which win.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` when `options` is no JSON object, or has another strategy where the settings say `callback`.
    pub fn worker_options(&self, options: &str) -> Result<String> {
        let mut options = object(options)?;
        let strategy = self.strategy.as_deref();
        if strategy == Some("callback") && options.get("strategy") != Some(&json!("callback")) {
            return Err(Error::invalid("RESERVATION callback is a function of the program; it gives none"));
        }
        if strategy.is_some_and(|name| name != "weighted") {
            // They were said for the strategy that these settings replace.
            options.remove("weights");
        }
        options.extend(self.options());
        Ok(serde_json::Value::Object(options).to_string())
    }

    fn options(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut options = serde_json::Map::new();
        let mut set = |name: &str, value: Option<serde_json::Value>| {
            if let Some(value) = value {
                options.insert(name.to_owned(), value);
            }
        };
        let queues = (!self.queues.is_empty()).then_some(&self.queues);
        set("queues", queues.map(|queues| json!(queues)));
        set("strategy", self.strategy.as_ref().map(|name| json!(name)));
        set("threads", self.threads.map(|threads| json!(threads)));
        set("max_jobs", (self.jobs_per_process > 0).then(|| json!(self.jobs_per_process)));
        set("interval_ms", self.interval_ms.map(|ms| json!(ms)));
        set("shutdown_timeout_ms", self.shutdown_ms.map(|ms| json!(ms)));
        set("kill_timeout_ms", self.kill_ms.map(|ms| json!(ms)));
        set("logged", self.verbose.then_some(json!(true)));
        set("verbose", self.very_verbose.then_some(json!(true)));
        set("statsd", self.statsd.as_ref().map(|(host, port, key)| json!({"host": host, "port": port, "key": key})));
        options
    }

    /// The settings as a JSON object: `processes`, `single_process`, `shutdown_timeout_ms`, `max_memory_mb`, `verbose`,
    /// `very_verbose`, `interval_ms`, `url`, `namespace` (null when nobody said), and `worker`, the options for
    /// [`Worker::open`](super::Worker::open) that somebody set.
    pub fn to_json(&self) -> String {
        json!({
            "processes": self.processes,
            "single_process": self.single_process,
            "shutdown_timeout_ms": self.shutdown_ms.unwrap_or(SHUTDOWN_MS),
            "max_memory_mb": self.max_memory_mb,
            "verbose": self.verbose,
            "very_verbose": self.very_verbose,
            "interval_ms": self.interval_ms,
            "url": self.url,
            "namespace": self.namespace,
            "worker": self.options(),
        })
        .to_string()
    }

    /// The list as JSON, for a host that makes its flags from it: objects with the members of [`WorkSetting`].
    pub fn table_json() -> String {
        let row = |row: &WorkSetting| {
            let WorkSetting { name, also, flag, default, unit, help } = row;
            json!({"name": name, "also": also, "flag": flag, "default": default, "unit": unit, "help": help})
        };
        serde_json::Value::Array(WORK_SETTINGS.iter().map(row).collect()).to_string()
    }
}

/// JSON options.
fn object(options: &str) -> Result<serde_json::Map<String, serde_json::Value>> {
    serde_json::from_str(options).map_err(|error| Error::invalid(format!("options is not a JSON object: {error}")))
}

/// Something that was said, and how its user calls it.
struct Said {
    place: String,
    value: String,
}

struct Given<'a> {
    flags: &'a BTreeMap<String, String>,
    environment: &'a dyn Fn(&str) -> Option<String>,
}

impl Given<'_> {
    fn flag(&self, setting: &WorkSetting) -> Option<String> {
        self.flags.get(setting.flag).filter(|value| !value.is_empty()).cloned()
    }

    fn text(&self, name: &str) -> Option<Said> {
        let setting = WORK_SETTINGS.iter().find(|setting| setting.name == name)?;
        if let Some(value) = self.flag(setting) {
            return Some(Said { place: format!("--{}", setting.flag), value });
        }
        [Some(setting.name), setting.also].into_iter().flatten().find_map(|name| {
            let value = (self.environment)(name).filter(|value| !value.is_empty())?;
            Some(Said { place: name.to_owned(), value })
        })
    }

    fn number(&self, name: &str, least: f64, most: f64, whole: bool) -> Result<Option<f64>> {
        let Some(Said { place, value }) = self.text(name) else { return Ok(None) };
        let number = value.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        match number.filter(|number| !whole || number.fract() == 0.0) {
            None => {
                Err(Error::invalid(format!("{place} {value} is not a {}number", if whole { "whole " } else { "" })))
            }
            Some(number) if number < least || number > most => {
                Err(Error::invalid(format!("{place} {value} is outside {least}..{most}")))
            }
            number => Ok(number),
        }
    }

    fn whole(&self, name: &str, least: u64, most: u64) -> Result<Option<u64>> {
        Ok(self.number(name, least as f64, most as f64, true)?.map(|number| number as u64))
    }

    fn milliseconds(&self, name: &str, least: f64) -> Result<Option<u64>> {
        Ok(self.number(name, least, MAX_SECONDS, false)?.map(|seconds| (seconds * 1_000.0).round() as u64))
    }

    fn switch(&self, name: &str) -> Result<bool> {
        let Some(Said { place, value }) = self.text(name) else { return Ok(false) };
        match value.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "y" | "on" => Ok(true),
            "0" | "false" | "no" | "n" | "off" => Ok(false),
            _ => Err(Error::invalid(format!("{place} {value} is neither yes nor no (1, true, on; 0, false, off)"))),
        }
    }

    fn url(&self) -> Result<Option<String>> {
        let Some(Said { place, value }) = self.text("MANYHANDS_URL") else { return Ok(None) };
        Target::parse(&value).map_err(|error| error.renamed(&[("url", &place)]))?;
        Ok(Some(value))
    }

    fn namespace(&self) -> Result<Option<String>> {
        let Some(Said { place, value }) = self.text("NAMESPACE") else { return Ok(None) };
        let options = json!({ "namespace": value }).to_string();
        Options::parse(&options).map_err(|error| error.renamed(&[("options.namespace", &place)]))?;
        Ok(Some(value))
    }

    fn queues(&self) -> Result<Vec<String>> {
        let Some(Said { place, value }) = self.text("QUEUES") else { return Ok(Vec::new()) };
        let names = value.split(',').map(str::trim).filter(|queue| !queue.is_empty());
        check_queues(names.map(str::to_owned).collect(), &place)
    }

    fn strategy(&self) -> Result<Option<String>> {
        let Some(Said { place, value }) = self.text("RESERVATION") else { return Ok(None) };
        let plain = |name: &str| name.to_ascii_lowercase().replace(['_', '-'], "");
        let known = Strategy::NAMES.into_iter().map(|(name, _)| name);
        match known.clone().find(|name| plain(name) == plain(&value)) {
            Some(name) => Ok(Some(name.to_owned())),
            None => {
                let known = known.collect::<Vec<_>>().join(", ");
                Err(Error::invalid(format!("{place} {value} is unknown; known are {known}")))
            }
        }
    }
}

#[cfg(test)]
mod tests;
