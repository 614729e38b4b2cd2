//! What the targets of a wave came to, so far.

use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_protocol::api::{Confirm, TargetState};

use crate::backplane::{CommandRecord, PortionRecord, RolloutRecord};

/// The targets of a wave by what they came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaveOutcome {
    /// They have confirmed what was asked for.
    pub succeeded: u64,
    /// They have failed, or refused the command.
    pub failed: u64,
    /// They have not confirmed the command in time, or could not be sent it.
    pub silent: u64,
    /// They may still confirm it.
    pub waiting: u64,
}

impl WaveOutcome {
    /// All of them.
    pub fn targets(&self) -> u64 {
        self.succeeded + self.failed + self.silent + self.waiting
    }

    /// Those that have answered or are silent.
    pub fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.silent
    }

    /// Adds the targets of a portion, of whose command this is stored.
    fn add(
        &mut self,
        rollout: &RolloutRecord,
        portion: &PortionRecord,
        stored: Option<&CommandRecord>,
        now: Timestamp,
    ) {
        self.silent += portion.skipped;
        let confirm = rollout.request.command.confirm;
        let is_over = is_over(rollout, portion, now);
        let counts = portion_counts(portion, stored, now);
        let known: u64 = counts.values().sum();
        for (state, count) in counts {
            match state {
                // Another portion has them, or will have them.
                TargetState::Cancelled if portion.held.is_some() => {
                    self.waiting += if portion.is_held() { count } else { 0 }
                }
                TargetState::Failed | TargetState::Rejected => self.failed += count,
                state if is_confirmed(state, confirm) => self.succeeded += count,
                _ if is_over => self.silent += count,
                TargetState::Expired | TargetState::TimedOut | TargetState::Cancelled => self.silent += count,
                _ => self.waiting += count,
            }
        }
        let unknown =
            if portion.accepted_at.is_none() { portion.size() } else { portion.targets.saturating_sub(known) };
        match stored {
            // What a partition that is away has is not known, and not judged.
            Some(stored) if stored.unseen > 0 => self.waiting += unknown,
            _ if portion.accepted_at.is_none() => self.waiting += unknown,
            _ => self.silent += unknown,
        }
    }
}

/// What the wave under way came to. `stored` has the command of each of its portions, in their order, if it is stored.
pub fn wave_outcome(rollout: &RolloutRecord, stored: &[Option<CommandRecord>], now: Timestamp) -> WaveOutcome {
    let mut outcome = WaveOutcome::default();
    let portions = rollout.portions.iter().filter(|portion| portion.wave == rollout.wave);
    for (portion, stored) in portions.zip(stored) {
        outcome.add(rollout, portion, stored.as_ref(), now);
    }
    outcome
}

/// The number of targets of a portion in each state: as its command has them, or as they were last, if that is not stored any more.
pub fn portion_counts(
    portion: &PortionRecord,
    stored: Option<&CommandRecord>,
    now: Timestamp,
) -> BTreeMap<TargetState, u64> {
    let counts = match stored {
        Some(stored) => stored.view(now).counts,
        None => portion.counts.clone().unwrap_or_default(),
    };
    counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Whether a target of a portion that has not confirmed the command is silent.
fn is_over(rollout: &RolloutRecord, portion: &PortionRecord, now: Timestamp) -> bool {
    let sent_at = portion.paced_until.or(portion.accepted_at).unwrap_or(portion.began_at);
    let until = sent_at.checked_add(rollout.request.advance.within).unwrap_or(Timestamp::MAX);
    now >= until || portion.expires_at.is_some_and(|expires_at| now >= expires_at)
}

fn is_confirmed(state: TargetState, confirm: Confirm) -> bool {
    use TargetState::{Acked, Running, Sent, Succeeded};
    match confirm {
        Confirm::None => matches!(state, Sent | Acked | Running | Succeeded),
        Confirm::Ack => matches!(state, Acked | Running | Succeeded),
        Confirm::Result => state == Succeeded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_wave_waits_for_is_what_its_command_asks_to_confirm() {
        use TargetState::{Acked, Queued, Sent, Succeeded};
        let confirmed = |confirm| [Queued, Sent, Acked, Succeeded].map(|state| is_confirmed(state, confirm));
        assert_eq!(confirmed(Confirm::None), [false, true, true, true]);
        assert_eq!(confirmed(Confirm::Ack), [false, false, true, true]);
        assert_eq!(confirmed(Confirm::Result), [false, false, false, true]);
    }
}
