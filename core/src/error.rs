//! One list of error codes, the same number, name and class in every language (design §5).

use std::fmt;

use serde_json::{Map, Value as Json};

/// Declares [`Code`] once; numbers, names and the exported list all come from here.
macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident = $number:literal, $name:literal, $retryable:literal;)+) => {
        /// What went wrong. Numbers come in bands (1xx the caller, 2xx the job, 3xx the server,
        /// 9xx a fault of ours) and are never reused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])+ $variant = $number,)+
        }

        impl Code {
            /// Every code, in the order of its number. Hosts build their error classes from it.
            pub const ALL: &'static [Code] = &[$(Code::$variant),+];

            /// The code's text in every language, for example `LOCK_LOST`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            /// The name of the error class in languages that have classes, for example `LockLost`.
            pub const fn class(self) -> &'static str {
                match self { $(Code::$variant => stringify!($variant)),+ }
            }

            /// True when the same call, repeated later and unchanged, may succeed and cannot do harm.
            pub const fn retryable(self) -> bool {
                match self { $(Code::$variant => $retryable),+ }
            }
        }
    };
}

codes! {
    /// An argument, option or setting is wrong; the message names it.
    InvalidArgument = 100, "INVALID_ARGUMENT", false;
    /// There is no operation of this name.
    UnknownOperation = 101, "UNKNOWN_OPERATION", false;
    /// The URL's scheme is not one this build can connect to.
    UnsupportedUrl = 102, "UNSUPPORTED_URL", false;
    /// The jid belongs to another partition than the job it needs.
    WrongPartition = 103, "WRONG_PARTITION", false;
    /// A dependency does not exist and `missing` is `reject`.
    UnknownDependency = 104, "UNKNOWN_DEPENDENCY", false;
    /// The dependencies would form a circle.
    Cycle = 105, "CYCLE", false;
    /// The search for a circle met too many jobs.
    TooDeep = 106, "TOO_DEEP", false;
    /// The client or worker was closed, or belongs to the process this one was forked from.
    Closed = 107, "CLOSED", false;
    /// No job has this jid.
    JobNotFound = 200, "JOB_NOT_FOUND", false;
    /// The token no longer holds the job; `reason` says why.
    LockLost = 201, "LOCK_LOST", false;
    /// The job's state does not allow this.
    WrongState = 202, "WRONG_STATE", false;
    /// Other jobs wait for this one.
    HasDependents = 203, "HAS_DEPENDENTS", false;
    /// A job of this jid exists and `on_conflict` is `reject`.
    JobExists = 204, "JOB_EXISTS", false;
    /// Redis cannot be reached, is loading, or is busy. Nothing was changed.
    Unavailable = 300, "UNAVAILABLE", true;
    /// A reading call got no answer within `timeout_ms`.
    Timeout = 301, "TIMEOUT", true;
    /// A changing call was sent but got no answer within `timeout_ms`: it may or may not have happened.
    OutcomeUnknown = 302, "OUTCOME_UNKNOWN", false;
    /// Redis is at its `maxmemory`. Nothing was changed.
    OutOfMemory = 303, "OUT_OF_MEMORY", true;
    /// Redis takes no writes now: a replica, a failed save, or too few replicas. Nothing was changed.
    ReadOnly = 304, "READ_ONLY", true;
    /// Wrong or missing password, a right (ACL) is missing, or a TLS certificate does not fit: the server's or the client's.
    Denied = 305, "DENIED", false;
    /// The server, or the engine loaded in it, is older than this client needs.
    EngineOutdated = 306, "ENGINE_OUTDATED", false;
    /// The namespace was written by another major version of the engine.
    SchemaMismatch = 307, "SCHEMA_MISMATCH", false;
    /// `embedded:` needs a redis-server or valkey-server program, and there is none on the PATH.
    NoServerProgram = 308, "NO_SERVER_PROGRAM", false;
    /// A fault in Manyhands itself.
    Internal = 900, "INTERNAL", false;
}

impl Code {
    /// The code's number, for example 201.
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// True for what the engine answers about a call and its job, false for what stands in the way of an answer.
    pub(crate) const fn is_of_the_engine(self) -> bool {
        self.number() < 300 && !matches!(self, Code::Closed) || matches!(self, Code::SchemaMismatch)
    }

