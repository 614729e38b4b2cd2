//! The counts of a run, and the equations that must hold between them: [`Account::closes`] for deliveries that are
//! owed, [`Frames::closes`] for frames that were read, [`Connections::closes`] for stays, [`Messages::closes`] for
//! messages.

use serde::{Deserialize, Serialize};

/// The outcomes of the deliveries that a cohort is owed. Each delivery has exactly one outcome: `expected` is the sum
/// of the other fields.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Deliveries that are owed.
    pub expected: u64,
    /// Deliveries that arrived live, at most the grace (`--grace`) after the message was due.
    pub on_time: u64,
    /// Deliveries that arrived live, later than the grace.
    pub late: u64,
    /// Deliveries that arrived by replay in a resumed session, at any time.
    pub replayed: u64,
    /// Deliveries that never arrived, and the server reported a gap that covers them.
    pub signalled_gap: u64,
    /// Deliveries that arrived in a frame of another kind: binary, though the message was sent as text, or text, though
    /// it was sent as binary. Absent in older files: 0.
    #[serde(default)]
    pub other_kind: u64,
    /// Deliveries to a terminal that was still away when the run ended, within its own backoff: nobody can know whether
    /// it would have got them. Absent in older files: 0.
    #[serde(default)]
    pub still_away: u64,
    /// Deliveries that never arrived while the session was lost, if the protocol delivers at most once: such losses are
    /// expected. Absent in older files: 0.
    #[serde(default)]
    pub not_promised: u64,
    /// Deliveries that never arrived, and no gap was reported.
    pub silently_lost: u64,
}

impl Account {
    /// Returns whether every expected delivery has exactly one outcome.
    pub fn closes(&self) -> bool {
        let arrived = self.on_time + self.late + self.replayed + self.other_kind;
        self.expected == arrived + self.signalled_gap + self.still_away + self.not_promised + self.silently_lost
    }

    /// Returns the number of deliveries that never arrived, whether the server reported a gap or not, and whatever the
    /// protocol promises.
    pub fn lost(&self) -> u64 {
        self.signalled_gap + self.not_promised + self.silently_lost
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.on_time += other.on_time;
        self.late += other.late;
        self.replayed += other.replayed;
        self.signalled_gap += other.signalled_gap;
        self.other_kind += other.other_kind;
        self.still_away += other.still_away;
        self.not_promised += other.not_promised;
        self.silently_lost += other.silently_lost;
    }
}

/// Counts of planned stays, sessions and connection attempts. A stay is a time in which the plan has a terminal
/// connected. Each stay has exactly one outcome: `planned` = `made` + `never` + `unanswered` + `brief`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Planned stays that began before the run was over.
    pub planned: u64,
    /// Stays with at least one session.
    pub made: u64,
    /// Stays without a session in which the server refused an attempt, or could not be reached.
    pub never: u64,
    /// Stays without a session in which no attempt was answered. Absent in older files: 0.
    #[serde(default)]
    pub unanswered: u64,
    /// Stays without a session, if the stay or the run ended before the server had its time to answer. They say nothing
    /// about the server. Absent in older files: 0.
    #[serde(default)]
    pub brief: u64,
    /// Sessions of all stays.
    pub sessions: u64,
    /// Sessions that ended although the plan did not end them.
    pub lost: u64,
    /// Lost sessions (`lost`) that no other session of the same stay followed. Leaves out a terminal that may still
    /// have been in its backoff.
    pub never_recovered: u64,
    /// Connection attempts that failed.
    pub failed: u64,
    /// Sessions that the server resumed: it promised to send what the terminal had missed.
    pub resumed: u64,
    /// The largest number of terminals connected at the end of one second. A merge adds the peaks of the parts.
    pub peak: u64,
}

impl Connections {
    /// Returns whether every planned stay has exactly one outcome.
    pub fn closes(&self) -> bool {
        self.planned == self.made + self.never + self.unanswered + self.brief
    }
}

/// Counts of planned messages, and of the server's answers to them. Each message has exactly one outcome: `planned` =
/// `accepted` + `refused` + `indeterminate` + `unsent`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Messages {
    /// Messages that were due before the run was over. In a closed loop: messages that were sent.
    pub planned: u64,
    /// Messages among `planned` that are addressed to all terminals.
    pub broadcasts: u64,
    /// Messages sent at most one second after they were due.
    pub punctual: u64,
    /// Messages written to the server.
    pub sent: u64,
    /// Messages that the server accepted.
    pub accepted: u64,
    /// Messages that the server refused, and messages for which no server was reached.
    pub refused: u64,
    /// Messages without an answer: the server may have accepted them.
    pub indeterminate: u64,
    /// Messages that were due and that the generator could not send for a reason of its own, for example because its
    /// sending connection was down. Absent in older files: 0.
    #[serde(default)]
    pub unsent: u64,
}

impl Messages {
    /// Returns whether every message has exactly one outcome.
    pub fn closes(&self) -> bool {
        let sent = self.accepted + self.refused + self.indeterminate;
        self.sent == sent && self.planned == sent + self.unsent
    }
}

/// The reasons of the frames that were read. Each frame has exactly one reason: `read` is the sum of the other
/// fields.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Text and binary frames, without those in which the protocol says something about a session.
    pub read: u64,
    /// First deliveries that were owed, in whatever kind of frame.
    pub owed: u64,
    /// First deliveries that were not owed but are legal: the terminal was about to leave or had just connected.
    pub extra: u64,
    /// First deliveries of messages without an answer: the server may or may not have accepted them.
    pub indeterminate: u64,
    /// Repeated deliveries with an id that the terminal had seen. A client that remembers ids discards them.
    pub dup_wire: u64,
    /// Repeated deliveries that the client does not recognise: under a new id, or to a client that remembers no ids.
    pub dup_app: u64,
    /// Messages addressed to another terminal.
    pub misdelivered: u64,
    /// Messages that were delivered although they were never sent or the server had refused them.
    pub phantom: u64,
    /// Messages that were changed on their way, so that nobody can know which they were. Absent in older files: 0.
    #[serde(default)]
    pub corrupt: u64,
    /// Messages of another run of a load generator. Absent in older files: 0.
    #[serde(default)]
    pub other_run: u64,
    /// Frames that no load generator sent, such as a greeting of the server. Absent in older files: 0.
    #[serde(default)]
    pub foreign: u64,
}

impl Frames {
    /// Returns whether every frame has exactly one reason.
    pub fn closes(&self) -> bool {
        let reasons = self.owed + self.extra + self.indeterminate + self.dup_wire + self.dup_app;
        let wrong = self.misdelivered + self.phantom + self.corrupt;
        self.read == reasons + wrong + self.other_run + self.foreign
    }
}

/// Violations of the order of messages. Two messages have an order only if the server accepted the one before the
/// other was sent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reorder {
    /// Frames that arrived after a message that they precede, repetitions included.
    pub wire: u64,
    /// First deliveries that arrived after a message that they precede.
    pub app: u64,
    /// The largest number of later messages that arrived before one message.
    pub displacement: u64,
}
