//! Records what happens during a run, for judgement. Nothing is counted or compared here. Each terminal has its own record
//! behind its own lock, written only by the tasks of that terminal, so that terminals do not wait for each other. The
//! judge takes out of a record what it has judged.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use muster_client::ConnectionEnd;
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Nanos};

/// A message that a terminal received. The size is 16 bytes, because a run records many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// The index of the message in the plan.
    pub message: u32,
    /// Identifies copies: a hash of the command id. Copies with the same command id have the same value, because a
    /// client that remembers command ids recognizes them.
    pub copy: u32,
    /// When the frame was read.
    pub at: Nanos,
}

/// A connection that became a session.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionRecord {
    /// The index of the stay in the terminal's plan.
    pub stay: usize,
    /// When the connection attempt began.
    pub dialled: Nanos,
    /// When the server confirmed that the terminal is subscribed: with Muster, when the welcome was read.
    pub ready: Nanos,
    /// When the session ended; `Nanos::MAX` while it has not.
    pub ended: Nanos,
    /// The node of the session; empty if the server did not say.
    pub node: String,
    /// Whether the node promised to replay what was missed.
    pub resumed: bool,
    /// Why the session ended; `None` if it ended by plan.
    pub lost: Option<String>,
}

/// A TLS handshake that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsHandshake {
    /// How long it took.
    pub took: Nanos,
    /// Whether it was a short one, with the session ticket of an earlier connection.
    pub is_resumed: bool,
}

/// An attempt that led to no session.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedAttempt {
    /// When the attempt began.
    pub dialled: Nanos,
    /// When the attempt ended.
    pub at: Nanos,
    /// Why the attempt ended.
    pub why: String,
    /// True if the server had not answered when the terminal gave up, because its stay or the run ended.
    pub unanswered: bool,
}

/// Something received that should not occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// A message whose checksum is wrong.
    Corrupt,
    /// A message of this run that the plan does not contain.
    Phantom,
    /// A frame that no load generator sent, such as a greeting of the server. It is counted, and not judged.
    Foreign,
    /// A message of another run of a load generator, which is not judged.
    OtherRun,
    /// An error frame: the node refused a frame of the terminal.
    Complaint,
}

/// The record of one terminal.
#[derive(Debug, Clone, Default)]
pub struct TerminalLog {
    /// The sessions, in the order in which they began.
    pub sessions: Vec<SessionRecord>,
    /// Connection attempts that failed.
    pub failures: Vec<FailedAttempt>,
    /// The TLS handshakes, in the order of their ends.
    pub handshakes: Vec<TlsHandshake>,
    /// When the current connection attempt began; `None` if there is none without an outcome.
    pub dialling: Option<Nanos>,
    /// The received messages, in the order in which they were read.
    pub arrivals: Vec<Received>,
    /// The messages that came in a frame of another kind: binary, though they were sent as text, or the other way round.
    pub binary: Vec<Received>,
    /// When the node reported that messages are missing.
    pub gaps: Vec<Nanos>,
    /// What should not have been received, and when it was.
    pub odd: Vec<(Anomaly, Nanos)>,
    /// The number of messages read from a session after a newer session of the same terminal was ready and the grace
    /// of a takeover had passed.
    pub from_replaced: u64,
}

/// The outcome of sending a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// The server accepted the message.
    Accepted,
    /// The server refused the message, or it could not be reached.
    Refused(String),
    /// The server may have accepted the message: there is no response, or one that leaves it open.
    Unknown(String),
    /// The generator could not send the message for a reason of its own, so nothing is known about the server.
    Unsent(String),
}

/// A message that was sent or should have been.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The time just before the write.
    pub at: Nanos,
    /// When the response was received.
    pub answered: Nanos,
    /// The outcome of sending the message.
    pub fate: SendOutcome,
    /// The index of the API endpoint that the message was sent to.
    #[serde(rename = "via")]
    pub endpoint: usize,
    /// For a message to one terminal: when the API first showed that the terminal acknowledged it.
    pub acked: Option<Nanos>,
    /// For a message to one terminal: when the API first showed its result.
    pub done: Option<Nanos>,
}

impl Sent {
    /// When the server had accepted the message; [`Nanos::MAX`] if it did not say so. A server that answers with 504 may accept the
    /// message after the answer.
    pub fn accepted(&self) -> Nanos {
        if self.fate == SendOutcome::Accepted { self.answered } else { Nanos::MAX }
    }
}

/// The records of a run.
#[derive(Debug)]
pub struct Journal {
    /// The clock of the run.
    pub clock: Clock,
    terminals: Vec<Mutex<TerminalLog>>,
    sent: Vec<Mutex<Option<Sent>>>,
    resumed: AtomicBool,
}

impl Journal {
    /// Creates an empty journal for these numbers of terminals and messages.
    pub fn new(clock: Clock, terminals: usize, messages: usize) -> Self {
        Self {
            clock,
            terminals: (0..terminals).map(|_| Mutex::default()).collect(),
            sent: (0..messages).map(|_| Mutex::default()).collect(),
            resumed: AtomicBool::new(false),
        }
    }

    /// Locks and returns the record of one terminal.
    pub fn terminal(&self, number: usize) -> MutexGuard<'_, TerminalLog> {
        lock(&self.terminals[number])
    }

    /// Locks and returns the outcome of a message; `None` if it was not sent.
    pub fn sent(&self, message: usize) -> MutexGuard<'_, Option<Sent>> {
        lock(&self.sent[message])
    }

    /// Ends the run at `now`: records each connection attempt that has no outcome yet as a failure.
    pub fn give_up(&self, now: Nanos) {
        (0..self.terminals.len()).for_each(|number| self.terminal(number).give_up(now));
    }

    /// Records that the server resumed a session: it replays what a terminal missed.
    pub fn set_resumed(&self) {
        self.resumed.store(true, Relaxed);
    }

    /// Whether the server resumed any session so far.
    pub fn has_resumed(&self) -> bool {
        self.resumed.load(Relaxed)
    }

    /// Records what other generators sent. `None` leaves the record of a message as it is.
    pub fn learn(&self, sent: Vec<Option<Sent>>) {
        let known = sent.into_iter().enumerate().filter(|(_, sent)| sent.is_some());
        known.for_each(|(message, sent)| *self.sent(message) = sent);
    }

    /// Returns a copy of the outcomes of all messages.
    pub fn all_sent(&self) -> Vec<Option<Sent>> {
        self.sent.iter().map(|sent| lock(sent).clone()).collect()
    }
}

fn lock<T>(line: &Mutex<T>) -> MutexGuard<'_, T> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TerminalLog {
    /// Records that the terminal gave up its current attempt, if it has one, before the server answered.
    pub fn give_up(&mut self, now: Nanos) {
        if let Some(dialled) = self.dialling.take() {
            let why = "the server did not answer while the terminal waited".to_owned();
            self.failures.push(FailedAttempt { dialled, at: now, why, unanswered: true });
        }
    }

    /// Records that a session ended at `at`; `lost` is the reason if it did not end by plan.
    pub fn ended(&mut self, session: usize, at: Nanos, lost: Option<&ConnectionEnd>) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.ended = at;
            session.lost = lost.map(ConnectionEnd::to_string);
        }
    }
}
