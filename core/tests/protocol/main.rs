//! What others may rely on: the page on the protocol, a program that follows it, and what a call may cost.

#[path = "../support/mod.rs"]
mod support;

mod cost;
mod page;
mod stranger;
