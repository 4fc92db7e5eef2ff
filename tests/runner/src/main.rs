//! Plays all scenarios: `manyhands-scenarios [--drivers python,node|all] [scenario …]`.

use std::path::Path;
use std::process::ExitCode;
use std::thread;

use manyhands_scenarios::coverage;
use manyhands_scenarios::host::{Door, Driver, Host};
use manyhands_scenarios::play::{Failure, play_all};
use manyhands_scenarios::scenario::{Scenario, read_folder};
use manyhands_scenarios::server::Server;

const USAGE: &str = "usage: manyhands-scenarios [--drivers name,name…] [scenario …]
  --drivers   languages to play besides the core's own door: folders of tests/drivers, or all of them
  scenario    names of files in tests/scenarios, without .scn; default all";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// What the command line asks for.
struct Plan {
    drivers: Vec<String>,
    scenarios: Vec<String>,
}

impl Plan {
    fn read(arguments: Vec<String>) -> Result<Plan, String> {
        let mut plan = Plan { drivers: Vec::new(), scenarios: Vec::new() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--drivers" => {
                    let names = arguments.next().ok_or(USAGE)?;
                    plan.drivers.extend(names.split(',').filter(|name| !name.is_empty()).map(str::to_owned));
                }
                name if !name.starts_with('-') => plan.scenarios.push(name.to_owned()),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(plan)
    }

    fn chosen_drivers(&self, folder: &Path) -> Result<Vec<String>, String> {
        if self.drivers != ["all"] {
            return Ok(self.drivers.clone());
        }
        let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let with_program = entries.flatten().filter(|entry| entry.path().join("run").exists());
        let mut names: Vec<String> = with_program.map(|entry| entry.file_name().to_string_lossy().into()).collect();
        names.sort();
        Ok(names)
    }

    fn wants(&self, scenario: &Scenario) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario.name)
    }
}

/// Returns how many failed.
fn run(arguments: Vec<String>) -> Result<usize, String> {
    let plan = Plan::read(arguments)?;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the runner lives in tests/runner");
    let scenarios = read_folder(&tests.join("scenarios"))?;
    if let Some(name) = plan.scenarios.iter().find(|name| !scenarios.iter().any(|scenario| scenario.name == **name)) {
        return Err(format!("there is no scenario {name}"));
    }
    let mut hosts: Vec<Box<dyn Host + Send>> = vec![Box::new(Door::default())];
    let drivers = tests.join("drivers");
    for name in plan.chosen_drivers(&drivers)? {
        hosts.push(Box::new(Driver::start(&drivers, &name)?));
    }
    // They wait for their servers more than they compute. Each has one of its own: the first client loads its engine, and packages
    // carry their own.
    let played: Vec<Result<(usize, Vec<Failure>), String>> = thread::scope(|scope| {
        let playing = hosts.iter_mut().map(|host| {
            scope.spawn(|| {
                let server = Server::start().map_err(|error| format!("redis-server: {error}"))?;
                let wanted = scenarios.iter().filter(|scenario| plan.wants(scenario));
                Ok(play_all(wanted, host.as_mut(), &server))
            })
        });
        let playing: Vec<_> = playing.collect();
        playing.into_iter().map(|host| host.join().expect("a player says what went wrong")).collect()
    });
    let (mut passed, mut failed) = (0, 0);
    for host in played {
        let (held, failures) = host?;
        passed += held;
        failed += failures.len();
        failures.iter().for_each(|failure| println!("FAILED {failure}"));
    }
    if plan.scenarios.is_empty() {
        for gap in coverage::gaps(&scenarios) {
            failed += 1;
            println!("FAILED coverage: {gap}");
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed)
}
