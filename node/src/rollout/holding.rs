//! What is to be done for a rollout while nothing may be sent.

use std::time::Duration;

use jiff::Timestamp;

use super::step::RolloutStep;
use crate::backplane::RolloutRecord;

/// How long after a command was cancelled it is certain to whom it was sent: a node that did not hear of it has no lease any more, so it
/// delivers nothing.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

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
