//! The words on the wire between a master and its processes: one a line, in both directions.

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTTIN, SIGUSR1, SIGUSR2};

/// What a master is told by a signal, and tells its processes by a line with the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// No new jobs; end when the started ones have.
    Quit,
    /// End now: unstarted jobs go back, handlers are interrupted. The second one ends at once.
    Term,
    /// The same.
    Int,
    /// Interrupt the handlers that run, and go on.
    Usr1,
    /// Take no new jobs.
    Usr2,
    /// Take jobs again.
    Cont,
    /// Tell the log what every thread does.
    Ttin,
    /// Replace every process, one after another. For masters only.
    Hup,
}

/// What a process tells its master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// It takes jobs, or would if it were not paused.
    Ready,
    /// It has begun, or is about to begin, the last job it was made for.
    Spent,
    /// One of its handlers cannot be ended.
    Stuck,
}

impl Signal {
    /// All of them, by name.
    pub const NAMES: [(&str, Signal); 8] = [
        ("QUIT", Signal::Quit),
        ("TERM", Signal::Term),
        ("INT", Signal::Int),
        ("USR1", Signal::Usr1),
        ("USR2", Signal::Usr2),
        ("CONT", Signal::Cont),
        ("TTIN", Signal::Ttin),
        ("HUP", Signal::Hup),
    ];

    /// All of them, by the system's number.
    const NUMBERS: [(i32, Signal); 8] = [
        (SIGQUIT, Signal::Quit),
        (SIGTERM, Signal::Term),
        (SIGINT, Signal::Int),
        (SIGUSR1, Signal::Usr1),
        (SIGUSR2, Signal::Usr2),
        (SIGCONT, Signal::Cont),
        (SIGTTIN, Signal::Ttin),
        (SIGHUP, Signal::Hup),
    ];

    /// The system's number.
    pub(crate) fn number(self) -> i32 {
        // Every one is there.
        Signal::NUMBERS.into_iter().find(|(_, known)| *known == self).map_or(0, |(number, _)| number)
    }

    /// The one with this number of the system's.
    pub fn numbered(number: i32) -> Option<Signal> {
        Signal::NUMBERS.into_iter().find(|(known, _)| *known == number).map(|(_, signal)| signal)
    }

    /// The system's numbers of all of them.
    pub fn numbers() -> impl Iterator<Item = i32> {
        Signal::NUMBERS.into_iter().map(|(number, _)| number)
    }

    /// The one with this name, in capitals and without SIG.
    pub fn named(name: &str) -> Option<Signal> {
        Signal::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, signal)| signal)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Signal::NAMES.into_iter().find(|(_, signal)| *signal == self).map_or("", |(name, _)| name)
    }
}

impl Word {
    const NAMES: [(&str, Word); 3] = [("ready", Word::Ready), ("spent", Word::Spent), ("stuck", Word::Stuck)];

    pub fn named(name: &str) -> Option<Word> {
        Word::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, word)| word)
    }

    pub fn name(self) -> &'static str {
        Word::NAMES.into_iter().find(|(_, word)| *word == self).map_or("", |(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_there_and_back() {
        assert!(
            Signal::NAMES.iter().all(|(name, signal)| Signal::named(name) == Some(*signal) && signal.name() == *name)
        );
        assert!(Word::NAMES.iter().all(|(name, word)| Word::named(name) == Some(*word) && word.name() == *name));
        assert_eq!((Signal::named("quit"), Word::named("READY")), (None, None));
    }
}
