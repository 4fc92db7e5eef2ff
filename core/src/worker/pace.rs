//! How long jobs of each kind take: the moving 90th percentile that decides how many may be held ahead.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::time::Duration;

/// Run times kept per kind.
const WINDOW: usize = 32;
/// Run times a kind needs before it counts as known.
const KNOWN_AFTER: usize = 4;
/// Finished jobs whose kinds stand for the mix of what comes next.
const MIX: usize = 64;
/// Kinds told apart; all later ones share one entry that stays unknown.
const MAX_KINDS: usize = 1_024;

/// A kind's place in a [`Pace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindId(usize);

/// Run times by kind, and the mix of kinds that finished last.
#[derive(Default)]
pub struct Pace {
    ids: HashMap<String, KindId>,
    windows: Vec<Window>,
    mix: VecDeque<KindId>,
}

impl Pace {
    /// The entry of `kind`, made when it is new.
    pub fn kind(&mut self, kind: &str) -> KindId {
        if let Some(id) = self.ids.get(kind) {
            return *id;
        }
        let id = KindId(self.windows.len().min(MAX_KINDS));
        if id.0 == self.windows.len() {
            self.windows.push(Window::default());
        }
        if id.0 < MAX_KINDS {
            self.ids.insert(kind.to_owned(), id);
        }
        id
    }

    /// Notes one run of a job of this kind.
    pub fn record(&mut self, kind: KindId, run: Duration) {
        if kind.0 == MAX_KINDS {
            return;
        }
        self.windows[kind.0].push(u32::try_from(run.as_micros()).unwrap_or(u32::MAX));
        if self.mix.len() == MIX {
            self.mix.pop_front();
        }
        self.mix.push_back(kind);
    }

    /// The 90th percentile of this kind's last runs; None while it is unknown.
    pub fn p90(&mut self, kind: KindId) -> Option<Duration> {
        self.windows[kind.0].p90().map(|micros| Duration::from_micros(u64::from(micros)))
    }

    /// What a job that comes next is expected to take, by the kinds of those that finished last; None while unknown.
    pub fn expected(&mut self) -> Option<Duration> {
        let mut sum = Duration::ZERO;
        for at in 0..self.mix.len() {
            sum += self.p90(self.mix[at])?;
        }
        (!self.mix.is_empty()).then(|| sum / self.mix.len() as u32)
    }
}

/// The last run times of one kind, in microseconds.
#[derive(Default)]
struct Window {
    micros: VecDeque<u32>,
    /// The percentile of `micros`, None after a change.
    p90: Option<u32>,
}

impl Window {
    fn push(&mut self, micros: u32) {
        if self.micros.len() == WINDOW {
            self.micros.pop_front();
        }
        self.micros.push_back(micros);
        self.p90 = None;
    }

    fn p90(&mut self) -> Option<u32> {
        if self.micros.len() < KNOWN_AFTER {
            return None;
        }
        if self.p90.is_none() {
            let mut sorted: Vec<u32> = self.micros.iter().copied().collect();
            sorted.sort_unstable();
            self.p90 = Some(sorted[(sorted.len() * 9).div_ceil(10) - 1]);
        }
        self.p90
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_kind_is_unknown_until_four_runs() {
        let mut pace = Pace::default();
        let kind = pace.kind("resize");
        for _ in 0..3 {
            pace.record(kind, MS);
            assert_eq!((pace.p90(kind), pace.expected()), (None, None));
        }
        pace.record(kind, MS);
        assert_eq!((pace.p90(kind), pace.expected()), (Some(MS), Some(MS)));
    }

    #[test]
    fn the_percentile_moves_with_the_last_runs() {
        let mut pace = Pace::default();
        let kind = pace.kind("resize");
        for ms in 1..=10 {
            pace.record(kind, MS * ms);
        }
        assert_eq!(pace.p90(kind), Some(MS * 9));
        for _ in 0..WINDOW {
            pace.record(kind, MS * 50);
        }
        assert_eq!(pace.p90(kind), Some(MS * 50));
    }

    #[test]
    fn the_mix_weighs_kinds_by_how_often_they_finish() {
        let mut pace = Pace::default();
        let (quick, slow) = (pace.kind("quick"), pace.kind("slow"));
        for turn in 0..MIX {
            if turn % 4 == 0 { pace.record(slow, MS * 40) } else { pace.record(quick, Duration::ZERO) }
        }
        assert_eq!(pace.expected(), Some(MS * 10));
    }

    #[test]
    fn kinds_beyond_the_limit_stay_unknown() {
        let mut pace = Pace::default();
        for name in 0..MAX_KINDS {
            assert_eq!(pace.kind(&name.to_string()), KindId(name));
        }
        let (one, other) = (pace.kind("one more"), pace.kind("another"));
        assert_eq!(one, other);
        for _ in 0..KNOWN_AFTER {
            pace.record(one, MS);
        }
        assert_eq!(pace.p90(one), None);
        assert_eq!(pace.kind("7"), KindId(7));
    }
}
