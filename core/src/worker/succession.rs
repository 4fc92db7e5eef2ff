//! When a worker that may start so many jobs asks for its successor: in time for that to come up before the last start.

use std::time::{Duration, Instant};

/// How long a process may take to come up.
const COMING_UP: Duration = Duration::from_secs(1);

/// The pace of a worker's starts, which says how soon the last one comes.
#[derive(Debug)]
pub struct Succession {
    /// With fewer starts left than this it is time in any case.
    least: u64,
    /// Starts by which the pace is measured: a tenth of all, and enough that filling the threads is not taken for it.
    stretch: u64,
    began: Option<Instant>,
    is_due: bool,
}

impl Succession {
    /// `most`: starts in all. `threads`: handlers that run at once.
    pub fn new(most: u64, threads: usize) -> Succession {
        let threads = threads as u64;
        let stretch = (most / 10).max(2 * threads);
        Succession { least: threads.max(most / 10 + 1), stretch, began: None, is_due: false }
    }

    /// A job was started; `left` may still be.
    pub fn started(&mut self, left: u64, now: Instant) {
        self.is_due |= left < self.least;
        let Some(began) = self.began else {
            self.began = Some(now);
            return;
        };
        if left.is_multiple_of(self.stretch) {
            let took = now.saturating_duration_since(began).as_secs_f64();
            self.is_due |= took * (left as f64 / self.stretch as f64) < COMING_UP.as_secs_f64();
            self.began = Some(now);
        }
    }

    /// Whether the successor should come up now.
    pub fn is_due(&self) -> bool {
        self.is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of `most` starts, one every `pace`, are left when the successor is due.
    fn left_when_due(most: u64, threads: usize, pace: Duration) -> u64 {
        let (mut succession, mut now) = (Succession::new(most, threads), Instant::now());
        (0..most)
            .rev()
            .find(|left| {
                succession.started(*left, now);
                now += pace;
                succession.is_due()
            })
            .unwrap()
    }

    #[test]
    fn slow_jobs_have_their_successor_at_the_last_tenth() {
        assert_eq!(left_when_due(100, 1, Duration::from_secs(1)), 10);
        assert_eq!(left_when_due(5, 1, Duration::from_secs(1)), 0);
        assert_eq!(left_when_due(1, 1, Duration::ZERO), 0);
        assert_eq!(left_when_due(100, 20, Duration::from_secs(1)), 19, "one for each thread");
    }

    #[test]
    fn quick_jobs_have_it_a_second_before_their_last() {
        assert_eq!(
            left_when_due(1_000, 1, Duration::from_millis(2)),
            400,
            "at the first stretch of which that is true"
        );
        assert_eq!(left_when_due(100, 1, Duration::from_millis(3)), 90, "else at once");
    }

    #[test]
    fn filling_the_threads_is_no_pace() {
        let (mut succession, now) = (Succession::new(100, 10), Instant::now());
        for started in 1..=10 {
            succession.started(100 - started, now);
        }
        succession.started(89, now + Duration::from_secs(10));
        assert!(!succession.is_due());
    }
}
