//! Clients: they send requests. All network waiting of a host thread happens here, with its signals held back.

mod ask;
#[cfg(feature = "async")]
mod asynchronous;
mod backoff;
mod blocking;
mod check;
mod config;
mod connection;
mod events;
mod explain;
mod failures;
mod fault;
mod handle;
mod job;
mod jobs;
mod lane;
mod patterns;
mod pool;
mod queue;
mod recurring;
mod signals;
mod sweep;
mod throttle;
mod trial;
mod wire;
mod workers;

pub use ask::Page;
#[cfg(feature = "async")]
pub use asynchronous::AsyncClient;
pub use blocking::Client;
pub use check::{Check, Violation};
pub use config::{Config, Setting, Settings};
pub(crate) use connection::Connection;
pub use events::{Events, EventsIter, EventsOptions, JobEvent};
pub use explain::{Explanation, Reason};
pub use failures::FailureGroup;
pub(crate) use fault::Fault;
pub use handle::{JobHandle, Requeue};
pub use job::{FailureView, HistoryEntry, JobView, ProgressView};
pub use lane::Lane;
pub use patterns::{PatternLists, PatternPriority, Patterns};
pub use queue::{Counts, Queue, QueueView};
pub use recurring::{Recurring, RecurringPut, RecurringUpdate};
pub(crate) use signals::SignalsHeld;
pub use sweep::Swept;
pub use throttle::{Throttle, ThrottleView};
pub use workers::{Order, WorkerJobs, WorkerView};
