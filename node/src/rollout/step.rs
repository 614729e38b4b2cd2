//! What is to be done next for a rollout: a function of its record, of what its wave came to, and of the time.

use std::{ops::Range, time::Duration};

use jiff::Timestamp;
use muster_protocol::api::RolloutState;

use super::{outcome::WaveOutcome, sending, window::is_open};
use crate::backplane::{PortionRecord, PositionSet, RolloutRecord};

/// How long after a command was cancelled it is certain to whom it was sent: a node that did not hear of it has no lease any more, so it
/// delivers nothing.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

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

/// The next step.
pub fn next_step(rollout: &RolloutRecord, outcome: &WaveOutcome, now: Timestamp) -> RolloutStep {
    match rollout.state {
        RolloutState::Scheduled if rollout.request.start_at.is_none_or(|at| at <= now) => {
            RolloutStep::Enter(RolloutState::Running, None)
        }
        RolloutState::Scheduled | RolloutState::Done => RolloutStep::Wait,
        RolloutState::Stopped => stopping(rollout),
        RolloutState::Paused => holding(rollout, now),
        RolloutState::Running | RolloutState::WaitingWindow if !rollout.frozen.is_whole => RolloutStep::Freeze,
        RolloutState::Running | RolloutState::WaitingWindow => {
            sending::next(rollout, outcome, now, is_open(rollout.request.window.as_ref(), now))
        }
    }
}

/// The first portion of which it is not known whether its command was accepted. There is one at most.
pub fn unanswered(rollout: &RolloutRecord) -> Option<usize> {
    rollout.portions.iter().position(|portion| portion.accepted_at.is_none())
}

/// What is done while nothing may be sent: what is under way at a pace is held.
pub fn holding(rollout: &RolloutRecord, now: Timestamp) -> RolloutStep {
    if let Some(index) = unanswered(rollout) {
        return RolloutStep::Look(index);
    }
    let Some((index, last)) = rollout.portions.iter().enumerate().next_back() else { return RolloutStep::Wait };
    if last.is_paced(now) {
        return RolloutStep::Hold(index);
    }
    match &last.held {
        Some(held) if last.is_held() && held.rest.is_none() => match held.at {
            None => RolloutStep::Hold(index),
            Some(at) if is_settled(at, now) => RolloutStep::KeepRest(index),
            Some(_) => RolloutStep::Wait,
        },
        _ => RolloutStep::Wait,
    }
}

fn is_settled(held_at: Timestamp, now: Timestamp) -> bool {
    now >= held_at.checked_add(SETTLED_AFTER).unwrap_or(Timestamp::MAX)
}

/// What is done for a rollout that is stopped: whatever waits to be sent is cancelled.
fn stopping(rollout: &RolloutRecord) -> RolloutStep {
    let is_left = |portion: &PortionRecord| portion.command.is_some() && !portion.is_cancelled;
    match unanswered(rollout) {
        Some(index) => RolloutStep::Look(index),
        None => rollout.portions.iter().position(is_left).map_or(RolloutStep::Wait, RolloutStep::Cancel),
    }
}
