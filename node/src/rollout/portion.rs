//! The commands of portions: accepts, finds, holds and cancels them.

use std::{collections::HashSet, time::Duration};

use jiff::Timestamp;
use muster_protocol::{
    CommandId, RolloutId, Selector, TerminalId,
    api::{CommandRequest, Offline, TargetState},
};

use super::carrier::{RolloutCarrier, RolloutTurn};
use crate::backplane::{
    Accepted, BackplaneError, CommandDraft, CommandRecord, HeldPortion, IdempotencyKey, PortionRecord, PositionSet,
    RolloutRecord, TargetQuery,
};

/// How long after a portion was begun another node may still have its command accepted.
const UNANSWERED_FOR: Duration = Duration::from_secs(30);
/// The longest life of a command, as for one that an operator sends.
const EXPIRY_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// The targets of a command that are read at once.
const PAGE: usize = 1000;

/// A command that was accepted for a portion.
struct AcceptedCommand {
    id: CommandId,
    targets: u64,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl RolloutCarrier {
    /// Has the command of a portion accepted, unless it was before. Targets that can't have it are left out.
    pub(super) async fn accept(&self, turn: &mut RolloutTurn, index: usize) -> Result<bool, BackplaneError> {
        let portion = &turn.record().portions[index];
        let key = key_of(turn.record().id, portion.number);
        let mut terminals = self.targets_of(turn.record().id, portion).await?;
        let accepted = loop {
            if terminals.is_empty() {
                break None;
            }
            if turn.is_stale() {
                return Ok(false);
            }
            let request = command_of(turn.record(), portion, terminals.clone());
            let draft = CommandDraft::new(request, Some(key.clone())).asked_by(&turn.record().by);
            match self.backplane.accept(draft).await {
                Ok(Accepted::New(view)) => {
                    self.metrics.commands.inc();
                    let (id, targets, expires_at) = (view.id, view.targets, view.expires_at);
                    break Some(AcceptedCommand { id, targets, created_at: view.created_at, expires_at });
                }
                Ok(Accepted::Before(id)) | Err(BackplaneError::Unfinished(id, _)) => {
                    break self.stored_command(id).await?;
                }
                Err(BackplaneError::Unknown(left_out) | BackplaneError::Full(left_out)) => {
                    let (left_out, before): (HashSet<_>, _) = (left_out.into_iter().collect(), terminals.len());
                    terminals.retain(|terminal| !left_out.contains(terminal));
                    if terminals.len() == before {
                        return Ok(false);
                    }
                }
                Err(BackplaneError::Nobody) => break None,
                Err(error) => return Err(error),
            }
        };
        self.save_accepted(turn, index, accepted).await
    }

    /// Finds out whether the command of a portion was accepted. If it was not, and nobody can accept it any more, the portion is dropped.
    pub(super) async fn look(&self, turn: &mut RolloutTurn, index: usize) -> Result<bool, BackplaneError> {
        let portion = &turn.record().portions[index];
        let key = key_of(turn.record().id, portion.number);
        if let Some(id) = self.backplane.accepted_under(&key).await?
            && let Some(accepted) = self.stored_command(id).await?
        {
            return self.save_accepted(turn, index, Some(accepted)).await;
        }
        if turn.now() < portion.began_at.checked_add(UNANSWERED_FOR).unwrap_or(Timestamp::MAX) {
            return Ok(false);
        }
        let mut record = turn.record().clone();
        let dropped = record.portions.remove(index);
        if let Some(held) = record.portions.last_mut().and_then(|last| last.held.as_mut())
            && dropped.only.is_some()
        {
            (held.rest, held.is_carried_on) = (dropped.only, false);
        }
        self.save(turn, record, &[], false).await
    }

    /// Holds a portion that is paced. That is put down before its command is cancelled: of a command that some partitions have cancelled
    /// and others not, the rest would else be given up. Cancelling it again does no harm.
    pub(super) async fn hold(&self, turn: &mut RolloutTurn, index: usize) -> Result<bool, BackplaneError> {
        let mut record = turn.record().clone();
        let mut held = HeldPortion { at: None, rest: None, is_carried_on: false };
        if record.portions[index].held.is_none() {
            record.portions[index].held = Some(held.clone());
            if !self.save(turn, record.clone(), &[], false).await? {
                return Ok(false);
            }
        }
        if let Some(command) = record.portions[index].command {
            self.backplane.cancel(command).await?;
        }
        held.at = Some(turn.now());
        record.portions[index].held = Some(held);
        self.save(turn, record, &[], false).await
    }

    /// Puts down to whom the command of a held portion was not sent.
    pub(super) async fn keep_rest(&self, turn: &mut RolloutTurn, index: usize) -> Result<bool, BackplaneError> {
        let portion = &turn.record().portions[index];
        let (unsent, stored) = match portion.command {
            Some(command) => (self.unsent(command).await?, self.backplane.command(command).await?),
            None => (HashSet::new(), None),
        };
        let all = self.backplane.rollout_targets(turn.record().id, portion.positions.clone()).await?;
        let rest: PositionSet =
            all.iter().enumerate().filter(|(_, terminal)| unsent.contains(*terminal)).map(|(at, _)| at).collect();
        let mut record = turn.record().clone();
        let portion = &mut record.portions[index];
        portion.counts = stored.map(|stored| counts(&stored, turn.now()));
        if let Some(held) = &mut portion.held {
            held.is_carried_on = rest.is_empty();
            held.rest = Some(rest).filter(|rest| !rest.is_empty());
        }
        self.save(turn, record, &[], false).await
    }

    /// Cancels the command of a portion where it was not sent yet.
    pub(super) async fn cancel(&self, turn: &mut RolloutTurn, index: usize) -> Result<bool, BackplaneError> {
        let mut record = turn.record().clone();
        let portion = &mut record.portions[index];
        if let Some(command) = portion.command
            && let Some(stored) = self.backplane.cancel(command).await?
        {
            portion.counts = Some(counts(&stored, turn.now()));
        }
        portion.is_cancelled = true;
        self.save(turn, record, &[], false).await
    }

    /// Puts down the command of a portion. Without one, none of its targets could have it.
    async fn save_accepted(
        &self,
        turn: &mut RolloutTurn,
        index: usize,
        accepted: Option<AcceptedCommand>,
    ) -> Result<bool, BackplaneError> {
        let mut record = turn.record().clone();
        let rate = record.request.waves[record.portions[index].wave].rate;
        let portion = &mut record.portions[index];
        portion.skipped = portion.size();
        portion.accepted_at = Some(turn.now());
        if let Some(AcceptedCommand { id, targets, created_at, expires_at }) = accepted {
            portion.command = Some(id);
            portion.accepted_at = Some(created_at);
            portion.expires_at = Some(expires_at);
            portion.targets = targets;
            portion.skipped = portion.size().saturating_sub(targets);
            portion.paced_until =
                rate.map(|rate| created_at.checked_add(pace(targets, Some(rate))).unwrap_or(Timestamp::MAX));
        }
        self.save(turn, record, &[], false).await
    }

    /// A command by its id. None if it is not stored.
    async fn stored_command(&self, id: CommandId) -> Result<Option<AcceptedCommand>, BackplaneError> {
        let Some(stored) = self.backplane.command(id).await? else { return Ok(None) };
        let view = stored.view(stored.created_at);
        let (targets, created_at, expires_at) = (view.targets, view.created_at, view.expires_at);
        Ok(Some(AcceptedCommand { id, targets, created_at, expires_at }))
    }

    /// The targets of a portion.
    async fn targets_of(&self, id: RolloutId, portion: &PortionRecord) -> Result<Vec<TerminalId>, BackplaneError> {
        let all = self.backplane.rollout_targets(id, portion.positions.clone()).await?;
        let is_in = |at: usize| portion.only.as_ref().is_none_or(|only| only.has(at));
        Ok(all.into_iter().enumerate().filter(|(at, _)| is_in(*at)).map(|(_, terminal)| terminal).collect())
    }

    /// The targets to which a command was not sent.
    async fn unsent(&self, command: CommandId) -> Result<HashSet<TerminalId>, BackplaneError> {
        let states = Some(vec![TargetState::Queued]);
        let (mut unsent, mut query) = (HashSet::new(), TargetQuery { states, after: None, limit: PAGE });
        loop {
            let page = self.backplane.targets(command, &query).await?;
            if !page.partial.is_empty() {
                let reason = "it is not known to which of their terminals a command was sent".into();
                return Err(BackplaneError::Away(page.partial, reason));
            }
            unsent.extend(page.targets.into_iter().map(|target| target.terminal));
            query.after = page.next;
            if query.after.is_none() {
                return Ok(unsent);
            }
        }
    }
}

/// The key of a portion's command. No operator's key has an empty line.
fn key_of(rollout: RolloutId, portion: u32) -> IdempotencyKey {
    IdempotencyKey { key: format!("\n\n{rollout}/{portion}"), body: "rollout".into() }
}

fn command_of(record: &RolloutRecord, portion: &PortionRecord, terminals: Vec<TerminalId>) -> CommandRequest {
    let (command, rate) = (&record.request.command, record.request.waves[portion.wave].rate);
    let expires_in = command.expires_in.unwrap_or(record.request.advance.within);
    CommandRequest {
        name: command.name.clone(),
        payload: command.payload.clone(),
        expires_in: expires_in.saturating_add(pace(terminals.len() as u64, rate)).min(EXPIRY_MAX),
        confirm: command.confirm,
        offline: Offline::Queue,
        stagger: command.stagger,
        rate,
        target: Selector::Terminals(terminals),
    }
}

/// How long it takes to send a command to so many targets at a rate. None of the rate: at once.
fn pace(targets: u64, rate: Option<f64>) -> Duration {
    let seconds = rate.map_or(0.0, |rate| targets as f64 / rate);
    Duration::try_from_secs_f64(seconds).unwrap_or(EXPIRY_MAX)
}

fn counts(stored: &CommandRecord, now: Timestamp) -> std::collections::BTreeMap<TargetState, u64> {
    stored.view(now).counts.into_iter().filter(|(_, count)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_bounded_and_a_key_is_that_of_one_portion() {
        assert_eq!(pace(100, Some(50.0)), Duration::from_secs(2));
        assert_eq!((pace(100, None), pace(u64::MAX, Some(1e-300))), (Duration::ZERO, EXPIRY_MAX));
        let rollout = RolloutId(uuid::Uuid::from_u128(1));
        assert_ne!(key_of(rollout, 1), key_of(rollout, 2));
    }
}
