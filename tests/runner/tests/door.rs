//! All scenarios through the core in process, so that `cargo test` alone proves the engine.

use std::path::Path;

use manyhands_scenarios::coverage;
use manyhands_scenarios::host::Door;
use manyhands_scenarios::play::play_all;
use manyhands_scenarios::scenario::read_folder;
use manyhands_scenarios::server::Server;

#[test]
fn every_scenario_holds_at_the_door() {
    let scenarios = read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios")).unwrap();
    let server = Server::start().unwrap();
    let mut failures = coverage::gaps(&scenarios);
    let (_, broken) = play_all(&scenarios, &mut Door::default(), &server);
    failures.extend(broken.iter().map(ToString::to_string));
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}
