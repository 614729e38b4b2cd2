//! The record of a rollout: JSON of at most [`ROLLOUT_BYTES`](crate::backplane::ROLLOUT_BYTES), which is replaced as a whole.

use std::{collections::BTreeMap, ops::Range};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, RolloutId, TerminalId,
    api::{RolloutRequest, RolloutState, TargetState},
};
use serde::{Deserialize, Serialize};

use super::PositionSet;

/// What is stored of a rollout, beside the list of its targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutRecord {
    /// Its id.
    pub id: RolloutId,
    /// What was asked for.
    pub request: RolloutRequest,
    /// Who asked: the name of the operator's key; empty if it is not known.
    pub by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: RolloutState,
    /// Why it is in this state, as a sentence.
    pub reason: Option<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it reached a final state.
    pub ended_at: Option<Timestamp>,
    /// How far its targets are frozen.
    pub frozen: FrozenTargets,
    /// The index of the wave under way.
    pub wave: usize,
    /// How many portions were begun, also those that were dropped: the number of a portion is given once.
    pub numbers: u32,
    /// What was sent, in portions, in the order in which they were begun.
    pub portions: Vec<PortionRecord>,
}

/// How far the targets of a rollout are frozen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FrozenTargets {
    /// How many there are so far.
    pub count: u64,
    /// Terminals up to this id were looked at.
    pub after: Option<TerminalId>,
    /// Whether all were looked at.
    pub is_whole: bool,
}

/// Targets of one wave that get one command. Their places are positions in the frozen order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortionRecord {
    /// Its number within the rollout. The command is accepted under a key that has it, so it is accepted once.
    pub number: u32,
    /// The index of its wave.
    pub wave: usize,
    /// The positions among which its targets are.
    pub positions: Range<u64>,
    /// Those of the positions that it has. None if it has all.
    pub only: Option<PositionSet>,
    /// When it was begun. Whether its command is accepted is not known before [`accepted_at`](Self::accepted_at) is.
    pub began_at: Timestamp,
    /// When its command was accepted, as far as its rollout goes.
    pub accepted_at: Option<Timestamp>,
    /// Its command. None before it is known to be accepted, and if none of its targets could be sent one.
    pub command: Option<CommandId>,
    /// How many targets the command has.
    pub targets: u64,
    /// How many targets it could not have: they were forgotten, or too many commands wait for them.
    pub skipped: u64,
    /// When its command expires.
    pub expires_at: Option<Timestamp>,
    /// When its last target is due, if it is paced.
    pub paced_until: Option<Timestamp>,
    /// Whether it was held before all of it was sent.
    pub held: Option<HeldPortion>,
    /// Whether its command was cancelled because the rollout was stopped.
    pub is_cancelled: bool,
    /// The number of its targets in each state, as they were when its wave ended. None before that.
    pub counts: Option<BTreeMap<TargetState, u64>>,
}

/// A paced portion that was held: its command is cancelled, and those to whom it was not sent get another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HeldPortion {
    /// When its command was cancelled. None before it is certain that each partition has cancelled it.
    pub at: Option<Timestamp>,
    /// The positions of those to whom it was not sent. None before that is certain.
    pub rest: Option<PositionSet>,
    /// Whether another portion has the rest.
    pub is_carried_on: bool,
}

impl RolloutRecord {
    /// A rollout that was just asked for.
    pub fn new(id: RolloutId, request: RolloutRequest, by: &str, created_at: Timestamp) -> Self {
        Self {
            id,
            request,
            by: by.to_owned(),
            created_at,
            state: RolloutState::Scheduled,
            reason: None,
            started_at: None,
            ended_at: None,
            frozen: FrozenTargets::default(),
            wave: 0,
            numbers: 0,
            portions: Vec::new(),
        }
    }

    /// The position of the first target that no portion has had.
    pub fn reached(&self) -> u64 {
        self.portions.iter().map(|portion| portion.positions.end).max().unwrap_or_default()
    }

    /// Whether nothing is left to do for it: it is done, or stopped and its commands are cancelled.
    pub fn is_settled(&self) -> bool {
        match self.state {
            RolloutState::Done => true,
            RolloutState::Stopped => self
                .portions
                .iter()
                .all(|portion| portion.accepted_at.is_some() && (portion.command.is_none() || portion.is_cancelled)),
            _ => false,
        }
    }

    /// Until when its record is of use: as long as it is open, or the last of its commands can still be confirmed.
    pub fn ends_at(&self) -> Option<Timestamp> {
        let expiries = self.portions.iter().filter_map(|portion| portion.expires_at);
        self.ended_at.filter(|_| self.is_settled()).map(|ended| expiries.fold(ended, Timestamp::max))
    }
}

impl PortionRecord {
    /// A portion that is begun now.
    pub fn new(number: u32, wave: usize, positions: Range<u64>, only: Option<PositionSet>, now: Timestamp) -> Self {
        Self {
            number,
            wave,
            positions,
            only,
            began_at: now,
            accepted_at: None,
            command: None,
            targets: 0,
            skipped: 0,
            expires_at: None,
            paced_until: None,
            held: None,
            is_cancelled: false,
            counts: None,
        }
    }

    /// Whether its command may still be on its way to some of its targets at its pace.
    pub fn is_paced(&self, now: Timestamp) -> bool {
        self.command.is_some() && self.held.is_none() && self.paced_until.is_some_and(|until| until > now)
    }

    /// Whether a further portion has to carry it on.
    pub fn is_held(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.is_carried_on)
    }

    /// How many targets it has, before its command is accepted.
    pub fn size(&self) -> u64 {
        self.only.as_ref().map_or(self.positions.end - self.positions.start, PositionSet::len)
    }
}
