//! A session that joins: what it brings, and what it must know to go on where its terminal's last one stopped.

use std::{sync::Arc, time::Duration};

use muster_protocol::{CommandId, Payload};

use super::cursor::Cursor;
use crate::hub::SessionInfo;

/// What a session brings.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// Who it is.
    pub info: Arc<SessionInfo>,
    /// Published once if the terminal is lost.
    pub will: Option<Payload>,
    /// Where it stood; none for a terminal that never had a cursor.
    pub cursor: Option<Cursor>,
    /// Whether it was registered before, and may have been forgotten or replaced since.
    pub again: bool,
    /// Whether it has waited its time after too many sessions of one id.
    pub patient: bool,
}

/// What became of it.
#[derive(Debug)]
pub enum JoinOutcome {
    /// It is the terminal's session now.
    In(ResumePoint),
    /// The terminal has a newer one.
    Outdated,
    /// The terminal's sessions replace each other without end: this one waits for so long before it replaces the other.
    Contested(Duration),
    /// The store is away. It is let in all the same, and joins again when the store is back.
    Away,
}

/// Where a session begins.
#[derive(Debug, Clone, PartialEq)]
pub struct ResumePoint {
    /// What was accepted up to here is in `missed` or is not for it; what comes after, it gets live.
    pub cursor: Cursor,
    /// What is for it and was not confirmed, in order.
    pub missed: Vec<MissedCommand>,
    /// What is for it and will not come.
    pub lost: Option<GapReason>,
}

impl ResumePoint {
    /// Where a terminal stands before it has got anything of what it missed.
    pub fn before(&self) -> Cursor {
        let first = self.missed.iter().find(|missed| missed.to_all).map(|missed| missed.number - 1);
        Cursor { number: first.unwrap_or(self.cursor.number), ..self.cursor.clone() }
    }
}

/// A command that a terminal has missed, or has not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedCommand {
    /// Its place in the order of all commands.
    pub number: u64,
    /// Which.
    pub command: CommandId,
    /// Whether it is for all, and so moves the cursor.
    pub to_all: bool,
}

/// Broadcasts that can't be made up for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapReason {
    /// Those up to this number: the log does not reach back so far.
    Trimmed(u64),
    /// Nobody knows which: the store is another.
    Store,
}

impl GapReason {
    /// Why, for the terminal.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Trimmed(_) => "the log no longer has them",
            Self::Store => "the store was lost",
        }
    }
}
