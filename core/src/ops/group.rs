//! Items of a call, those in a row that have something in common as a group that says it once.

use std::borrow::Cow;

use crate::request::Args;

/// An item: what it may have in common with its neighbours, and what is its own.
pub(super) struct Item<'a, const COMMON: usize, const OWN: usize> {
    pub common: [Cow<'a, str>; COMMON],
    pub own: [Cow<'a, str>; OWN],
}

/// Appends for each group what its items have in common, their number, and what is each one's own.
pub(super) fn encode<const COMMON: usize, const OWN: usize>(items: &[Item<'_, COMMON, OWN>], args: &mut Args) {
    for group in items.chunk_by(|item, next| item.common == next.common) {
        for text in &group[0].common {
            args.text(text);
        }
        args.integer(group.len() as i64);
        for text in group.iter().flat_map(|item| &item.own) {
            args.text(text);
        }
    }
}
