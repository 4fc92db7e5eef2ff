//! Queue patterns: which queues a worker's entries stand for, as pure code.
//!
//! Entries are read in order. A name stands for that queue, whether it exists yet or not. A name with `*`, which matches
//! any text, stands for the queues there are that match, by name. `!entry` takes away what it matches of the entries before
//! it; where the first entry takes away, it takes away from all queues. `@list` stands for the entries of the saved list of
//! that name, read in its place, and `!@list` for the opposite of each; a list that is not saved stands for nothing.

use std::collections::HashSet;
use std::ops::Range;

use crate::client::PatternLists;

/// Lists that name lists are followed so deep: one that names itself ends there.
const DEEPEST: usize = 8;

/// The queues that a worker serves, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Their names, each once.
    pub names: Vec<String>,
    /// The parts of them that an ordered worker serves evenly, by the saved priorities.
    pub fair: Vec<Range<usize>>,
}

impl Served {
    /// Just these, in this order.
    pub fn plain(names: Vec<String>) -> Served {
        Served { names, fair: Vec::new() }
    }
}

/// True when an entry is not simply a queue's name.
pub fn is_pattern(entry: &str) -> bool {
    entry.starts_with(['!', '@']) || entry.contains('*')
}

/// The queues that `entries` stand for: `known` are those there are, in the order of their names. Saved priorities come
/// before the order of the entries: the queues of the first priority, those of the second, and at last what none names.
pub fn resolve(entries: &[String], known: &[String], saved: &PatternLists) -> Served {
    let found = matching(entries, known, known, saved);
    let mut served = Served::default();
    let mut left: HashSet<&str> = found.iter().copied().collect();
    let mut sorted = found.clone();
    sorted.sort_unstable();
    let sorted: Vec<String> = sorted.into_iter().map(str::to_owned).collect();
    for priority in &saved.priorities {
        let begin = served.names.len();
        for name in matching(&priority.patterns, &sorted, &sorted, saved) {
            if left.remove(name) {
                served.names.push(name.to_owned());
            }
        }
        if priority.fair && served.names.len() > begin + 1 {
            served.fair.push(begin..served.names.len());
        }
    }
    served.names.extend(found.into_iter().filter(|name| left.contains(name)).map(str::to_owned));
    served
}

/// The names that entries stand for, each once, where it came first.
fn matching<'a>(
    entries: &'a [String],
    known: &'a [String],
    all: &'a [String],
    saved: &'a PatternLists,
) -> Vec<&'a str> {
    let mut flat = Vec::new();
    for entry in entries {
        flatten(entry, false, saved, DEEPEST, &mut flat);
    }
    let mut found: Vec<&str> = Vec::new();
    if let Some((true, _)) = flat.first() {
        found.extend(all.iter().map(String::as_str));
    }
    for (away, pattern) in flat {
        if away {
            found.retain(|name| !matches(pattern, name));
            continue;
        }
        let plain = (!pattern.contains('*')).then_some(pattern);
        let some = known.iter().map(String::as_str).filter(|name| plain.is_none() && matches(pattern, name));
        found.extend(plain.into_iter().chain(some));
    }
    let mut seen = HashSet::with_capacity(found.len());
    found.retain(|name| seen.insert(*name));
    found
}

/// Entries without lists: whether each takes away, and its name or wildcard.
fn flatten<'a>(entry: &'a str, away: bool, saved: &'a PatternLists, deep: usize, flat: &mut Vec<(bool, &'a str)>) {
    let (entry, away) = match entry.strip_prefix('!') {
        Some(rest) => (rest, !away),
        None => (entry, away),
    };
    let Some(list) = entry.strip_prefix('@') else { return flat.push((away, entry)) };
    if deep > 0 {
        for entry in saved.identifiers.get(list).into_iter().flatten() {
            flatten(entry, away, saved, deep - 1, flat);
        }
    }
}

/// Whether a name is the pattern with some text for each `*`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == name };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(name) = name.strip_prefix(begin).and_then(|name| name.strip_suffix(end)) else { return false };
    let mut name = name;
    middle.split('*').all(|part| match name.split_once(part) {
        Some((_, after)) => {
            name = after;
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::PatternPriority;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    fn saved() -> PatternLists {
        let lists = [
            ("slow", &["video", "export-*"][..]),
            ("quick", &["!@slow"]),
            ("self", &["@self", "mail"]),
            ("most", &["*", "!b*"]),
        ];
        let identifiers = lists.into_iter().map(|(name, list)| (name.to_owned(), texts(list))).collect();
        PatternLists { identifiers, priorities: Vec::new() }
    }

    fn served(entries: &[&str], known: &[&str]) -> String {
        resolve(&texts(entries), &texts(known), &saved()).names.join(" ")
    }

    #[test]
    fn entries_stand_for_queues_in_order() {
        let known = ["a1", "a2", "b1", "export-x", "mail", "video"];
        for (entries, names) in [
            (&["mail", "a1"][..], "mail a1"),
            (&["new"], "new"),
            (&["a*"], "a1 a2"),
            (&["c*"], ""),
            (&["*1", "mail", "*"], "a1 b1 mail a2 export-x video"),
            (&["*", "!a*", "a2"], "b1 export-x mail video a2"),
            (&["a*", "!a1"], "a2"),
            (&["!a*"], "b1 export-x mail video"),
            (&["!mail", "!a*"], "b1 export-x video"),
            (&["@slow"], "video export-x"),
            (&["*", "!@slow"], "a1 a2 b1 mail"),
            (&["*", "@quick"], "a1 a2 b1 mail"),
            (&["@quick"], "a1 a2 b1 mail"),
            (&["@unknown", "mail"], "mail"),
            (&["@self"], "mail"),
            (&["@most", "!@most"], "b1"),
            (&["mail", "mail", "m*"], "mail"),
        ] {
            assert_eq!(served(entries, &known), names, "{entries:?}");
        }
    }

    #[test]
    fn a_star_is_any_text() {
        for (pattern, name, is) in [
            ("*", "", true),
            ("a*", "a", true),
            ("a*b", "ab", true),
            ("a*b", "aXbYb", true),
            ("a*a", "a", false),
            ("*x*y*", "axxby", true),
            ("*x*y*", "ayx", false),
            ("a**c", "abc", true),
            ("a", "ab", false),
            ("é*", "été", true),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }

    #[test]
    fn saved_priorities_come_before_the_entries() {
        let mut lists = saved();
        let priority = |patterns: &[&str], fair| PatternPriority { patterns: texts(patterns), fair };
        lists.priorities =
            vec![priority(&["vip*"], false), priority(&["b*", "a*"], true), priority(&["nothing", "z"], true)];
        let known = texts(&["a1", "b1", "b2", "m", "vip1", "z"]);
        let served = resolve(&texts(&["m", "*"]), &known, &lists);
        assert_eq!(served.names.join(" "), "vip1 b1 b2 a1 z m");
        assert_eq!(format!("{:?}", served.fair), "[1..4]");
        // What a worker does not serve is not served for being named in a priority.
        assert_eq!(resolve(&texts(&["m*", "z"]), &known, &lists).names, ["z", "m"]);
    }
}
