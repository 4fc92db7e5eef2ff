//! The engine by itself: its functions called as any program could call them.

#[path = "../support/mod.rs"]
mod support;

mod arguments;
mod broken;
mod lists;
mod malformed;
mod pulse;
