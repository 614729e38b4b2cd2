//! What is to be done next for a rollout whose targets are frozen and that no operator holds.

use std::{ops::Range, time::Duration};

use jiff::Timestamp;
use muster_protocol::api::RolloutState;

use super::{
    holding::{holding, unanswered},
    outcome::WaveOutcome,
    plan::{PORTION_MAX, PORTIONS_MAX, wave_positions},
    step::RolloutStep,
};
use crate::backplane::{PositionSet, RolloutRecord};

/// How long after a portion was begun its command may be accepted. Its key is stored for an hour more.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(23 * 3600);
/// The error that a share as a binary fraction may have.
const ROUNDING: f64 = 1e-9;

/// What lies ahead, if it may be sent.
enum Ahead {
    Portion {
        wave: usize,
        positions: Range<u64>,
        only: Option<PositionSet>,
    },
    /// Nothing before targets answer, time passes, or a held portion is settled.
    Nothing,
    End(RolloutState, Option<String>),
}

/// The next step. `is_open` says whether anything may be sent now.
pub fn next(rollout: &RolloutRecord, outcome: &WaveOutcome, now: Timestamp, is_open: bool) -> RolloutStep {
    use RolloutState::{Running, Stopped, WaitingWindow};
    if let Some(index) = unanswered(rollout) {
        return answering(rollout, index, now, is_open);
    }
    let waves = wave_positions(&rollout.request.waves, rollout.frozen.count);
    let size = waves.get(rollout.wave).map_or(0, |wave| wave.end - wave.start);
    if let Some(reason) = broken_rule(rollout, outcome, size) {
        return RolloutStep::Enter(Stopped, Some(reason));
    }
    match ahead(rollout, outcome, &waves, now) {
        Ahead::End(state, reason) => RolloutStep::Enter(state, reason),
        Ahead::Portion { .. } if !is_open && rollout.state == Running => {
            RolloutStep::Enter(WaitingWindow, Some("the window is closed".into()))
        }
        Ahead::Portion { .. } if !is_open => RolloutStep::Wait,
        Ahead::Portion { .. } if rollout.state == WaitingWindow => RolloutStep::Enter(Running, None),
        Ahead::Portion { .. } if rollout.portions.len() >= PORTIONS_MAX => {
            RolloutStep::Enter(Stopped, Some("waves were held too often while they were paced".into()))
        }
        Ahead::Portion { wave, positions, only } => RolloutStep::Begin { wave, positions, only },
        Ahead::Nothing if is_open && rollout.portions.last().is_some_and(|last| last.is_paced(now)) => {
            RolloutStep::Wait
        }
        Ahead::Nothing => holding(rollout, now),
    }
}

/// What is done for a portion that was begun and whose command is not known to be accepted.
fn answering(rollout: &RolloutRecord, index: usize, now: Timestamp, is_open: bool) -> RolloutStep {
    let until = rollout.portions[index].began_at.checked_add(ACCEPTED_WITHIN).unwrap_or(Timestamp::MAX);
    if now >= until {
        let wave = rollout.wave + 1;
        let reason = format!("the store was away for so long that it is not known whether wave {wave} was sent");
        return RolloutStep::Enter(RolloutState::Stopped, Some(reason));
    }
    if is_open { RolloutStep::Accept(index) } else { RolloutStep::Look(index) }
}

fn ahead(rollout: &RolloutRecord, outcome: &WaveOutcome, waves: &[Range<u64>], now: Timestamp) -> Ahead {
    let last = rollout.portions.last();
    if let Some(last) = last.filter(|last| last.is_held()) {
        let rest = last.held.as_ref().and_then(|held| held.rest.clone());
        return rest.map_or(Ahead::Nothing, |rest| Ahead::Portion {
            wave: last.wave,
            positions: last.positions.clone(),
            only: Some(rest),
        });
    }
    if last.is_some_and(|last| last.is_paced(now)) {
        return Ahead::Nothing;
    }
    let reached = rollout.reached();
    let part = |wave: usize| Ahead::Portion {
        wave,
        positions: reached..waves[wave].end.min(reached + PORTION_MAX),
        only: None,
    };
    if waves.get(rollout.wave).is_some_and(|wave| reached < wave.end) {
        return part(rollout.wave);
    }
    let following = (rollout.wave + 1..waves.len()).find(|wave| !waves[*wave].is_empty());
    match following {
        Some(wave) if is_enough(rollout, outcome) => part(wave),
        Some(_) if outcome.waiting == 0 => Ahead::End(RolloutState::Stopped, Some(too_few(rollout, outcome))),
        None if outcome.waiting == 0 => {
            let nobody = (rollout.frozen.count == 0).then(|| "no terminal was selected when it started".to_owned());
            Ahead::End(RolloutState::Done, nobody)
        }
        _ => Ahead::Nothing,
    }
}

/// Whether so many targets of the wave have succeeded that the next one begins.
fn is_enough(rollout: &RolloutRecord, outcome: &WaveOutcome) -> bool {
    let wanted = rollout.request.advance.succeeded * outcome.targets() as f64;
    outcome.succeeded as f64 >= wanted - ROUNDING
}

fn too_few(rollout: &RolloutRecord, outcome: &WaveOutcome) -> String {
    let (wave, wanted) = (rollout.wave + 1, percent(rollout.request.advance.succeeded));
    format!("wave {wave}: {} of {} targets succeeded, fewer than {wanted}", outcome.succeeded, outcome.targets())
}

/// Why the rollout stops by itself. `size` is the number of targets of the wave, also those that were not sent the command yet.
fn broken_rule(rollout: &RolloutRecord, outcome: &WaveOutcome, size: u64) -> Option<String> {
    let (rule, wave, ended) = (rollout.request.stop, rollout.wave + 1, outcome.ended());
    if ended == 0 || ended < rule.minimum.min(size) {
        return None;
    }
    if outcome.failed as f64 > rule.failed * ended as f64 + ROUNDING {
        let (failed, bound) = (outcome.failed, percent(rule.failed));
        return Some(format!("wave {wave}: {failed} of the {ended} targets that have ended failed, more than {bound}"));
    }
    if outcome.silent as f64 > rule.silent * size as f64 + ROUNDING {
        let (silent, bound) = (outcome.silent, percent(rule.silent));
        return Some(format!("wave {wave}: {silent} of {size} targets are silent, more than {bound}"));
    }
    None
}

/// A share in words, to a tenth of a percent.
fn percent(share: f64) -> String {
    format!("{} %", (share * 1000.0).round() / 10.0)
}
