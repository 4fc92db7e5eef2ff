//! `manyhands work`

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::thread;

use clap::{Arg, ArgAction, ArgMatches, Args, FromArgMatches};
use manyhands::{Client, Code, Error, Result, Signal, Supervisor, WORK_SETTINGS, WorkSetting, WorkSettings};
use signal_hook::iterator::Signals;

/// The flags of the list of settings, as they were given, and the program.
pub struct Options {
    flags: BTreeMap<String, String>,
    program: Vec<OsString>,
}

/// All but those that every action has.
fn own_settings() -> impl Iterator<Item = &'static WorkSetting> {
    WORK_SETTINGS.iter().filter(|setting| !["url", "namespace"].contains(&setting.flag))
}

impl Args for Options {
    fn augment_args(command: clap::Command) -> clap::Command {
        let program =
            Arg::new("program").num_args(1..).required(true).last(true).value_parser(clap::value_parser!(OsString));
        let command =
            command.arg(program.help("The program and its arguments: a worker that stops when its queue is quiet"));
        own_settings().fold(command, |command, setting| command.arg(flag(setting))).after_help(
            "Each option has an environment variable, which it wins over; the program finds them all in its own environment.\n\
             Signals: QUIT ends after the running jobs, TERM and INT now, a second one at once; USR1 interrupts the running jobs;\n\
             USR2 takes no new jobs, CONT takes them again; TTIN tells the log what runs; HUP replaces every process in turn.",
        )
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Options::augment_args(command)
    }
}

fn flag(setting: &'static WorkSetting) -> Arg {
    let WorkSetting { name, flag, default, unit, help, .. } = setting;
    let default = if default.is_empty() { String::new() } else { format!(" Default: {default}") };
    let help = format!("{help}{default} [{name}]");
    let arg = Arg::new(*flag).long(*flag).help(help);
    match *unit {
        "" => arg.action(ArgAction::SetTrue),
        unit => arg.value_name(unit).allow_hyphen_values(true),
    }
}

impl FromArgMatches for Options {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Options, clap::Error> {
        let given = |setting: &WorkSetting| match setting.unit {
            "" => matches.get_flag(setting.flag).then(|| "true".to_owned()),
            _ => matches.get_one::<String>(setting.flag).cloned(),
        };
        let flags = own_settings().filter_map(|setting| Some((setting.flag.to_owned(), given(setting)?))).collect();
        let program = matches.get_many::<OsString>("program").unwrap_or_default().cloned().collect();
        Ok(Options { flags, program })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), clap::Error> {
        *self = Options::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Keeps processes until a signal ends it; then answers the status.
pub fn run(url: Option<&str>, namespace: Option<&str>, options: &Options) -> Result<ExitCode> {
    let mut flags = options.flags.clone();
    let target = [("url", url), ("namespace", namespace)];
    flags.extend(target.into_iter().filter_map(|(flag, value)| Some((flag.to_owned(), value?.to_owned()))));
    let settings = WorkSettings::read(&flags, |name| std::env::var(name).ok())?;
    if settings.single_process {
        let error = program(options, &settings).exec();
        return Err(Error::new(
            Code::InvalidArgument,
            format!("{} cannot be run: {error}", options.program[0].display()),
        ));
    }
    let client = Client::open(settings.url.as_deref(), &settings.client_options("{}")?)?;
    let supervisor = Arc::new(Supervisor::open(&client, &settings)?);
    hand_on_signals(&supervisor)?;
    let status = supervisor.keep(|| {
        let mut command = program(options, &settings);
        command.stdin(Stdio::null());
        command
    });
    Ok(ExitCode::from(status))
}

fn program(options: &Options, settings: &WorkSettings) -> Command {
    let mut command = Command::new(&options.program[0]);
    command.args(&options.program[1..]).envs(settings.environment());
    command
}

fn hand_on_signals(supervisor: &Arc<Supervisor>) -> Result<()> {
    let mut signals = Signals::new(Signal::numbers())
        .map_err(|error| Error::new(Code::Internal, format!("signals cannot be caught: {error}")))?;
    let supervisor = Arc::clone(supervisor);
    // Who closes a terminal wants an end; a service manager wants what is newest.
    let closes = std::io::stdin().is_terminal();
    thread::spawn(move || {
        for number in signals.forever() {
            match Signal::numbered(number) {
                Some(Signal::Hup) if closes => supervisor.signal(Signal::Quit),
                Some(signal) => supervisor.signal(signal),
                None => {}
            }
        }
    });
    Ok(())
}
