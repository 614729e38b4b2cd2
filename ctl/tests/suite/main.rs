//! `muster` as its users call it, against a node.

mod call;
mod completion;
mod exit_codes;
mod notices;
mod selectors;
mod tokens;