    /// The code of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// The code of this number, if there is one.
    pub fn from_number(number: u16) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A failed call: what went wrong, during what, about which job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What went wrong, for programs.
    pub code: Code,
    /// What went wrong, for people. Names the argument when one is at fault.
    pub message: String,
    /// The operation that failed, for example `queue_put`, or the worker's own call, for example `worker_next`. None when
    /// there was none: a URL that cannot be read, an option of a client.
    pub operation: Option<String>,
    /// The job it was about.
    pub jid: Option<String>,
    /// Why a lease was lost: `expired`, `cancelled`, `replaced`, `finished` or `unknown`.
    pub reason: Option<String>,
}

/// The result of everything in this crate that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with a code and a message.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error { code, message: message.into(), operation: None, jid: None, reason: None }
    }

    /// An argument is wrong; `message` must begin with its name: a host that has another name for it puts that in its place.
    pub fn invalid(message: impl Into<String>) -> Error {
        Error::new(Code::InvalidArgument, message)
    }

    /// A fault in Manyhands itself.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(Code::Internal, message)
    }

    /// The lease of `jid` is lost, for `reason`.
    pub fn lock_lost(jid: &str, reason: &str) -> Error {
        Error {
            code: Code::LockLost,
            message: format!("job {jid} is no longer held under this token: {reason}"),
            operation: None,
            jid: Some(jid.to_owned()),
            reason: Some(reason.to_owned()),
        }
    }

    /// The same error, said to have happened during `operation`, unless it already says so.
    pub fn during(mut self, operation: &str) -> Error {
        self.operation.get_or_insert_with(|| operation.to_owned());
        self
    }

    /// The same error, said to be about `jid`.
    pub fn about(mut self, jid: &str) -> Error {
        self.jid = Some(jid.to_owned());
        self
    }

    /// The same error in a host's own words: a message that begins with one of the core's names begins with the host's
    /// instead. The first of `names` that fits counts; one that ends with `[` stands for any entry of that list.
    pub fn renamed(mut self, names: &[(&str, &str)]) -> Error {
        for (core, own) in names {
            if let Some(rest) = self.message.strip_prefix(core) {
                let rest = if core.ends_with('[') { rest.split_once(']').map_or(rest, |(_, rest)| rest) } else { rest };
                self.message = format!("{own}{rest}");
                break;
            }
        }
        self
    }

    /// True when the same call, repeated later and unchanged, may succeed and cannot do harm.
    pub fn retryable(&self) -> bool {
        self.code.retryable()
    }

    /// The error as JSON: `code`, `name`, `message`, `retryable`, and `operation`, `jid`, `reason` (or null).
    pub fn to_json(&self) -> String {
        Json::Object(self.to_map()).to_string()
    }

    /// The fields of [`Error::to_json`], to be embedded in a reply.
    pub(crate) fn to_map(&self) -> Map<String, Json> {
        let mut map = Map::new();
        map.insert("code".into(), self.code.number().into());
        map.insert("name".into(), self.code.name().into());
        map.insert("message".into(), self.message.clone().into());
        map.insert("operation".into(), self.operation.clone().into());
        map.insert("jid".into(), self.jid.clone().into());
        map.insert("reason".into(), self.reason.clone().into());
        map.insert("retryable".into(), self.retryable().into());
        map
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)?;
        match &self.operation {
            Some(operation) => write!(f, " (during {operation})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_names_are_found() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number());
        }
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(*code));
            assert_eq!(Code::from_number(code.number()), Some(*code));
        }
    }

    #[test]
    fn class_and_name_are_the_same_words() {
        for code in Code::ALL {
            let joined: String =
                code.name().split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase()).collect();
            assert_eq!(joined, code.class());
        }
    }

    #[test]
    fn a_host_has_names_of_its_own() {
        let names = [("options.kinds[", "kind"), ("options.", ""), ("data ", "data_json ")];
        let renamed = |message: &str| Error::invalid(message).renamed(&names).message;
        assert_eq!(renamed("options.kinds[12] is empty"), "kind is empty");
        assert_eq!(renamed("options.threads 0 is outside 1..1000"), "threads 0 is outside 1..1000");
        assert_eq!(renamed("data is not JSON: options.x"), "data_json is not JSON: options.x");
        assert_eq!(renamed("database options.x"), "database options.x");
    }

    #[test]
    fn says_what_during_what_about_which_job() {
        let error = Error::lock_lost("8f3c", "expired").during("job_complete");
        assert_eq!(
            error.to_string(),
            "LOCK_LOST: job 8f3c is no longer held under this token: expired (during job_complete)"
        );
        let json: Json = serde_json::from_str(&error.to_json()).unwrap();
        assert_eq!(json["code"], 201);
        assert_eq!(json["reason"], "expired");
        assert_eq!(json["retryable"], false);
    }
}
