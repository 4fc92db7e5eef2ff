//! `Manyhands::Native::Events`: a handle of the core's subscription.

use std::time::{Duration, Instant};

use magnus::{Error, RModule, Ruby, function, method, prelude::*};
use manyhands::{EventsOptions, JobEvent};

use crate::client::Client;
use crate::{errors, gvl};

/// A subscription of this process. Threads share it; each event goes to one of them.
#[magnus::wrap(class = "Manyhands::Native::Events", free_immediately, size)]
struct Events(manyhands::Events);

impl Events {
    /// Subscribes; the server has confirmed it when this returns.
    fn open(ruby: &Ruby, client: &Client, options: String) -> Result<Events, Error> {
        let options = EventsOptions::parse(&options)
            .map_err(|error| errors::exception(ruby, error.renamed(&[("options.", "")]).during("events_open")))?;
        let client = client.core(ruby)?.clone();
        gvl::call(ruby, || client.events(options.clone())).map(Events)
    }

    /// Waits for an event: its JSON, or nil when none came in time or all is closed. `timeout_ms` nil: without end.
    fn next(ruby: &Ruby, this: &Events, timeout_ms: Option<u64>) -> Result<Option<String>, Error> {
        let deadline = timeout_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        loop {
            match wait(&this.0, deadline).transpose().map_err(|error| errors::exception(ruby, error))? {
                Some(Some(event)) => return Ok(Some(event.to_json())),
                Some(None) if this.0.is_closed() => return Ok(None),
                Some(None) | None => ruby.thread_check_ints()?,
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(None);
            }
        }
    }

    fn close(&self) {
        self.0.close();
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn gaps(&self) -> u64 {
        self.0.gaps()
    }
}

/// One slice of waiting; None when an interrupt was pending already.
fn wait(events: &manyhands::Events, deadline: Option<Instant>) -> Option<manyhands::Result<Option<JobEvent>>> {
    let left = deadline.map_or(gvl::SLICE, |deadline| deadline.saturating_duration_since(Instant::now()));
    gvl::release(|| events.next(Some(left.min(gvl::SLICE))))
}

/// Defines the class in `native`.
pub fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    let class = native.define_class("Events", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_singleton_method("open", function!(Events::open, 2))?;
    class.define_method("next", method!(Events::next, 1))?;
    class.define_method("close", method!(Events::close, 0))?;
    class.define_method("closed?", method!(Events::is_closed, 0))?;
    class.define_method("gaps", method!(Events::gaps, 0))?;
    crate::resolve::<Events>(ruby);
    Ok(())
}
