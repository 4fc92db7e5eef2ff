//! `Manyhands::Native::Supervisor`: the master of worker processes, JSON in, JSON out (core/src/worker/supervisor says what).

use magnus::{Error, RModule, Ruby, function, method, prelude::*};
use manyhands::WorkSettings;

use crate::client::Client;
use crate::{errors, gvl};

/// A master; the process that has it forks.
#[magnus::wrap(class = "Manyhands::Native::Supervisor", free_immediately, size)]
struct Supervisor {
    core: manyhands::Supervisor,
}

impl Supervisor {
    fn open(ruby: &Ruby, client: &Client, flags: String) -> Result<Supervisor, Error> {
        let client = client.core(ruby)?;
        let core = WorkSettings::from_flags(&flags).and_then(|settings| manyhands::Supervisor::open(client, &settings));
        core.map(|core| Supervisor { core }).map_err(|error| errors::exception(ruby, error))
    }

    /// Tells an event. `wait` waits without Ruby's lock; an interrupt ends it.
    fn event(ruby: &Ruby, this: &Supervisor, event: String) -> Result<String, Error> {
        gvl::call_until(ruby, || this.core.event(&event), &|| this.core.nudge())
    }

    /// Tells of a signal: from a trap too, where nothing may be raised and no lock taken.
    fn signal(ruby: &Ruby, this: &Supervisor, name: String) -> Result<(), Error> {
        let told = manyhands::Signal::named(&name).map(|signal| this.core.signal(signal));
        let unknown =
            || manyhands::Error::new(manyhands::Code::InvalidArgument, format!("name {name} is no signal of a master"));
        told.ok_or_else(|| errors::exception(ruby, unknown()))
    }
}

/// The settings that flags and the environment give, as JSON.
fn work_settings(ruby: &Ruby, flags: String) -> Result<String, Error> {
    let settings = WorkSettings::from_flags(&flags).map_err(|error| errors::exception(ruby, error))?;
    Ok(settings.to_json())
}

/// Defines the class in `native`.
pub fn define(ruby: &Ruby, native: RModule) -> Result<(), Error> {
    native.define_singleton_method("work_settings", function!(work_settings, 1))?;
    native.define_singleton_method("work_settings_table", function!(WorkSettings::table_json, 0))?;
    let class = native.define_class("Supervisor", ruby.class_object())?;
    class.undef_default_alloc_func();
    class.define_singleton_method("open", function!(Supervisor::open, 2))?;
    class.define_method("event", method!(Supervisor::event, 1))?;
    class.define_method("signal", method!(Supervisor::signal, 1))?;
    crate::resolve::<Supervisor>(ruby);
    Ok(())
}
