//! The conformance suite: readable texts in `tests/scenarios`, run through every door of Manyhands.
//!
//! A scenario is a list of calls with the replies or errors they must have, written once. The runner
//! plays it through the core in process and through one small driver program per language, which
//! answers by that language's public API. `tests/README.md` describes the format.

pub mod coverage;
pub mod host;
pub mod matcher;
pub mod play;
pub mod scenario;
pub mod server;
pub mod template;
