//! Is every operation exercised, and every error that can be reached raised, by at least one scenario?

use std::collections::BTreeSet;

use manyhands::Code;

use crate::scenario::{Action, Rule, Scenario, Step};

/// Codes that no scenario can raise, and where they are proved instead.
const ELSEWHERE: &[(Code, &str)] = &[
    (Code::WrongPartition, "namespaces have one partition so far"),
    (Code::Timeout, "needs a server that stops answering: core/tests"),
    (Code::OutcomeUnknown, "needs a connection cut in the middle of a call: core/tests"),
    (Code::EngineOutdated, "needs an older server: core/tests"),
    (Code::NoServerProgram, "needs another PATH: core/tests"),
];

/// What the suite does not reach, one text each; empty when complete.
pub fn gaps(scenarios: &[Scenario]) -> Vec<String> {
    let mut reached = Reached::default();
    scenarios.iter().for_each(|scenario| reached.add(&scenario.steps));
    let mut gaps = Vec::new();
    for operation in manyhands::ops::OPERATIONS {
        if !reached.operations.contains(operation.name) {
            gaps.push(format!("no scenario calls {}", operation.name));
        }
    }
    for code in Code::ALL {
        let elsewhere = ELSEWHERE.iter().find(|(other, _)| other == code);
        match (reached.codes.contains(code.name()), elsewhere) {
            (false, None) => gaps.push(format!("no scenario raises {code}")),
            (true, Some((_, reason))) => gaps.push(format!("{code} is raised after all, not: {reason}")),
            _ => (),
        }
    }
    gaps
}

#[derive(Default)]
struct Reached {
    operations: BTreeSet<String>,
    codes: BTreeSet<String>,
}

impl Reached {
    fn add(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.action {
                Action::Repeat(_, steps) => self.add(steps),
                Action::Call(call) => {
                    self.operations.insert(call.operation.clone());
                    for expectation in &call.expected {
                        match &expectation.rule {
                            Rule::Error(code, _) => self.codes.insert(code.name().into()),
                            Rule::ErrorFields(fields) => {
                                fields["name"].as_str().is_some_and(|name| self.codes.insert(name.into()))
                            }
                            _ => false,
                        };
                    }
                }
                _ => (),
            }
        }
    }
}
