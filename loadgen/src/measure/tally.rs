//! The sums and histograms of a run, or of one generator's part of it. [`Tally::merge`] loses nothing, so
//! percentiles are judged over the samples of all generators together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Cohort, Latency, Timeline,
    fault::{DeliveryFault, FaultKind},
    sums::{Account, Connections, Frames, Messages, Reorder},
};
use crate::clock::Nanos;

/// The number of faults of each kind that are stored with their details. Further faults are only counted.
pub const FAULTS_KEPT: usize = 20;

/// Everything that was counted and measured.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// The outcomes of the deliveries that are owed, by cohort.
    pub ledger: BTreeMap<Cohort, Account>,
    /// The reasons of the frames that were read.
    pub frames: Frames,
    /// Planned messages and the server's answers.
    pub messages: Messages,
    /// Planned stays, sessions and attempts.
    pub connections: Connections,
    /// Violations of the order of messages.
    pub reorder: Reorder,
    /// The number of faults of each kind.
    pub faults: BTreeMap<FaultKind, u64>,
    /// The first [`FAULTS_KEPT`] faults of each kind. A merge puts the lists of all parts together, so each part may
    /// add that many.
    pub examples: Vec<DeliveryFault>,
    /// Error frames of nodes, by description. They do not change the verdict.
    pub other: BTreeMap<String, u64>,
    /// Why sessions were lost, attempts failed and messages were refused, unanswered or not sent, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// Histograms by name, see [`crate::names`].
    pub latencies: BTreeMap<String, Latency>,
    /// Latency of live deliveries by `API > node`.
    pub matrix: BTreeMap<String, Latency>,
    /// For each message to all terminals: the time in nanoseconds from when the message was due until the last
    /// steady terminal had it; 0 if no steady terminal had it.
    pub last: Vec<Nanos>,
    /// For each message: the number of steady terminals that never received it.
    pub short: Vec<u32>,
    /// The run second by second.
    pub timeline: Timeline,
    /// The longest time in nanoseconds without a message at any well-behaved terminal, while its plan had it
    /// connected and messages were due.
    pub max_silence: Nanos,
}

impl Tally {
    /// Returns the histogram with this name. Adds an empty one if there is none.
    pub fn latency(&mut self, name: &str) -> &mut Latency {
        if !self.latencies.contains_key(name) {
            self.latencies.insert(name.to_owned(), Latency::default());
        }
        self.latencies.get_mut(name).expect("the entry was inserted above")
    }

    /// Counts a fault, and stores it if it is among the first [`FAULTS_KEPT`] of its kind.
    pub fn fault(&mut self, fault: DeliveryFault) {
        let count = self.faults.entry(fault.kind).or_default();
        *count += 1;
        if *count <= FAULTS_KEPT as u64 {
            self.examples.push(fault);
        }
    }

    /// Returns the number of faults of a kind.
    pub fn count(&self, kind: FaultKind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or_default()
    }

    /// Counts the reason `why` of an event `what`. Only the first 120 characters of the reason are used.
    pub fn reason(&mut self, what: &str, why: &str) {
        // Addresses and ids are left out of reasons where they are written, so a run with many terminals has few
        // distinct reasons.
        let why: String = why.chars().take(120).collect();
        *self.reasons.entry(format!("{what}: {why}")).or_default() += 1;
    }

    /// Returns the sum of the accounts of well-behaved terminals. Terminals that are mute or slow by plan have accounts
    /// of their own.
    pub fn behaved(&self) -> Account {
        let mut sum = Account::default();
        let behaved = self.ledger.iter().filter(|(cohort, _)| cohort.behaves());
        behaved.for_each(|(_, account)| sum.add(account));
        sum
    }

    /// Returns whether all equations hold: every delivery that is owed, every stay and every message has one outcome,
    /// and every frame has one reason.
    pub fn closes(&self) -> bool {
        let deliveries = self.ledger.values().all(Account::closes);
        deliveries && self.frames.closes() && self.connections.closes() && self.messages.closes()
    }

    /// Adds the tally of another part of the same run.
    pub fn merge(&mut self, other: &Self) {
        other.ledger.iter().for_each(|(cohort, account)| self.ledger.entry(*cohort).or_default().add(account));
        self.add_sums(other);
        other.faults.iter().for_each(|(kind, count)| *self.faults.entry(*kind).or_default() += count);
        self.examples.extend(other.examples.iter().cloned());
        other.other.iter().for_each(|(name, count)| *self.other.entry(name.clone()).or_default() += count);
        other.reasons.iter().for_each(|(why, count)| *self.reasons.entry(why.clone()).or_default() += count);
        other.latencies.iter().for_each(|(name, latency)| self.latency(name).merge(latency));
        other.matrix.iter().for_each(|(key, latency)| self.matrix.entry(key.clone()).or_default().merge(latency));
        self.last.resize(self.last.len().max(other.last.len()), 0);
        self.last.iter_mut().zip(&other.last).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
        self.short.resize(self.short.len().max(other.short.len()), 0);
        self.short.iter_mut().zip(&other.short).for_each(|(mine, theirs)| *mine += theirs);
        self.timeline.merge(&other.timeline);
        self.max_silence = self.max_silence.max(other.max_silence);
    }

    fn add_sums(&mut self, other: &Self) {
        let Self { frames: f, messages: m, connections: c, reorder: r, .. } = self;
        let (of, om, oc, or) = (&other.frames, &other.messages, &other.connections, &other.reorder);
        add(&mut [
            (&mut f.read, of.read),
            (&mut f.owed, of.owed),
            (&mut f.extra, of.extra),
            (&mut f.indeterminate, of.indeterminate),
            (&mut f.dup_wire, of.dup_wire),
            (&mut f.dup_app, of.dup_app),
            (&mut f.misdelivered, of.misdelivered),
            (&mut f.phantom, of.phantom),
            (&mut f.corrupt, of.corrupt),
            (&mut f.other_run, of.other_run),
            (&mut f.foreign, of.foreign),
            (&mut m.planned, om.planned),
            (&mut m.broadcasts, om.broadcasts),
            (&mut m.punctual, om.punctual),
            (&mut m.sent, om.sent),
            (&mut m.accepted, om.accepted),
            (&mut m.refused, om.refused),
            (&mut m.indeterminate, om.indeterminate),
            (&mut m.unsent, om.unsent),
            (&mut c.planned, oc.planned),
            (&mut c.made, oc.made),
            (&mut c.never, oc.never),
            (&mut c.unanswered, oc.unanswered),
            (&mut c.brief, oc.brief),
            (&mut c.sessions, oc.sessions),
            (&mut c.lost, oc.lost),
            (&mut c.never_recovered, oc.never_recovered),
            (&mut c.failed, oc.failed),
            (&mut c.resumed, oc.resumed),
            (&mut c.peak, oc.peak),
            (&mut r.wire, or.wire),
            (&mut r.app, or.app),
        ]);
        r.displacement = r.displacement.max(or.displacement);
    }
}

fn add(pairs: &mut [(&mut u64, u64)]) {
    pairs.iter_mut().for_each(|(mine, theirs)| **mine += *theirs);
}
