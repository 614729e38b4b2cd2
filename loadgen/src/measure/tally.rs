//! The sums and histograms of a run, or of one generator's part of it. [`Tally::merge`] loses nothing: what is judged by percentiles is
//! judged on the union.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Cohort, Latency, Timeline};
use crate::clock::Nanos;

/// Of each kind so many faults are kept with all that is known of them; more are only counted.
pub const FAULTS_KEPT: usize = 20;

/// What became of the deliveries that a cohort is owed. Always: expected = on time + late + replayed + signalled gap + silently lost.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Owed.
    pub expected: u64,
    /// Came within the grace.
    pub on_time: u64,
    /// Came after it.
    pub late: u64,
    /// Came by replay.
    pub replayed: u64,
    /// Did not come, and the server said that something is missing.
    pub signalled_gap: u64,
    /// Did not come, and nobody said so.
    pub silently_lost: u64,
}

impl Account {
    /// Whether every expected delivery has one fate.
    pub fn closes(&self) -> bool {
        self.expected == self.on_time + self.late + self.replayed + self.signalled_gap + self.silently_lost
    }

    /// What did not come.
    pub fn lost(&self) -> u64 {
        self.signalled_gap + self.silently_lost
    }

    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.on_time += other.on_time;
        self.late += other.late;
        self.replayed += other.replayed;
        self.signalled_gap += other.signalled_gap;
        self.silently_lost += other.silently_lost;
    }
}

/// What is wrong with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// It did not come, and nobody said so.
    SilentlyLost,
    /// It came again, and a client that remembers ids would not have known it.
    DupApp,
    /// It came after one that was sent when it had long been accepted.
    Reordered,
    /// It was changed on its way.
    Corrupt,
    /// It was for another terminal.
    Misdelivered,
    /// It was never sent, or the server had refused it.
    Phantom,
    /// It came before it was sent: the clock is wrong, or the program.
    BeforeSent,
    /// It came to a session long after another one of the same terminal had taken over.
    FromReplaced,
}

impl FaultKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::SilentlyLost => "silently lost",
            Self::DupApp => "delivered twice",
            Self::Reordered => "reordered",
            Self::Corrupt => "corrupt",
            Self::Misdelivered => "misdelivered",
            Self::Phantom => "phantom",
            Self::BeforeSent => "before sent",
            Self::FromReplaced => "from replaced",
        }
    }
}

/// One fault, to be looked for in the logs of the servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// Which message, if it could be read.
    pub message: Option<u64>,
    /// Which terminal.
    pub terminal: String,
    /// When, in nanoseconds of the run.
    pub at: Nanos,
    /// On which node, if it said so.
    pub node: String,
}

/// Connections.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Stays that were planned.
    pub planned: u64,
    /// Stays in which the terminal was let in.
    pub made: u64,
    /// Stays in which it was not, though it tried for long.
    pub never: u64,
    /// Sessions in all.
    pub sessions: u64,
    /// Sessions that ended, not by plan.
    pub lost: u64,
    /// Of these, those that were never made up for.
    pub never_recovered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Sessions that the server promised to go on with where the last one stood.
    pub resumed: u64,
    /// The most terminals on the line at once.
    pub peak: u64,
}

/// Messages.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Due.
    pub planned: u64,
    /// Of these, those for all.
    pub broadcasts: u64,
    /// Sent at most a second after they were due.
    pub punctual: u64,
    /// Sent.
    pub sent: u64,
    /// The server took them.
    pub accepted: u64,
    /// It did not.
    pub refused: u64,
    /// It may have.
    pub indeterminate: u64,
}

/// Every frame that was read has one reason: the second equation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Messages of this run that were read.
    pub read: u64,
    /// First deliveries that were owed.
    pub owed: u64,
    /// First deliveries that were not owed, and legal: to terminals about to leave or just come.
    pub extra: u64,
    /// First deliveries of messages of which nobody knows whether the server took them.
    pub indeterminate: u64,
    /// Came again, and a client that remembers ids knows it.
    pub dup_wire: u64,
    /// Came again, and it does not.
    pub dup_app: u64,
    /// For another terminal.
    pub misdelivered: u64,
    /// Refused, and delivered.
    pub phantom: u64,
}

impl Frames {
    /// Whether each has one.
    pub fn closes(&self) -> bool {
        let reasons = self.owed + self.extra + self.indeterminate + self.dup_wire + self.dup_app;
        self.read == reasons + self.misdelivered + self.phantom
    }
}

/// Order among messages whose order was settled before the later one was sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reorder {
    /// Frames that came after one that they precede.
    pub wire: u64,
    /// The same, repetitions left out.
    pub app: u64,
    /// The most that one was overtaken by.
    pub displacement: u64,
}

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
    /// By name, see [`names`].
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

/// The names of [`Tally::latencies`].
pub mod names {
    /// From when it was due to when a terminal had it. The headline.
    pub const LIVE: &str = "live";
    /// From when it was sent.
    pub const SERVICE: &str = "service";
    /// From when it was due to when a terminal had it by replay.
    pub const REPLAY: &str = "replay";
    /// From when a terminal was to connect to when it was ready, retries included.
    pub const CONNECT: &str = "connect";
    /// One attempt that succeeded.
    pub const ATTEMPT: &str = "attempt";
    /// From when a broadcast was due to when its last receiver had it.
    pub const LAST: &str = "last";
    /// From when a command to one terminal was due to when that had it.
    pub const COMMAND: &str = "command";
    /// To when the server showed its ack.
    pub const ACK: &str = "ack";
    /// To when the server showed its result.
    pub const RESULT: &str = "result";
    /// From when a message was due to when it was sent: the generator's own delay.
    pub const LAG: &str = "lag";
    /// From when a message was sent to when the server had taken it.
    pub const ACCEPT: &str = "accept";
    /// From a lost session to the next one.
    pub const RECONNECT: &str = "reconnect";
    /// From a lost session to the last message that it had missed.
    pub const CAUGHT_UP: &str = "caught_up";
    /// How much too late a thread of the generator was woken.
    pub const CANARY: &str = "canary";
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
        let behaved = self.ledger.iter().filter(|(cohort, _)| !matches!(cohort, Cohort::Mute | Cohort::Slow));
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
