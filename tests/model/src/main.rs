//! The model test: random operations on the engine and on a simple model of its rules, compared step by step.
//!
//! `cargo run -p manyhands-model` plays 20,000 steps. Each sequence has a seed, which it prints when engine and model
//! differ, with the shortest sequence of calls that still does; `cargo run -p manyhands-model -- SEED` plays that one again.
//! `MANYHANDS_MODEL_STEPS` is the number of steps of a run.

mod arguments;
mod due;
mod events;
mod job;
mod limits;
mod listener;
mod operations;
mod runs;
mod session;
mod steps;
mod views;
mod waits;
mod world;

use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use session::{Difference, Session};
use steps::Step;

/// Steps of a sequence, and of a run.
const LENGTH: usize = 400;
const STEPS: usize = 20_000;
/// Most tries to make a failing sequence shorter.
const TRIES: usize = 4000;

type Tree = Box<dyn ValueTree<Value = Step>>;

fn main() -> ExitCode {
    let given: Option<u64> = std::env::args().nth(1).map(|seed| seed.parse().expect("the argument is a seed"));
    let steps = std::env::var("MANYHANDS_MODEL_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(STEPS);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let first = given.unwrap_or(now.as_millis() as u64 % 1_000_000_000 * 1000);
    let sequences = if given.is_some() { 1 } else { steps.div_ceil(LENGTH) as u64 };
    let (began, mut session, mut passed) = (Instant::now(), Session::open(), 0);
    println!("model: seeds {first} to {}, {LENGTH} steps each", first + sequences - 1);
    for seed in first..first + sequences {
        let trees = sequence(seed);
        let played = session.play(&current(&trees));
        let Err(difference) = played else {
            passed += LENGTH;
            continue;
        };
        println!("seed {seed}: after {} steps\n{}", difference.step + 1, difference.problem);
        let shortest = shorten(&mut session, trees, difference);
        println!("the shortest sequence found ({} calls):\n", shortest.calls.len());
        println!("{}\n\n{}", shortest.calls.join("\n"), shortest.problem);
        println!("again: cargo run -p manyhands-model -- {seed}");
        println!("model: {passed} passed, 1 failed");
        return ExitCode::FAILURE;
    }
    println!("model: {passed} passed, 0 failed ({:.0} s)", began.elapsed().as_secs_f64());
    ExitCode::SUCCESS
}

/// The steps of a seed, each of which knows how to become simpler.
fn sequence(seed: u64) -> Vec<Tree> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let step = steps::step();
    (0..LENGTH).map(|_| Box::new(step.new_tree(&mut runner).expect("steps have no filters")) as Tree).collect()
}

fn current(trees: &[Tree]) -> Vec<Step> {
    trees.iter().map(|tree| tree.current()).collect()
}

/// A sequence that fails, while it is made shorter.
struct Failing<'a> {
    session: &'a mut Session,
    trees: Vec<Tree>,
    found: Difference,
    tries: usize,
}

/// Leaves out what the difference does not need: ever smaller runs of steps, then what is in each step, and again.
fn shorten(session: &mut Session, trees: Vec<Tree>, found: Difference) -> Difference {
    let mut failing = Failing { session, trees, found, tries: 0 };
    failing.trees.truncate(failing.found.step + 1);
    failing.leave_out();
    failing.simplify();
    while failing.leave_out() {
        failing.simplify();
    }
    failing.found
}

impl Failing<'_> {
    /// Whether the steps as they are now still fail; then those after the failure go.
    fn still_fails(&mut self) -> bool {
        self.tries += 1;
        match self.session.play(&current(&self.trees)) {
            Err(difference) => {
                self.trees.truncate(difference.step + 1);
                self.found = difference;
                true
            }
            Ok(_) => false,
        }
    }

    /// True when some steps could go.
    fn leave_out(&mut self) -> bool {
        let before = self.trees.len();
        let mut size = before.div_ceil(2);
        while size > 0 && self.tries < TRIES {
            let (mut at, mut left_out) = (0, false);
            while at < self.trees.len() && self.tries < TRIES {
                let end = (at + size).min(self.trees.len());
                let removed: Vec<_> = self.trees.splice(at..end, []).collect();
                if self.still_fails() {
                    left_out = true;
                } else {
                    self.trees.splice(at..at, removed);
                    at += size;
                }
            }
            if !left_out || size > 1 {
                size /= 2;
            }
        }
        self.trees.len() < before
    }

    fn simplify(&mut self) {
        for index in (0..self.trees.len()).rev() {
            let mut changed = index < self.trees.len() && self.trees[index].simplify();
            while changed && self.tries < TRIES {
                changed = if self.still_fails() {
                    index < self.trees.len() && self.trees[index].simplify()
                } else {
                    self.trees[index].complicate()
                };
            }
        }
    }
}
