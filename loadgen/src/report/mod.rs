//! The report of a run. [`Report`] holds all results, ready for JSON, and the other formats are made from it alone:
//! [`text`] for a terminal, [`page`] as HTML to pass on, [`junit`] for CI. [`hgrm`] writes the histograms that the
//! report is computed from.

pub mod baseline;
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
    course::{MarkRow, TimelineRow},
    figures::{Figures, Point},
};
use crate::{
    adapter::Promise,
    health::{Environment, servers::ServerCosts},
    measure::{
        Account, Cohort, DeliveryFault, Latency, Tally,
        sums::{Connections, Frames, Messages, Reorder},
    },
    names,
    verdict::RunVerdict,
};

/// The version of the JSON format. It is raised when a field changes its meaning or is removed; a new field may be
/// added without raising it.
pub const SCHEMA: u32 = 2;

/// The resources that the generator used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorCost {
    /// CPU time divided by the time of the threads that run terminals: 1 means that all of them were busy all the
    /// time. With several generators, the largest value.
    pub cpu_share: f64,
    /// The number of threads that run terminals.
    pub threads: usize,
    /// CPU time per frame read, in microseconds. Includes all other work of the generator.
    pub cpu_us_per_frame: f64,
    /// Frames that were read.
    pub frames: u64,
    /// Memory per terminal in bytes: the growth of the process while the terminals connected, divided by their
    /// number. With several generators, the largest value.
    pub bytes_per_terminal: u64,
    /// The resident memory of the process at the end of the run, in bytes.
    pub rss_bytes: u64,
    /// The longest time for which the threads that run terminals stalled, in milliseconds. With several generators, the
    /// largest value. Absent in older files: 0.
    #[serde(default)]
    pub stalled_ms: f64,
    /// How often the kernel preempted the generator's threads.
    pub preempted: u64,
}

/// The limits of this machine and this program, measured in the same run against a server that does nothing but
/// deliver.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// Live latencies against that server.
    pub live: Figures,
    /// CPU time per frame with the generator's terminals, in microseconds.
    pub cpu_us_per_frame: f64,
    /// CPU time per frame with a bare loop that only reads, in microseconds.
    pub bare_us_per_frame: f64,
}

/// All results of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this format, see [`SCHEMA`].
    pub schema: u32,
    /// The title of the run; may be empty.
    pub title: String,
    /// When the run began, in the format of RFC 3339.
    pub started_at: String,
    /// The command line, without secrets.
    pub command: String,
    /// The seed of the schedule.
    pub seed: u64,
    /// The hash of the schedule. Runs with equal hashes have the same schedule.
    pub schedule: String,
    /// The number of deliveries that the schedule alone intends, and the hash of their set.
    pub intended: (u64, String),
    /// The number of terminals.
    pub terminals: usize,
    /// The length of the measured time, without the warm-up, in seconds.
    pub measured_s: f64,
    /// When the first messages could be due and when the last was due, in seconds since the beginning of the run.
    pub span_s: (f64, f64),
    /// Whether the loop was closed: each sender waited for an answer before it sent the next message. Such times are
    /// no evidence for an SLO.
    pub closed_loop: bool,
    /// Whether the server was expected to replay missed messages.
    pub replay: bool,
    /// What the protocol promises, and so what was owed. Absent in older files: empty.
    #[serde(default)]
    pub promise: Promise,
    /// The verdict and its reasons.
    pub verdict: RunVerdict,
    /// The outcomes of the deliveries that were owed, by cohort.
    pub ledger: BTreeMap<Cohort, Account>,
    /// The reasons of the frames that were read.
    pub frames: Frames,
    /// Planned messages and the server's answers.
    pub messages: Messages,
    /// Planned stays, sessions and attempts.
    pub connections: Connections,
    /// Violations of the order of messages.
    pub reorder: Reorder,
    /// The number of faults of each kind, by [`FaultKind::name`](crate::measure::FaultKind::name).
    pub faults: BTreeMap<String, u64>,
    /// The first faults of each kind, at most [`FAULTS_KEPT`](crate::measure::tally::FAULTS_KEPT) per generator.
    pub examples: Vec<DeliveryFault>,
    /// Frames that do not change the verdict, such as those of other runs, by description.
    pub other: BTreeMap<String, u64>,
    /// Why sessions were lost, attempts failed and messages were refused, unanswered or not sent, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// Distributions of times by name, in milliseconds.
    pub latencies: BTreeMap<String, Figures>,
    /// The 95 % confidence range of the live p99 in milliseconds; `None` if too few seconds have samples. Whole
    /// seconds are resampled, because the deliveries of one broadcast are not independent.
    pub live_p99_range: Option<(f64, f64)>,
    /// Latency of live deliveries by `API > node`.
    pub matrix: BTreeMap<String, Figures>,
    /// The longest time without a message at any well-behaved terminal while its plan had it connected and messages
    /// were due, in milliseconds.
    pub max_silence_ms: f64,
    /// The run step by step.
    pub timeline: Vec<TimelineRow>,
    /// The length of a step of the timeline in seconds: 1, or more in a run of more than ten minutes. Absent in older
    /// files: 1.
    #[serde(default = "one")]
    pub timeline_step_s: u64,
    /// The marks that were set during the run.
    pub marks: Vec<MarkRow>,
    /// The resources that the servers used.
    pub servers: ServerCosts,
    /// The resources that the generator used.
    pub own: GeneratorCost,
    /// The limits of this machine and this program; `None` if they were not measured.
    pub floor: Option<Floor>,
    /// The machine on which the generator ran.
    pub environment: Environment,
    /// The number of generators that took part.
    pub generators: usize,
}

fn one() -> u64 {
    1
}

impl Report {
    /// The sum of the accounts of well-behaved terminals. Terminals that are mute or slow by plan are left out.
    pub fn behaved(&self) -> Account {
        let mut sum = Account::default();
        self.ledger.iter().filter(|(cohort, _)| cohort.behaves()).for_each(|(_, account)| sum.add(account));
        sum
    }
}

/// The distributions of all times. Includes [`names::LAST`], which only the tally of all generators together yields:
/// a broadcast's last receiver may belong to any generator. Leaves out times without a sample, except
/// [`names::LIVE`] and [`names::REPLAY`].
pub fn figures(tally: &Tally) -> BTreeMap<String, Figures> {
    let mut figures: BTreeMap<String, Figures> =
        tally.latencies.iter().map(|(name, latency)| (name.clone(), latency.into())).collect();
    // A server that never shows a result does not support results; the missing samples would make it look late with
    // all of them.
    figures.retain(|name, figures| figures.count > 0 || name == names::LIVE || name == names::REPLAY);
    let last = last(tally);
    if last.count() + last.missing > 0 {
        figures.insert(names::LAST.into(), (&last).into());
    }
    figures
}

/// The tally with [`names::LAST`] among its histograms, for the SLOs.
pub fn with_last(tally: &Tally) -> Tally {
    let mut tally = tally.clone();
    *tally.latency(names::LAST) = last(&tally);
    tally
}

/// The distribution of the time until the last steady terminal had each broadcast. A message that a steady terminal
/// never received counts as missing. A message without steady receivers is left out.
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
