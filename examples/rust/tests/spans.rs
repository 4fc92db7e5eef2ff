//! The program spans.rs, run as it is.

mod support;

use manyhands::Put;
use support::Program;

#[test]
fn a_trace_goes_through_jobs_and_those_they_put() {
    let program = Program::new(env!("CARGO_BIN_EXE_spans"));
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let headers = [("traceparent", format!("00-{trace}-{parent}-01"))];
    program.client.queue("parcels").put(Put::new("pack").headers(headers)).unwrap();
    let said = program.run(2).0;
    let mut spans: Vec<Vec<_>> = said.lines().map(|line| line.split(' ').collect()).collect();
    spans.sort(); // by name: they are told when they end, which the second may before the first
    let [packed, sent] = spans.as_slice() else { panic!("{said}") };
    assert_eq!(*packed, ["span", "pack", trace, packed[3], "parent", parent]);
    assert_eq!(*sent, ["span", "send", trace, sent[3], "parent", packed[3]]);
}
