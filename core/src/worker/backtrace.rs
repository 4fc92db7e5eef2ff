//! What a thread is in the middle of: a copy of its stack, and the calls that it tells of.
//!
//! For x86_64 and aarch64; `none.rs` stands here on other machines.

mod images;
mod stack;

pub use images::Images;
pub use stack::{Stack, give, stack};

/// What is said of a thread that gives no stack.
pub const SILENT: &str = "does not answer, as one does that blocks signals";
