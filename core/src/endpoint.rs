//! A server to connect to, as a URL or a private server's folder gives it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redis::RedisConnectionInfo;

use crate::tls::Tls;

/// Where a server listens, and how to log in there.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub address: Address,
    pub login: RedisConnectionInfo,
}

/// Where a server listens.
#[derive(Clone)]
pub(crate) enum Address {
    Tcp { host: String, port: u16, tls: Option<Arc<Tls>> },
    Unix(PathBuf),
}

impl Endpoint {
    pub fn new(address: Address, login: RedisConnectionInfo) -> Endpoint {
        Endpoint { address, login: login.set_lib_name("manyhands", env!("CARGO_PKG_VERSION")) }
    }

    /// A unix socket without a login.
    pub fn socket(path: &Path) -> Endpoint {
        Endpoint::new(Address::Unix(path.to_owned()), RedisConnectionInfo::default())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            Address::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
