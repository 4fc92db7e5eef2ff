//! The program errors.rs, run as it is.

mod support;

use manyhands::Put;
use support::Program;

#[test]
fn errors_and_panics_are_reported_with_their_jobs() {
    let program = Program::new(env!("CARGO_BIN_EXE_errors"));
    let queue = program.client.queue("orders");
    queue.put(Put::new("ship").jid("lost").data("7").retries(0)).unwrap();
    queue.put(Put::new("ship").jid("panics").retries(0)).unwrap();
    let reported: Vec<serde_json::Value> =
        program.run(2).1.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let members = |name: &str| reported.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(members("error"), ["LookupError", "panic"]);
    assert_eq!(members("message"), ["there is no order 7", "an order without a number"]);
    let jobs: Vec<_> = members("job").iter().map(|job| (job["jid"].clone(), job["attempt"].clone())).collect();
    assert_eq!(jobs, [("lost".into(), 1.into()), ("panics".into(), 1.into())]);
}
