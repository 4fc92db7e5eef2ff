//! How long to wait before the next try to reach Redis.

use std::time::Duration;

use uuid::Uuid;

const FIRST_MS: u64 = 5;
const MOST_MS: u64 = 2000;

/// Doubling waits with jitter: 5 ms at first, never more than 2 s.
pub(super) struct Backoff {
    next_ms: u64,
}

impl Backoff {
    pub fn new() -> Backoff {
        Backoff { next_ms: FIRST_MS }
    }

    /// The next wait: between half of the current step and all of it.
    pub fn wait(&mut self) -> Duration {
        let step = self.next_ms;
        self.next_ms = (step * 2).min(MOST_MS);
        let (_, random) = Uuid::new_v4().as_u64_pair();
        Duration::from_millis(step / 2 + random % (step / 2 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_two_seconds() {
        let mut backoff = Backoff::new();
        for step in [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2000, 2000_u64] {
            let wait = backoff.wait().as_millis() as u64;
            assert!(wait >= step / 2 && wait <= step, "{wait} of {step}");
        }
    }
}
