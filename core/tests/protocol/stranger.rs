//! examples/protocol/stranger.py knows docs/protocol.md and nothing else.

use std::path::Path;
use std::process::Command;

use crate::support::Server;

#[test]
fn a_stranger_puts_takes_and_completes() {
    let server = Server::start();
    let client = server.client();
    client.call("engine_version", "{}").unwrap(); // which loads it
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/protocol/stranger.py");
    let output = Command::new("python3").arg(program).arg(server.socket()).output().expect("python3 runs");
    let (said, problem) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{problem}");
    let jid = said.lines().last().expect("the jid").to_owned();
    let job = client.job(&jid).unwrap().expect("its job is there");
    assert_eq!((job.state.as_str(), job.data.as_str()), ("completed", r#"{"to": "é"}"#));
    assert_eq!(job.result.as_deref(), Some(r#"{"sent": true}"#));
}
