//! Clients: they send requests. All network waiting of a host thread happens here, with its signals held back.

mod backoff;
mod blocking;
mod connection;
mod fault;
mod lane;
mod pool;
mod queue;
mod signals;

pub use blocking::Client;
pub(crate) use connection::Connection;
pub(crate) use fault::Fault;
pub use lane::Lane;
pub use queue::{Counts, Queue};
pub(crate) use signals::SignalsHeld;
