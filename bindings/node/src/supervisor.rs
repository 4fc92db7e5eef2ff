//! The master of worker processes that are programs of their own.

use std::io;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use manyhands::{Code, Error, Signal, Task, WorkSettings};
use napi::Env;
use napi::bindgen_prelude::{Function, PromiseRaw};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;

use crate::client::Client;
use crate::errors::thrown;
use crate::pool::{self, Apart};

/// How often the master's status is looked at, for the title of its process.
const STATUS_EVERY: Duration = Duration::from_secs(1);

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

    /// Keeps processes of a program until a signal ends it: the status to end with. `told` is called with how the service
    /// does, in a few words, within a second whenever that has changed.
    #[napi(catch_unwind)]
    pub fn keep<'env>(
        &self,
        env: &'env Env,
        program: String,
        arguments: Vec<String>,
        told: Function<'env, String, ()>,
    ) -> napi::Result<PromiseRaw<'env, u32>> {
        let told = told.build_threadsafe_function().build()?;
        let (core, settings) = (Arc::clone(&self.core), self.settings.clone());
        pool::call_apart(env, "manyhands-master", move || {
            let mut last = String::new();
            loop {
                for task in core.wait(STATUS_EVERY) {
                    match task {
                        Task::Start { number, .. } => {
                            let mut command = Command::new(&program);
                            command.args(&arguments).envs(settings.environment()).stdin(Stdio::null());
                            command.stdout(same(io::stdout())).stderr(same(io::stderr()));
                            // When it fails, the core has said so, and tries again.
                            let _ = core.spawn(number, &mut command);
                        }
                        Task::Exit(status) => return Ok(u32::from(status)),
                    }
                }
                let status = core.status();
                if status != last {
                    last.clone_from(&status);
                    told.call(status, ThreadsafeFunctionCallMode::NonBlocking);
                }
            }
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

/// The same stream for a process that is started: Node has all of its own closed there.
fn same(stream: impl AsFd) -> Stdio {
    stream.as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from)
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
