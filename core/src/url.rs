//! Where Redis is: the URL that was given, or the one the environment gives.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use redis::RedisConnectionInfo;

use crate::endpoint::{Address, Endpoint};
use crate::error::{Code, Error, Result};
use crate::tls::{Identity, Tls, Trust};

/// The folder of the default private server, searched upwards like `.git`.
const DEFAULT_DIR: &str = ".manyhands";
/// Where a program says that it runs in production.
const STAGE_VARIABLES: [&str; 4] = ["NODE_ENV", "RAILS_ENV", "RACK_ENV", "MANYHANDS_ENV"];

/// A parsed URL.
pub(crate) enum Target {
    /// A server somebody else runs. `shown` is the URL without its password.
    Server { endpoint: Endpoint, shown: String },
    /// A private server in this (absolute) folder. `keep`: it stays when its last user leaves.
    Embedded { dir: PathBuf, keep: bool },
}

/// The URL to use: the one given, else `MANYHANDS_URL`, else `REDIS_URL`, else `embedded:.manyhands`.
///
/// # Errors
/// `INVALID_ARGUMENT` when it comes to the last and the environment says production.
pub(crate) fn choose(given: Option<&str>) -> Result<String> {
    choose_from(given, |name| env::var(name).ok().filter(|value| !value.is_empty()))
}

fn choose_from(given: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<String> {
    if let Some(url) = given {
        return Ok(url.to_owned());
    }
    if let Some(url) = variable("MANYHANDS_URL").or_else(|| variable("REDIS_URL")) {
        return Ok(url);
    }
    match STAGE_VARIABLES.into_iter().find(|name| variable(name).as_deref() == Some("production")) {
        Some(name) => Err(Error::invalid(format!(
            "no url is given and {name} says production: set MANYHANDS_URL (for example redis://host:6379/0)"
        ))),
        None => Ok(format!("embedded:{DEFAULT_DIR}")),
    }
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// `UNSUPPORTED_URL` for a scheme this build cannot use; `INVALID_ARGUMENT` naming the wrong part.
    pub fn parse(url: &str) -> Result<Target> {
        let scheme = url.split(':').next().unwrap_or_default();
        let unsupported = |what: &str| {
            Err(Error::new(
                Code::UnsupportedUrl,
                format!("url {} {what}; use redis://, rediss://, unix:// or embedded:", without_password(url)),
            ))
        };
        match scheme {
            _ if !url.contains(':') => Err(Error::invalid(format!("url {url:?} has no scheme"))),
            "redis" | "rediss" => server(url),
            "unix" => socket(url),
            "embedded" => embedded(&url["embedded:".len()..]),
            "redis+sentinel" => unsupported("asks for Sentinel, which this version cannot do yet"),
            "redis+cluster" => unsupported("asks for Redis Cluster, which this version cannot do yet"),
            _ => unsupported("has an unknown scheme"),
        }
    }

    /// The URL with what parsing added: the absolute folder of `embedded:`.
    pub fn full(&self, url: &str) -> String {
        match self {
            Target::Server { .. } => url.to_owned(),
            Target::Embedded { .. } => self.to_string(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Server { shown, .. } => f.write_str(shown),
            Target::Embedded { dir, keep } => {
                write!(f, "embedded:{}{}", dir.display(), if *keep { "?keep=1" } else { "" })
            }
        }
    }
}

/// `redis://[user[:password]@]host[:port][/database]`, also `redis://:password@host`; `rediss://` likewise, with the
/// options of [`tls`] in the query.
fn server(url: &str) -> Result<Target> {
    let (secure, rest) = match (url.strip_prefix("redis://"), url.strip_prefix("rediss://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(Error::invalid("url does not begin with redis:// or rediss://")),
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    if path.contains('@') || query.split('&').any(|pair| pair.split('=').next().is_some_and(|name| name.contains('@')))
    {
        return Err(Error::invalid("url: a / or ? in the user or the password must be written %2F or %3F"));
    }
    let (login, address) = match authority.rsplit_once('@') {
        Some((login, address)) => (login, address),
        None => ("", authority),
    };
    let (host, port) = host_and_port(address)?;
    let mut settings = RedisConnectionInfo::default();
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    if !user.is_empty() {
        settings = settings.set_username(decode(user, "user")?);
    }
    if !password.is_empty() {
        settings = settings.set_password(decode(password, "password")?);
    }
    let settings = settings.set_db(database(path.trim_end_matches('/'))?);
    let tls = match secure {
        true => Some(Arc::new(tls(&host, query)?)),
        false if place.len() < rest.len() => return Err(unknown_option(query)),
        false => None,
    };
    let endpoint = Endpoint::new(Address::Tcp { host, port, tls }, settings);
    Ok(Target::Server { endpoint, shown: without_password(url) })
}

/// `ca=FILE`, `cert=FILE&key=FILE`, `insecure=1`.
fn tls(host: &str, query: &str) -> Result<Tls> {
    let (mut ca, mut cert, mut key, mut insecure) = (None, None, None, false);
    for (name, value) in pairs(query)? {
        let file = || match value.as_str() {
            "" => Err(Error::invalid(format!("url: the file after {name}= is missing"))),
            path => absolute(Path::new(path)),
        };
        match name {
            "ca" => ca = Some(file()?),
            "cert" => cert = Some(file()?),
            "key" => key = Some(file()?),
            "insecure" => insecure = switch(name, &value)?,
            _ => return Err(unknown_option(name)),
        }
    }
    let trust = match ca {
        Some(_) if insecure => return Err(Error::invalid("url: ca and insecure=1 contradict each other")),
        Some(file) => Trust::File(file),
        None if insecure => Trust::Blind,
        None => Trust::system()?,
    };
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some(Identity { cert, key }),
        (None, None) => None,
        (Some(_), None) => return Err(Error::invalid("url: cert needs key=FILE beside it")),
        (None, Some(_)) => return Err(Error::invalid("url: key needs cert=FILE beside it")),
    };
    Tls::new(host, trust, identity)
}

/// `host`, `host:port`, `[ipv6]` or `[ipv6]:port`; the host is 127.0.0.1 by default, the port 6379.
fn host_and_port(address: &str) -> Result<(String, u16)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) =
                rest.split_once(']').ok_or_else(|| Error::invalid(format!("url: the host {address} has no ]")))?;
            (host, rest.strip_prefix(':'))
        }
        None => match address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        },
    };
    let port = match port {
        None => 6379,
        Some(text) => match text.parse() {
            Ok(port) if port > 0 => port,
            _ => return Err(Error::invalid(format!("url: the port {text:?} is not 1..65535"))),
        },
    };
    let host = if host.is_empty() { "127.0.0.1".to_owned() } else { decode(host, "host")? };
    Ok((host, port))
}

