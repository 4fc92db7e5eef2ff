//! Clients: they send requests. All network waiting of a host thread happens here, with its signals held back.

mod backoff;
mod blocking;
mod config;
mod connection;
mod events;
mod fault;
mod job;
mod lane;
mod pool;
mod queue;
mod signals;

pub use blocking::Client;
pub use config::Config;
pub(crate) use connection::Connection;
pub use events::{Events, EventsIter, EventsOptions, JobEvent};
pub(crate) use fault::Fault;
pub use job::{Event, FailureView, JobView};
pub use lane::Lane;
pub use queue::{Counts, Queue};
pub(crate) use signals::SignalsHeld;
