//! Manyhands: a job system for programs written in several languages.
//!
//! This crate holds everything that is hard: the engine (Lua inside Redis), the client, and the worker runtime.
//! A C ABI and native modules for Python, Node and Ruby are thin layers on [`Client::call`] and [`Worker`].
//!
//! With the feature `async` there are also `AsyncClient`, `Worker::run_async` and `Worker::serve_async`, for programs that run on tokio.

mod backoff;
mod check;
mod client;
mod embedded;
mod endpoint;
mod engine;
mod error;
mod identity;
mod json;
mod kind;
mod middleware;
mod nanny;
mod native;
pub mod ops;
mod options;
mod process;
mod request;
pub mod testing;
mod title;
mod tls;
mod url;
mod worker;

pub use backoff::Backoff;
pub use check::MAX_SPAN_MS;
#[cfg(feature = "async")]
pub use client::AsyncClient;
pub use client::{
    Check, Client, Config, Counts, Events, EventsIter, EventsOptions, Explanation, FailureGroup, FailureView,
    HistoryEntry, JobEvent, JobHandle, JobView, Lane, Order, Page, PatternLists, PatternPriority, Patterns,
    ProgressView, Queue, QueueView, Reason, Recurring, RecurringPut, RecurringUpdate, Requeue, Setting, Settings,
    Swept, Throttle, ThrottleView, Violation, WorkerJobs, WorkerView,
};
pub use error::{Code, Error, Result};
pub use kind::JobKind;
#[doc(hidden)] // for the program `manyhands`
pub use middleware::Lines;
pub use middleware::{Around, AroundPut, Hooks, Locals, Middleware, PutMiddleware, RetryRules, Run};
#[cfg(feature = "async")]
pub use middleware::{AsyncAround, AsyncAroundPut, AsyncLocals, AsyncMiddleware, AsyncPutMiddleware};
pub use nanny::{Nanny, NannyNews};
#[doc(hidden)] // for the bindings
pub use native::begin as begin_own_thread;
pub use ops::{Answer, Job, Placed, Put};
pub use options::MAX_TIMEOUT_MS;
pub use request::{Args, Request, Value};
pub use worker::{
    Awaited, End, Interrupt, Next, Outcome, Refused, Signal, Supervisor, Task, WORK_SETTINGS, WorkSetting,
    WorkSettings, Worker,
};
