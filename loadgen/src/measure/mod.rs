//! Judges the journal of a run. `judge` reads the log of each terminal, asks [`cohort`] whether each message is owed,
//! and adds to a [`tally`]: sums and histograms, which merge with those of other generators without loss. No code in
//! this module measures time, sends messages or prints.

mod bits;
pub mod cohort;
mod fault;
mod handshakes;
mod judge;
pub mod latency;
mod promise;
mod recovery;
mod sequence;
mod silence;
pub mod sums;
pub mod tally;
pub mod timeline;

pub use self::{
    cohort::Cohort,
    fault::{DeliveryFault, FaultKind},
    judge::{GROUPS, JudgedSoFar, Judgement},
    latency::{Latency, Quantile},
    promise::promise,
    sums::Account,
    tally::Tally,
    timeline::Timeline,
};
