//! What was seen, written down as it happens and judged later: here nothing is counted, compared or thrown away. Each terminal has
//! lines of its own, which only its own task writes, so that nobody waits for anybody.

use std::sync::{Mutex, MutexGuard, PoisonError};

use muster_client::ConnectionEnd;
use serde::{Deserialize, Serialize};

use crate::clock::{Clock, Nanos};

/// A message that a terminal got: 16 bytes, since there are many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the plan.
    pub message: u32,
    /// Tells copies apart: the same for the same command id, so that a client that remembers ids would know it.
    pub copy: u32,
    /// When its frame was read.
    pub at: Nanos,
}

/// One connection that came to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// Which of the terminal's stays.
    pub stay: usize,
    /// When this attempt began.
    pub dialled: Nanos,
    /// When the welcome was read.
    pub ready: Nanos,
    /// When it ended; `Nanos::MAX` while it has not.
    pub ended: Nanos,
    /// The node that held it; empty if it did not say.
    pub node: String,
    /// Whether the node promised to send what was missed.
    pub resumed: bool,
    /// How it ended, if not by plan.
    pub lost: Option<String>,
}

/// An attempt that led to no session.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// When the attempt began.
    pub dialled: Nanos,
    /// When the attempt ended.
    pub at: Nanos,
    /// Why the attempt ended.
    pub why: String,
    /// True if the server had not answered when the terminal gave up, because its stay or the run ended.
    pub unanswered: bool,
}

/// What should not come at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Odd {
    /// A message that was changed on its way.
    Corrupt,
    /// Something that no load generator sent.
    Phantom,
    /// A message of another run of a load generator: not ours to judge.
    OtherRun,
    /// The node complained about a frame.
    Complaint,
}

/// One terminal's lines.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// In the order they began.
    pub sessions: Vec<Session>,
    /// Attempts that failed.
    pub failures: Vec<Failure>,
    /// When the attempt began that is still without an outcome.
    pub dialling: Option<Nanos>,
    /// In the order they were read.
    pub arrivals: Vec<Arrival>,
    /// When the node said that messages are missing.
    pub gaps: Vec<Nanos>,
    /// What should not have come, and when.
    pub odd: Vec<(Odd, Nanos)>,
    /// Messages read from a session after another of the same terminal was ready, and after the grace that a takeover has.
    pub from_replaced: u64,
}

/// What the server made of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SendOutcome {
    /// It took it.
    Accepted,
    /// It did not, and said so; or it was not reached.
    Refused(String),
    /// It may have: the answer is missing.
    Unknown(String),
    /// The generator could not send it, for a reason of its own: nothing is known of the server.
    Unsent(String),
}

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Just before the write.
    pub at: Nanos,
    /// When the answer was there.
    pub answered: Nanos,
    /// What it said.
    pub fate: SendOutcome,
    /// Which of the APIs took it.
    pub via: usize,
    /// For a message to one terminal: when the server first showed that the terminal has it.
    pub acked: Option<Nanos>,
    /// And when it showed its result.
    pub done: Option<Nanos>,
}

/// All lines of a run.
#[derive(Debug)]
pub struct Journal {
    /// The run's time.
    pub clock: Clock,
    terminals: Vec<Mutex<Lines>>,
    sent: Vec<Mutex<Option<Sent>>>,
}

impl Journal {
    /// Empty.
    pub fn new(clock: Clock, terminals: usize, messages: usize) -> Self {
        Self {
            clock,
            terminals: (0..terminals).map(|_| Mutex::default()).collect(),
            sent: (0..messages).map(|_| Mutex::default()).collect(),
        }
    }

    /// One terminal's lines.
    pub fn terminal(&self, number: usize) -> MutexGuard<'_, Lines> {
        lock(&self.terminals[number])
    }

    /// What became of a message; `None` if it was never sent.
    pub fn sent(&self, message: usize) -> MutexGuard<'_, Option<Sent>> {
        lock(&self.sent[message])
    }

    /// Records an attempt without an outcome as a failure, for each terminal: the run is over at `now`.
    pub fn give_up(&self, now: Nanos) {
        (0..self.terminals.len()).for_each(|number| self.terminal(number).give_up(now));
    }

    /// All messages.
    pub fn all_sent(&self) -> Vec<Option<Sent>> {
        self.sent.iter().map(|sent| lock(sent).clone()).collect()
    }
}

fn lock<T>(line: &Mutex<T>) -> MutexGuard<'_, T> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lines {
    /// Records that the terminal gave up its attempt, if it has one, before the server answered.
    pub fn give_up(&mut self, now: Nanos) {
        if let Some(dialled) = self.dialling.take() {
            let why = "the server did not answer while the terminal waited".to_owned();
            self.failures.push(Failure { dialled, at: now, why, unanswered: true });
        }
    }

    /// A session is over.
    pub fn ended(&mut self, session: usize, at: Nanos, lost: Option<&ConnectionEnd>) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.ended = at;
            session.lost = lost.map(ConnectionEnd::to_string);
        }
    }
}
