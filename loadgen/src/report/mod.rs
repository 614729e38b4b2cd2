//! What a run came to. [`Report`] is all of it, ready for JSON; every other view is made of it alone: [`text`] for people, [`page`] for
//! people who were not there, [`junit`] for CI. [`hgrm`] writes out what it is made of.

pub mod chart;
pub mod confidence;
pub mod course;
mod figures;
pub mod hgrm;
pub mod junit;
pub mod page;
pub mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::{
    course::{Mark, Second},
    figures::{Figures, Point},
};
use crate::{
    health::{Environment, servers::Costs},
    measure::{
        Account, Cohort, Fault, Latency, Tally, names,
        sums::{Connections, Frames, Messages, Reorder},
    },
    verdict::Verdict,
};

/// Raised when a field changes its meaning or goes away; new ones may come at any time.
pub const SCHEMA: u32 = 2;

/// What the generator cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// CPU time over the time of the threads that move terminals.
    pub cpu_share: f64,
    /// How many these are.
    pub threads: usize,
    /// Microseconds of CPU for each frame that was read, all else that it did included.
    pub cpu_us_per_frame: f64,
    /// Frames that were read.
    pub frames: u64,
    /// Bytes of memory for each terminal, by what the process grew while they connected.
    pub bytes_per_terminal: u64,
    /// Memory at the end.
    pub rss_bytes: u64,
    /// How often it was taken off its CPU.
    pub preempted: u64,
}

/// What this machine and this program reach against a server that does nothing, in the same run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Response times.
    pub live: Figures,
    /// Microseconds of CPU for each frame, by terminals.
    pub cpu_us_per_frame: f64,
    /// And by a bare loop that only reads.
    pub bare_us_per_frame: f64,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What it is called.
    pub title: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// Its command line, without secrets.
    pub command: String,
    /// From which its schedule was made.
    pub seed: u64,
    /// The schedule's hash.
    pub schedule: String,
    /// How many deliveries the schedule alone intends, and the hash of their set.
    pub intended: (u64, String),
    /// How many terminals.
    pub terminals: usize,
    /// For how long it was measured, in seconds.
    pub measured_s: f64,
    /// When messages began, and when the last was due, in seconds of the run.
    pub span_s: (f64, f64),
    /// Whether senders waited for answers: no evidence for an SLO.
    pub closed_loop: bool,
    /// Whether the server was held to replay what was missed.
    pub replay: bool,
    /// The judgement.
    pub verdict: Verdict,
    /// What became of what was owed, by cohort.
    pub ledger: BTreeMap<Cohort, Account>,
    /// What became of what was read.
    pub frames: Frames,
    /// What became of what was sent.
    pub messages: Messages,
    /// What became of who connected.
    pub connections: Connections,
    /// In which order it came.
    pub reorder: Reorder,
    /// How many faults of each kind.
    pub faults: BTreeMap<String, u64>,
    /// The first of each kind.
    pub examples: Vec<Fault>,
    /// Neither good nor bad.
    pub other: BTreeMap<String, u64>,
    /// Why sessions were lost, attempts failed and messages were refused.
    pub reasons: BTreeMap<String, u64>,
    /// Times by name, in milliseconds.
    pub latencies: BTreeMap<String, Figures>,
    /// The 95 % range of the live p99, in milliseconds, by resampling broadcasts: the deliveries of one are not independent.
    pub live_p99_range: Option<(f64, f64)>,
    /// Response times by `API > node`.
    pub matrix: BTreeMap<String, Figures>,
    /// The longest that any terminal heard nothing while it meant to be on the line, in milliseconds.
    pub max_silence_ms: f64,
    /// Second by second.
    pub timeline: Vec<Second>,
    /// What was done meanwhile.
    pub marks: Vec<Mark>,
    /// What the servers cost.
    pub servers: Costs,
    /// What the generator cost.
    pub own: Own,
    /// What it reaches against a server that does nothing.
    pub floor: Option<Floor>,
    /// Where it took place.
    pub environment: Environment,
    /// How many generators took part.
    pub generators: usize,
}

impl Report {
    /// The account of all terminals that behave.
    pub fn behaved(&self) -> Account {
        let mut sum = Account::default();
        self.ledger.iter().filter(|(cohort, _)| cohort.behaves()).for_each(|(_, account)| sum.add(account));
        sum
    }
}

/// Times as figures, with the one that only all generators together know: when the last receiver of each broadcast had it.
pub fn figures(tally: &Tally) -> BTreeMap<String, Figures> {
    let mut figures: BTreeMap<String, Figures> =
        tally.latencies.iter().map(|(name, latency)| (name.clone(), latency.into())).collect();
    // A server that never shows a result is not late with all of them.
    figures.retain(|name, figures| figures.count > 0 || name == names::LIVE || name == names::REPLAY);
    let last = last(tally);
    if last.count() + last.missing > 0 {
        figures.insert(names::LAST.into(), (&last).into());
    }
    figures
}

/// The tally with that one among the others, for the SLOs.
pub fn with_last(tally: &Tally) -> Tally {
    let mut tally = tally.clone();
    *tally.latency(names::LAST) = last(&tally);
    tally
}

/// When the last steady terminal had each broadcast.
pub fn last(tally: &Tally) -> Latency {
    let mut latency = Latency::default();
    for (last, short) in tally.last.iter().zip(&tally.short) {
        match (last, short) {
            (0, 0) => {}
            (last, 0) => latency.record(*last),
            _ => latency.missing += 1,
        }
    }
    latency
}
