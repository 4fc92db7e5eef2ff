//! The C library. `include/manyhands.h` is made from this crate, so the comments on public items speak to C
//! programmers: they say who owns what, which threads may call, and what blocks.
//!
//! All danger is in `guard.rs`; every function here goes through it. What depends on the caller keeping the promises of
//! the header is said there once, instead of in a safety section for each function.

#![allow(non_camel_case_types, clippy::missing_safety_doc)]

#[macro_use]
mod guard;
mod client;
mod error;
mod events;
mod hooks;
mod job;
mod kind;
mod news;
mod outcome;
mod queue;
mod strategy;
mod testing;
mod text;
mod version;
mod worker;
