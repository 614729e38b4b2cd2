//! What is to be done next for a rollout: a function of its record, of what its wave came to, and of the time.

use jiff::Timestamp;
use muster_protocol::api::RolloutState;

use super::{
    holding::{holding, unanswered},
    outcome::WaveOutcome,
    sending,
    step::RolloutStep,
    window::is_open,
};
use crate::backplane::{PortionRecord, RolloutRecord};

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

/// What is done for a rollout that is stopped: whatever waits to be sent is cancelled.
fn stopping(rollout: &RolloutRecord) -> RolloutStep {
    let is_left = |portion: &PortionRecord| portion.command.is_some() && !portion.is_cancelled;
    match unanswered(rollout) {
        Some(index) => RolloutStep::Look(index),
        None => rollout.portions.iter().position(is_left).map_or(RolloutStep::Wait, RolloutStep::Cancel),
    }
}

#[cfg(test)]
mod tests;
