//! Judges the journal of a run after its end. `judge` reads the lines of each terminal once, asks [`cohort`] whether
//! each message is owed, and adds to a [`tally`]: sums and histograms, which merge with those of other generators
//! without loss. No code in this module measures time, sends messages or prints.

pub mod cohort;
mod fault;
mod judge;
pub mod latency;
pub mod names;
mod order;
mod recovery;
pub mod sums;
pub mod tally;
pub mod timeline;

pub use self::{
    cohort::Cohort,
    fault::{Fault, FaultKind},
    judge::{Judge, promises_replay},
    latency::{Latency, Quantile},
    sums::Account,
    tally::Tally,
    timeline::Timeline,
};
