//! Other job systems in the same harness: same Redis, same payload, each in one worker process at its best documented
//! setting. They are measured in turn, so that what is compared is of the same minutes.

mod install;
mod list;
mod program;
mod round;
mod tables;
mod versions;
mod words;

use std::time::Duration;

use list::{Measured, PEERS, Peer};
use program::Program;
use round::{ROUNDS, Round, SIZES, kept};

use crate::Tables;
use crate::settings::{self, extent};
use crate::table::{NEVER, shown};

/// So many jobs are drained by each of those of which the quickest is taken.
const TRIAL: usize = 2_000;

/// Fails when PEER names nobody; `usual`: nobody that `make bench` measures.
pub fn check(usual: bool) -> Result<(), String> {
    let known = || PEERS.iter().filter(|peer| !usual || peer.measured != Measured::WithAll);
    if known().any(|peer| asked(&peer)) {
        return Ok(());
    }
    let names: Vec<&str> = known().map(|peer| peer.name).collect();
    let others = if usual { "; the part all-peers has more" } else { "" };
    Err(format!("no peer has {} in its name; known are {}{others}", settings::peer(), names.join(", ")))
}

/// The peers of `make bench`. PEER: only those that have it in their names.
pub fn run() -> Tables {
    let (quickest, notes) = quickest();
    let found = measure(|peer| {
        peer.measured == Measured::Always || quickest.as_ref().is_some_and(|quickest| quickest.peer.name == peer.name)
    });
    Ok(tables::of(&found, quickest.as_ref(), notes))
}

/// All of them.
pub fn run_all() -> Tables {
    Ok(tables::of(&measure(|_| true), None, Vec::new()))
}

/// Those that PEER asks for.
fn asked(peer: &&Peer) -> bool {
    peer.name.contains(&settings::peer())
}

/// The peer that drains the quickest of those that are measured only then.
struct Quickest {
    peer: &'static Peer,
    /// How many were tried.
    of: usize,
}

/// By one drain of each; and how quick they were, or why that is not known.
fn quickest() -> (Option<Quickest>, Vec<String>) {
    let mut found: Vec<(f64, &Peer)> = Vec::new();
    let mut notes = Vec::new();
    for peer in PEERS.iter().filter(|peer| peer.measured == Measured::IfQuickest).filter(asked) {
        let mut missing = Vec::new();
        let program = kept(Program::of(peer), &mut missing);
        let trial = program.and_then(|program| round::passage(&program, extent(TRIAL), SIZES[0], &mut missing));
        match trial {
            Some(trial) if trial.drain.is_finite() => found.push((trial.drain, peer)),
            _ => notes.push(format!("– {}: {}", peer.name, missing.join("; "))),
        }
    }
    found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    let drains: Vec<String> = found.iter().map(|(drain, peer)| format!("{} {}", peer.name, shown(*drain))).collect();
    let asked = settings::peer();
    let whose = if asked.is_empty() { String::new() } else { format!(" that have {asked} in their names") };
    if !found.is_empty() {
        notes.push(format!(
            "of these{whose} only the quickest to drain is measured in full, which need not be the quickest to put or the cheapest; \
             jobs/s of {} drained: {}",
            extent(TRIAL),
            drains.join(", ")
        ));
    }
    (found.first().map(|(_, peer)| Quickest { peer, of: found.len() }), notes)
}

/// What was found of one peer.
struct Found {
    peer: &'static Peer,
    program: Option<Program>,
    versions: Vec<String>,
    rounds: Vec<Round>,
    /// In seconds.
    rescued: f64,
    /// Why figures are missing.
    missing: Vec<String>,
}

impl Found {
    /// Installs it; nothing is found yet.
    fn of(peer: &'static Peer) -> Found {
        let mut missing = Vec::new();
        let program = kept(Program::of(peer), &mut missing);
        let versions = program.as_ref().map(Program::versions).unwrap_or_default();
        Found { peer, program, versions, rounds: Vec::new(), rescued: f64::NAN, missing }
    }

    /// Measures one round.
    fn round(&mut self) {
        if let Some(program) = &self.program {
            self.rounds.push(Round::measure(program, extent(self.peer.jobs), &mut self.missing));
        }
    }

    /// Measures whether, and when, the job of a killed worker runs again.
    fn rescue(&mut self) {
        let Some(program) = &self.program else { return };
        let Peer { patience, loses, .. } = self.peer;
        let rescued = round::rescued(program, Duration::from_secs(*patience));
        self.rescued = kept(rescued, &mut self.missing).unwrap_or(f64::NAN);
        self.missing.dedup(); // what ails it may be the same as in the rounds
        if self.rescued == NEVER {
            let within = format!("its killed job did not run again within {patience} s");
            self.missing.push(if loses.is_empty() { within } else { format!("{within}: {loses}") });
        }
    }
}

/// All are installed before the first is measured. In a round those in one language come one after another, as they are compared;
/// one that fails is left out of the later rounds.
fn measure(wanted: impl Fn(&Peer) -> bool) -> Vec<Found> {
    let mut all: Vec<Found> = PEERS.iter().filter(asked).filter(|peer| wanted(peer)).map(Found::of).collect();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|at| all[*at].peer.language());
    for _ in 0..extent(ROUNDS) {
        for at in &order {
            if all[*at].missing.is_empty() {
                all[*at].round();
            }
        }
    }
    all.iter_mut().for_each(Found::rescue);
    all
}
