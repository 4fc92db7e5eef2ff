//! Where Redis is: the URL given, or the one the environment gives.
use crate::error::{Error, Result};
use redis::ConnectionInfo;
use std::path::PathBuf;

pub(crate) enum Target {
    Server { info: ConnectionInfo, shown: String },
    Embedded { dir: PathBuf, keep: bool },
}
impl Target {
    pub fn parse(_url: &str) -> Result<Target> {
        Err(Error::internal("soon"))
    }
    pub fn full(&self, url: &str) -> String {
        url.to_owned()
    }
}
impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Server { shown, .. } => f.write_str(shown),
            Target::Embedded { dir, .. } => write!(f, "embedded:{}", dir.display()),
        }
    }
}
pub(crate) fn choose(url: Option<&str>) -> Result<String> {
    Ok(url.unwrap_or_default().to_owned())
}
