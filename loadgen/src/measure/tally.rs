//! The sums and histograms of a run, or of one generator's part of it. [`Tally::merge`] loses nothing: what is judged by percentiles is
//! judged on the union.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Cohort, Latency, Timeline,
    fault::{Fault, FaultKind},
    sums::{Account, Connections, Frames, Messages, Reorder},
};
use crate::clock::Nanos;

/// Of each kind so many faults are kept with all that is known of them; more are only counted.
pub const FAULTS_KEPT: usize = 20;

/// All of it.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// What became of what was owed.
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
    pub faults: BTreeMap<FaultKind, u64>,
    /// The first of each kind.
    pub examples: Vec<Fault>,
    /// Frames of other runs, and complaints of nodes: neither good nor bad.
    pub other: BTreeMap<String, u64>,
    /// Why sessions were lost, attempts failed and messages were refused, and how often.
    pub reasons: BTreeMap<String, u64>,
    /// By name, see [`super::names`].
    pub latencies: BTreeMap<String, Latency>,
    /// By `API > node`.
    pub matrix: BTreeMap<String, Latency>,
    /// By message: when the last steady terminal had it, since it was due; zero if none had.
    pub last: Vec<Nanos>,
    /// By message: how many steady terminals never had it.
    pub short: Vec<u32>,
    /// Second by second.
    pub timeline: Timeline,
    /// The longest that any terminal heard nothing while it meant to be on the line.
    pub max_silence: Nanos,
}

impl Tally {
    /// A histogram by name.
    pub fn latency(&mut self, name: &str) -> &mut Latency {
        if !self.latencies.contains_key(name) {
            self.latencies.insert(name.to_owned(), Latency::default());
        }
        self.latencies.get_mut(name).expect("it was just put there")
    }

    /// Counts a fault, and keeps it if it is among the first.
    pub fn fault(&mut self, fault: Fault) {
        let count = self.faults.entry(fault.kind).or_default();
        *count += 1;
        if *count <= FAULTS_KEPT as u64 {
            self.examples.push(fault);
        }
    }

    /// How many faults of a kind.
    pub fn count(&self, kind: FaultKind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or_default()
    }

    /// Counts a reason.
    pub fn reason(&mut self, what: &str, why: &str) {
        // The reasons of a crowd are few, once addresses and ids are left out of them.
        let why: String = why.chars().take(120).collect();
        *self.reasons.entry(format!("{what}: {why}")).or_default() += 1;
    }

    /// The account of all who behave: whoever is mute or slow by plan has one of its own.
    pub fn behaved(&self) -> Account {
        let mut sum = Account::default();
        let behaved = self.ledger.iter().filter(|(cohort, _)| cohort.behaves());
        behaved.for_each(|(_, account)| sum.add(account));
        sum
    }

    /// Whether both equations hold.
    pub fn closes(&self) -> bool {
        self.frames.closes() && self.ledger.values().all(Account::closes)
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
