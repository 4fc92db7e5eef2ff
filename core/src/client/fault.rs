//! What went wrong with one try of a call, and what Redis's error texts mean.

use std::io;

use redis::{ErrorKind, RedisError};

use crate::error::{Code, Error};
use crate::tls;

/// Why one try of a call gave no reply.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection broke or stayed silent; whether the call happened is unknown.
    Broken(String),
    /// The connection broke before the whole call was on its way: it did not happen.
    Unsent(String),
    /// The server refused the call and changed nothing; it may take it later.
    Later(Error),
    /// The server refused the call and changed nothing; repeating does not help.
    Refused(Error),
    /// The engine is not loaded, or lacks this operation.
    NoFunction,
}

/// What [`Fault::silent`] says.
pub(super) const NO_ANSWER: &str = "no answer in time";

impl Fault {
    /// The server took the connection or the call and said nothing: it may be there and busy.
    pub(super) fn silent() -> Fault {
        Fault::Broken(NO_ANSWER.to_owned())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Fault {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => error.into(),
            None => RedisError::from(error).into(),
        }
    }
}

impl From<&rustls::Error> for Fault {
    fn from(error: &rustls::Error) -> Fault {
        match error {
            rustls::Error::InvalidMessage(_) => {
                Fault::Broken("what it answered is not TLS; is this its port for TLS?".to_owned())
            }
            error => tls::refusal(error).map_or_else(|| Fault::Broken(error.to_string()), Fault::Refused),
        }
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Fault {
        match error.kind() {
            ErrorKind::Parse => Fault::Broken("what it answered is no reply of Redis; is it Redis?".to_owned()),
            _ if error.is_timeout() => Fault::silent(),
            _ => match error.code() {
                Some(word) => refused(word, error.detail().unwrap_or_default()),
                None => Fault::Broken(one_line(&error)),
            },
        }
    }
}

fn one_line(error: &RedisError) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn too_old(command: &str) -> Error {
    Error::new(
        Code::EngineOutdated,
        format!("the server is too old (it has no {command}): Manyhands needs Redis 7.0 or Valkey 7.2, or newer"),
    )
}

/// Redis appends where in the script an error was raised; that is of no use to a caller.
fn without_place(detail: &str) -> &str {
    match detail.rfind(" script: ") {
        Some(at) => &detail[..at],
        None => detail,
    }
}

/// The meaning of an error reply: its first word and the rest.
fn refused(word: &str, detail: &str) -> Fault {
    let detail = without_place(detail);
    let said = |code| Error::new(code, format!("the server says {word} {detail}"));
    match word {
        "LOADING" | "BUSY" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" => Fault::Later(said(Code::Unavailable)),
        "READONLY" | "MISCONF" | "NOREPLICAS" => Fault::Refused(said(Code::ReadOnly)),
        "OOM" => Fault::Refused(said(Code::OutOfMemory)),
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED" => Fault::Refused(said(Code::Denied)),
        "NOPROTO" => Fault::Refused(too_old("HELLO 3")),
        "MOVED" | "ASK" | "CROSSSLOT" => Fault::Refused(Error::new(
            Code::UnsupportedUrl,
            "the server belongs to a Redis Cluster, which this version cannot use yet",
        )),
        "ERR" => plain(detail),
        "WRONGTYPE" => Fault::Refused(Error::new(
            Code::Internal,
            format!(
                "a key of the namespace is of a type that is not the engine's, as the operation check tells: {detail}"
            ),
        )),
        _ => match Code::from_name(word) {
            Some(Code::LockLost) => Fault::Refused(Error {
                reason: Some(detail.to_owned()),
                ..Error::new(Code::LockLost, format!("the job is no longer held under this token: {detail}"))
            }),
            Some(code) => Fault::Refused(Error::new(code, detail)),
            None => Fault::Refused(said(Code::Internal)),
        },
    }
}

/// The meaning of an `ERR` reply, which has no code of its own.
fn plain(detail: &str) -> Fault {
    let said = |code| Error::new(code, format!("the server says {detail}"));
    if detail.starts_with("Function not found") {
        return Fault::NoFunction;
    }
    for command in ["FCALL", "FUNCTION", "HELLO"] {
        if detail.starts_with(&format!("unknown command '{command}'"))
            || detail.starts_with(&format!("unknown command `{command}`"))
        {
            return Fault::Refused(too_old(command));
        }
    }
    if detail.starts_with("max number of clients") {
        return Fault::Later(said(Code::Unavailable));
    }
    if detail.contains("executing the script can't") || detail.starts_with("AUTH ") {
        return Fault::Refused(said(Code::Denied));
    }
    if detail.contains("DB index") {
        return Fault::Refused(Error::invalid(format!("the database in the URL: {detail}")));
    }
    Fault::Refused(said(Code::Internal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(word: &str, detail: &str) -> (Code, bool) {
        match refused(word, detail) {
            Fault::Later(error) => (error.code, true),
            Fault::Refused(error) => (error.code, false),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_known_refusal_has_its_code() {
        for (word, detail, expected) in [
            ("LOADING", "Redis is loading the dataset in memory", (Code::Unavailable, true)),
            ("BUSY", "Redis is busy running a script.", (Code::Unavailable, true)),
            ("CLUSTERDOWN", "The cluster is down", (Code::Unavailable, true)),
            ("MISCONF", "Errors writing to the AOF file", (Code::ReadOnly, false)),
            ("NOREPLICAS", "Not enough good replicas to write.", (Code::ReadOnly, false)),
            ("READONLY", "You can't write against a read only replica.", (Code::ReadOnly, false)),
            ("OOM", "command not allowed when used memory > 'maxmemory'.", (Code::OutOfMemory, false)),
            ("NOAUTH", "Authentication required.", (Code::Denied, false)),
            ("WRONGPASS", "invalid username-password pair", (Code::Denied, false)),
            ("NOPERM", "this user has no permissions", (Code::Denied, false)),
            (
                "ERR",
                "The user executing the script can't run this command or subcommand script: mh1_sweep",
                (Code::Denied, false),
            ),
            ("ERR", "unknown command 'FCALL', with args beginning with: 'mh1_sweep'", (Code::EngineOutdated, false)),
            ("ERR", "unknown command 'HELLO', with args beginning with: '3'", (Code::EngineOutdated, false)),
            ("NOPROTO", "unsupported protocol version", (Code::EngineOutdated, false)),
            ("ERR", "max number of clients reached", (Code::Unavailable, true)),
            ("ERR", "DB index is out of range", (Code::InvalidArgument, false)),
            ("ERR", "something else", (Code::Internal, false)),
            ("WRONGTYPE", "Operation against a key holding the wrong kind of value", (Code::Internal, false)),
            ("SCHEMA_MISMATCH", "namespace {mh} has schema 2", (Code::SchemaMismatch, false)),
        ] {
            assert_eq!(code(word, detail), expected, "{word} {detail}");
        }
    }

    #[test]
    fn engine_errors_keep_their_message_without_the_place() {
        let Fault::Refused(error) =
            refused("INVALID_ARGUMENT", "queue is empty script: mh1_queue_counts, on @user_function:12.")
        else {
            panic!("not refused")
        };
        assert_eq!(error.to_string(), "INVALID_ARGUMENT: queue is empty");
        let said = "queue a script: b still has jobs script: mh1_queue_forget, on @user_function:12.";
        assert_eq!(without_place(said), "queue a script: b still has jobs");
        assert!(matches!(refused("ERR", "Function not found"), Fault::NoFunction));
    }
}
