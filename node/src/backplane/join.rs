//! Joining: what a session tells the backplane when it registers, and what the backplane answers, so that the session
//! can go on where the terminal's last session stopped.

use std::{sync::Arc, time::Duration};

use muster_protocol::{CommandId, Payload};

use super::cursor::Cursor;
use crate::{end::SessionEnd, hub::SessionInfo};

/// What a session tells the backplane when it registers.
#[derive(Debug, Clone)]
pub struct JoinRequest {
    /// The identity of the session.
    pub info: Arc<SessionInfo>,
    /// The last will, which is published once if the terminal is lost.
    pub will: Option<Payload>,
    /// The terminal's cursor. None for a terminal that never had one.
    pub cursor: Option<Cursor>,
    /// Whether the session was registered before. The registry may have lost or replaced it since.
    pub again: bool,
    /// Whether the session has waited as [`JoinOutcome::Contested`] demanded.
    pub patient: bool,
}

/// The result of joining.
#[derive(Debug)]
pub enum JoinOutcome {
    /// The session is registered.
    In(ResumePoint),
    /// The store has ended the session: the terminal has a newer one, or an operator ended it.
    Ended(SessionEnd),
    /// Sessions of the terminal replace each other again and again. The session must wait for this time before it
    /// replaces the other.
    Contested(Duration),
    /// The store is away. The session goes on without being registered, and joins again when the store is back.
    Away,
}

/// Where a session continues.
#[derive(Debug, Clone, PartialEq)]
pub struct ResumePoint {
    /// The cursor up to which commands were looked at. Each command for the terminal up to this cursor is in `missed`,
    /// unless it was confirmed or is lost; a later command is sent live.
    pub cursor: Cursor,
    /// Commands for the terminal that were not confirmed, in order.
    pub missed: Vec<MissedCommand>,
    /// Why the terminal has missed commands that are not in `missed`. None if `missed` has all.
    pub lost: Option<GapReason>,
}

impl ResumePoint {
    /// Returns the position of a terminal before it receives any of `missed`.
    pub fn before(&self) -> Cursor {
        let first = self.missed.iter().find(|missed| missed.to_all).map(|missed| missed.number - 1);
        Cursor { number: first.unwrap_or(self.cursor.number), ..self.cursor.clone() }
    }
}

/// A command that a terminal has missed, or has not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissedCommand {
    /// The command's sequence number.
    pub number: u64,
    /// The command's id.
    pub command: CommandId,
    /// Whether the command is a broadcast. Only a broadcast moves the cursor.
    pub to_all: bool,
}

/// Why broadcasts can't be sent again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GapReason {
    /// The log begins after this sequence number.
    Trimmed(u64),
    /// The store was lost, so nobody knows which broadcasts are missing.
    Store,
}

impl GapReason {
    /// Returns the reason as the terminal gets it.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Trimmed(_) => "the log no longer has them",
            Self::Store => "the store was lost",
        }
    }
}
