//! Items of a call, those in a row that have something in common as a group that says it once.

use std::borrow::Cow;

use crate::request::Args;

/// Says that each item of a group has its own.
const EACH: &str = "*";

/// An item: what makes it one of a group with its neighbours, what all of a group may happen to have alike, and what is its own.
pub(super) struct Item<'a, const COMMON: usize, const ALIKE: usize, const OWN: usize> {
    pub common: [Cow<'a, str>; COMMON],
    pub alike: [Cow<'a, str>; ALIKE],
    pub own: [Cow<'a, str>; OWN],
}

/// Appends for each group what its items have in common, with what they have alike, or that each has its own; their number; and
/// what is each one's own.
pub(super) fn encode<const COMMON: usize, const ALIKE: usize, const OWN: usize>(
    items: &[Item<'_, COMMON, ALIKE, OWN>],
    args: &mut Args,
) {
    for group in items.chunk_by(|item, next| item.common == next.common) {
        let first = &group[0];
        let alike: [bool; ALIKE] = std::array::from_fn(|at| {
            first.alike[at] != EACH && group.iter().all(|item| item.alike[at] == first.alike[at])
        });
        for text in &first.common {
            args.text(text);
        }
        for (text, alike) in first.alike.iter().zip(alike) {
            args.text(if alike { text } else { EACH });
        }
        args.integer(group.len() as i64);
        for item in group {
            for text in &item.own {
                args.text(text);
            }
            for (text, _) in item.alike.iter().zip(alike).filter(|(_, alike)| !alike) {
                args.text(text);
            }
        }
    }
}
