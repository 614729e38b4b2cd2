//! Judges the journal of a run after its end. `judge` reads the log of each terminal once, asks [`cohort`] whether
//! each message is owed, and adds to a [`tally`]: sums and histograms, which merge with those of other generators
//! without loss. No code in this module measures time, sends messages or prints.

pub mod cohort;
mod fault;
mod handshakes;
mod judge;
pub mod latency;
mod recovery;
mod sequence;
pub mod sums;
pub mod tally;
pub mod timeline;

pub use self::{
    cohort::Cohort,
    fault::{DeliveryFault, FaultKind},
    judge::{Judge, promises_replay},
    latency::{Latency, Quantile},
    sums::Account,
    tally::Tally,
    timeline::Timeline,
};
