//! Code around `put` and around `perform`, and what is told of both.
//!
//! [`Middleware`] wraps the handlers of [`Worker::run`](crate::Worker::run), [`PutMiddleware`] the puts of a client; the first
//! one registered is outermost. `AsyncMiddleware` and `AsyncPutMiddleware` are the same for futures. [`Hooks`] only watch, and see the jobs of every host language: the log and StatsD are such.

mod aside;
#[cfg(feature = "async")]
mod asynchronous;
mod hooks;
mod lines;
mod locals;
mod log;
mod perform;
mod put;
mod retry_rules;
mod statsd;

pub(crate) use aside::Aside;
#[cfg(feature = "async")]
pub(crate) use asynchronous::{AnyMiddleware, AnyPutMiddleware, AsyncHandler, Halt};
#[cfg(feature = "async")]
pub use asynchronous::{AsyncAround, AsyncAroundPut, AsyncMiddleware, AsyncPutMiddleware};
pub(crate) use hooks::{About, Hooked, attempt};
pub use hooks::{Hooks, Run};
pub use lines::Lines;
#[cfg(feature = "async")]
pub use locals::AsyncLocals;
pub use locals::Locals;
pub(crate) use log::{Format, Log};
pub(crate) use perform::Handler;
pub use perform::{Around, Middleware};
pub use put::{AroundPut, PutMiddleware};
pub use retry_rules::RetryRules;
pub(crate) use retry_rules::Ruled;
pub(crate) use statsd::{DEFAULT_KEY, Statsd, StatsdOptions, check_key};
