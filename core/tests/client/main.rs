//! The client against real servers.

#[path = "../support/mod.rs"]
mod support;

mod bulk;
mod embedded;
mod events;
mod faults;
mod fork;
mod meanwhile;
mod once;
mod operations;
mod proxy;
mod signals;
mod surface;
mod tls;
