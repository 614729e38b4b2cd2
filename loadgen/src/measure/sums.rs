//! The whole numbers of a run, and the two equations that hold them together.

use serde::{Deserialize, Serialize};

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

/// Connections.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Stays that were planned.
    pub planned: u64,
    /// Stays in which the terminal was let in.
    pub made: u64,
    /// Stays in which it was not, though it tried.
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
    /// Due, and not sent for a reason of the generator's own, such as its sending connection being down.
    #[serde(default)]
    pub unsent: u64,
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