/// `unix:///path` or `unix:/path`, with `db`, `user` and `password` in the query.
fn socket(url: &str) -> Result<Target> {
    let rest = url["unix:".len()..].strip_prefix("//").unwrap_or(&url["unix:".len()..]);
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.is_empty() {
        return Err(Error::invalid("url: the path of the unix socket is missing"));
    }
    let mut settings = RedisConnectionInfo::default();
    for (name, value) in pairs(query)? {
        settings = match name {
            "db" => settings.set_db(database(&value)?),
            "user" => settings.set_username(value),
            "password" => settings.set_password(value),
            _ => return Err(unknown_option(name)),
        };
    }
    let path = absolute(Path::new(&decode(path, "path")?))?;
    Ok(Target::Server { endpoint: Endpoint::new(Address::Unix(path), settings), shown: without_password(url) })
}

/// `DIR`, with `keep=1` in the query. `.manyhands` alone is searched from the working folder upwards.
fn embedded(rest: &str) -> Result<Target> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (dir, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut keep = false;
    for (name, value) in pairs(query)? {
        keep = match name {
            "keep" => switch(name, &value)?,
            _ => return Err(unknown_option(name)),
        };
    }
    let dir = match decode(dir, "folder")?.as_str() {
        "" => return Err(Error::invalid("url: the folder after embedded: is missing")),
        DEFAULT_DIR => search_upwards(&absolute(Path::new(DEFAULT_DIR))?),
        dir => absolute(Path::new(dir))?,
    };
    Ok(Target::Embedded { dir, keep })
}

/// The nearest folder of this name in the working folder or above it; where there is none, the working folder's.
fn search_upwards(here: &Path) -> PathBuf {
    let found = here.ancestors().skip(1).map(|folder| folder.join(DEFAULT_DIR)).find(|candidate| candidate.is_dir());
    found.unwrap_or_else(|| here.to_owned())
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::invalid(format!("url: the path {}: {error}", path.display())))
}

fn pairs(query: &str) -> Result<Vec<(&str, String)>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((name, decode(value, name)?))
        })
        .collect()
}

fn switch(name: &str, value: &str) -> Result<bool> {
    match value {
        "1" => Ok(true),
        "0" => Ok(false),
        other => Err(Error::invalid(format!("url: {name} {other:?} is neither 0 nor 1"))),
    }
}

fn unknown_option(query: &str) -> Error {
    let name = query.split(['=', '&']).next().unwrap_or_default();
    Error::invalid(format!("url: the option {name:?} is unknown"))
}

fn database(text: &str) -> Result<i64> {
    match text.parse() {
        _ if text.is_empty() => Ok(0),
        Ok(number) if number >= 0 => Ok(number),
        _ => Err(Error::invalid(format!("url: the database {text:?} is not a number from 0"))),
    }
}

fn decode(text: &str, part: &str) -> Result<String> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Error::invalid(format!("url: the {part} is not UTF-8"))),
    }
}

/// The URL as it may be shown to anyone.
fn without_password(url: &str) -> String {
    let mut shown = url.to_owned();
    if let Some(at) = url.rfind('@') {
        let login = url.find("://").map_or(0, |at| at + 3);
        if let Some(colon) = url.get(login..at).and_then(|login| login.find(':')) {
            shown.replace_range(login + colon + 1..at, "***");
        }
    }
    let mut looked_at = 0;
    while let Some(begin) = shown[looked_at..].find("password=").map(|at| looked_at + at + "password=".len()) {
        let end = shown[begin..].find('&').map_or(shown.len(), |length| begin + length);
        shown.replace_range(begin..end, "***");
        looked_at = begin;
    }
    shown
}

#[cfg(test)]
mod tests;
