//! What was found of the peers, as figures and as multiples.

use super::list::Source;
use super::round::{ROUNDS, Round, SIZES, STARTS, percentile};
use super::{Found, Quickest};
use crate::settings::extent;
use crate::table::{Table, median};

/// A figure of a round.
type Figure = fn(&Round) -> f64;

/// Those that are medians of the rounds.
const FIGURES: [(&str, Figure); 6] = [
    ("put /s", |round| round.of(0, |passage| passage.put)),
    ("drain /s", |round| round.of(0, |passage| passage.drain)),
    ("Redis µs 60 B", |round| round.of(0, |passage| passage.server)),
    ("Redis µs 1 kB", |round| round.of(1, |passage| passage.server)),
    ("commands", |round| round.of(0, |passage| passage.commands)),
    ("bytes a job", |round| round.of(0, |passage| passage.memory)),
];

/// Those that are told as multiples, by other names, as a reader looks for a figure by its row and column.
const MULTIPLES: [(&str, Figure); 6] = [
    ("drain", |round| round.of(0, |passage| passage.drain)),
    ("bulk put", |round| round.of(0, |passage| passage.put)),
    ("Redis 60 B", |round| round.of(0, |passage| passage.server)),
    ("Redis 1 kB", |round| round.of(1, |passage| passage.server)),
    ("start p50", |round| percentile(&round.starts, 50)),
    ("start p99", |round| percentile(&round.starts, 99)),
];

/// The figures, with these notes beside their own, and the multiples, where there are any.
pub fn of(found: &[Found], quickest: Option<&Quickest>, notes: Vec<String>) -> Vec<Table> {
    let multiples = Some(multiples(found, quickest)).filter(|table| !table.names().is_empty());
    [figures(found, notes)].into_iter().chain(multiples).collect()
}

fn figures(found: &[Found], notes: Vec<String>) -> Table {
    let starts = extent(STARTS);
    let columns = FIGURES.iter().map(|(name, _)| *name).chain(["start p50 ms", "start p99 ms", "rescued s"]);
    let mut table = Table::new(
        format!(
            "one worker process of each, medians of {} rounds in turn. put: by its bulk call, drain: no-op jobs from the first start to\n\
             the last, {} B; Redis µs: used_cpu of the server per job for put and drain; commands: per job by commandstats, those within\n\
             scripts too; bytes: used_memory per waiting job of {} B; start: from the call that puts one to its start in an idle worker\n\
             process, all rounds together, {starts} in each, or fewer of slow ones; rescued: once, until a job runs again whose worker got\n\
             SIGKILL in the middle of it; put, drain, start and rescued are wall clock; –: not measured, never: not so long as was waited",
            extent(ROUNDS),
            SIZES[0],
            SIZES[0]
        ),
        columns.collect::<Vec<&str>>(),
    );
    for one in found {
        let mut starts: Vec<f64> = one.rounds.iter().flat_map(|round| round.starts.iter().copied()).collect();
        starts.sort_by(f64::total_cmp);
        let medians = FIGURES.map(|(_, figure)| middle(one.rounds.iter().map(figure)));
        let others = [percentile(&starts, 50), percentile(&starts, 99), one.rescued];
        table.row(one.peer.name, medians.into_iter().chain(others).collect::<Vec<f64>>());
    }
    for one in found {
        let name = one.peer.name;
        one.missing.iter().for_each(|why| table.note(format!("– {name}: {why}")));
        if !one.peer.note.is_empty() {
            table.note(format!("{name}: {}", one.peer.note));
        }
    }
    notes.into_iter().for_each(|note| table.note(note));
    let versions = found.iter().filter(|one| !one.versions.is_empty());
    versions.for_each(|one| table.note(format!("{}: {}", one.peer.name, one.versions.join(", "))));
    table
}

/// A row for each peer whose language we have too.
fn multiples(found: &[Found], quickest: Option<&Quickest>) -> Table {
    let mut table = Table::new(
        "ours as a multiple of a peer in the same language, medians of the rounds' own ratios; start: put → start",
        MULTIPLES.map(|(name, _)| name),
    );
    let is_ours = |found: &&Found| matches!(found.peer.source, Source::Ours);
    for theirs in found.iter().filter(|found| !is_ours(found)) {
        let Some(ours) = found.iter().filter(is_ours).find(|ours| ours.peer.language() == theirs.peer.language())
        else {
            continue;
        };
        let in_turn = || ours.rounds.iter().zip(&theirs.rounds);
        let ratios = MULTIPLES.map(|(_, figure)| middle(in_turn().map(|(ours, theirs)| figure(ours) / figure(theirs))));
        if ratios.iter().all(|ratio| ratio.is_nan()) {
            continue;
        }
        let name = theirs.peer.name;
        match quickest.filter(|quickest| quickest.peer.name == name) {
            Some(Quickest { of, .. }) => table.row(format!("{name}, of {of} the quickest to drain"), ratios),
            None => table.row(name, ratios),
        }
    }
    table
}

/// The median of what was measured.
fn middle(figures: impl Iterator<Item = f64>) -> f64 {
    median(figures.filter(|figure| figure.is_finite()).collect())
}
