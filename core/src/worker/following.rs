//! What a worker on patterns knows of the queues there are.

/// The set of queues, and what patterns mean, has a version; the engine tells it with every reserve and pulse.
#[derive(Debug, Default)]
pub struct Following {
    heard: i64,
    /// Whose queues are served; None: they must be looked up in any case.
    resolved: Option<i64>,
}

impl Following {
    /// An answer of the engine told this version.
    pub fn hear(&mut self, version: i64) {
        self.heard = self.heard.max(version);
    }

    /// A token said that there is a newer version than any heard of.
    pub fn outdate(&mut self) {
        self.resolved = None;
    }

    /// The queues of this version are served from now on.
    pub fn resolve(&mut self, version: i64) {
        self.hear(version);
        self.resolved = Some(version);
    }

    /// True when the queues are to be looked up.
    pub fn is_outdated(&self) -> bool {
        self.resolved.is_none_or(|version| version < self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_looked_up_when_there_is_a_newer_version() {
        let mut following = Following::default();
        assert!(following.is_outdated());
        following.resolve(7);
        following.hear(6);
        assert!(!following.is_outdated(), "an answer may be older than the lookup");
        following.hear(8);
        assert!(following.is_outdated());
        following.resolve(8);
        following.outdate();
        assert!(following.is_outdated());
    }
}
