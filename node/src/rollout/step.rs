//! The steps of a rollout.

use std::ops::Range;

use muster_protocol::api::RolloutState;

use crate::backplane::PositionSet;

/// A step. An index is that of a portion.
#[derive(Debug, Clone, PartialEq)]
pub enum RolloutStep {
    /// There is nothing to do now.
    Wait,
    /// The rollout enters a state, for a reason that is shown.
    Enter(RolloutState, Option<String>),
    /// The next targets are frozen.
    Freeze,
    /// A portion is begun, and its command accepted.
    Begin {
        /// The index of its wave.
        wave: usize,
        /// Its positions.
        positions: Range<u64>,
        /// Those that it has of them, if it carries a held portion on.
        only: Option<PositionSet>,
    },
    /// The command of a portion that was begun is accepted, unless it was before.
    Accept(usize),
    /// It is found out whether the command of a portion that was begun was accepted. Nothing is sent by that.
    Look(usize),
    /// A portion that is paced is held: its command is cancelled.
    Hold(usize),
    /// Those to whom the command of a held portion was not sent are put down.
    KeepRest(usize),
    /// The command of a portion is cancelled, since the rollout is stopped.
    Cancel(usize),
}
