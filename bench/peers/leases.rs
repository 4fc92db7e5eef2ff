//! The modes hold and rescue of README.md, for the programs in Rust whose leases can be set.

/// Whether leases are to be as short as they can be set.
pub fn short() -> bool {
    std::env::args().nth(4).is_some_and(|mode| ["hold", "rescue"].contains(&mode.as_str()))
}
