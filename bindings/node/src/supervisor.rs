//! The master of worker processes that are programs of their own.

use std::process::{Command, Stdio};
use std::sync::Arc;

use manyhands::{Code, Error, Signal, WorkSettings};
use napi::Env;
use napi::bindgen_prelude::PromiseRaw;
use napi_derive::napi;

use crate::client::Client;
use crate::errors::thrown;
use crate::pool::{self, Apart};

/// A master; the process that has it waits on a thread of its own.
#[napi]
pub struct Supervisor {
    core: Apart<Arc<manyhands::Supervisor>>,
    settings: WorkSettings,
}

#[napi]
impl Supervisor {
    /// Under the settings that flags and the environment give.
    #[napi(constructor, catch_unwind)]
    pub fn open(client: &Client, flags: String) -> napi::Result<Supervisor> {
        let settings = WorkSettings::from_flags(&flags).map_err(thrown)?;
        let core = manyhands::Supervisor::open(&client.core, &settings).map_err(thrown)?;
        Ok(Supervisor { core: Apart::new(Arc::new(core)), settings })
    }

    /// Keeps processes of a program until a signal ends it: the status to end with.
    #[napi(catch_unwind)]
    pub fn keep<'env>(
        &self,
        env: &'env Env,
        program: String,
        arguments: Vec<String>,
    ) -> napi::Result<PromiseRaw<'env, u32>> {
        let (core, settings) = (Arc::clone(&self.core), self.settings.clone());
        pool::call_apart(env, "manyhands-master", move || {
            Ok(u32::from(core.keep(|| {
                let mut command = Command::new(&program);
                command.args(&arguments).envs(settings.environment()).stdin(Stdio::null());
                command
            })))
        })
    }

    /// The master got this signal: QUIT, TERM, INT, USR1, USR2, CONT, TTIN or HUP.
    #[napi(catch_unwind)]
    pub fn signal(&self, name: String) -> napi::Result<()> {
        let unknown = || Error::new(Code::InvalidArgument, format!("name {name} is no signal of a master"));
        self.core.signal(Signal::named(&name).ok_or_else(unknown).map_err(thrown)?);
        Ok(())
    }
}

/// The settings that flags and the environment give, as JSON.
#[napi(catch_unwind)]
pub fn work_settings(flags: String) -> napi::Result<String> {
    WorkSettings::from_flags(&flags).map(|settings| settings.to_json()).map_err(thrown)
}

/// The list of settings, as JSON.
#[napi(catch_unwind)]
pub fn work_settings_table() -> String {
    WorkSettings::table_json()
}
