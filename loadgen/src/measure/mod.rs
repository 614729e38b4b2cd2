//! Judges what was written down, when all is over. `judge` walks each terminal's lines once, asks the [`cohort`] of each message, and
//! adds to a [`tally`]: sums and histograms, which merge with those of other generators without loss. Nothing here is timed, paced
//! or printed.

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
