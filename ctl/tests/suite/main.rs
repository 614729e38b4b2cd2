//! `muster` as its users call it, against a node.

mod call;
mod completion;
mod exit_codes;
mod selectors;
mod tokens;
