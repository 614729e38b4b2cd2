//! Freezes the targets of a rollout, in portions: whom it is for does not change once it has started.

use muster_protocol::{Selector, TerminalId, api::RolloutState};

use super::{
    carrier::{RolloutCarrier, RolloutTurn},
    plan::TARGETS_MAX,
};
use crate::backplane::{BackplaneError, FrozenTargets, ROLLOUT_STEP, RolloutRecord, TerminalQuery, frozen_order};

impl RolloutCarrier {
    /// Freezes the next targets, in the order of their ids.
    pub(super) async fn freeze(&self, turn: &mut RolloutTurn) -> Result<bool, BackplaneError> {
        let (found, is_last) = self.next_selected(turn.record()).await?;
        let frozen = &turn.record().frozen;
        let count = frozen.count + found.len() as u64;
        if count > TARGETS_MAX {
            let reason =
                format!("more than {TARGETS_MAX} terminals are selected: make a rollout for each part of them");
            return self.enter(turn, RolloutState::Stopped, Some(reason), &[]).await;
        }
        let after = found.last().cloned().or_else(|| frozen.after.clone());
        let id = turn.record().id;
        let places: Vec<_> = found.into_iter().map(|terminal| (frozen_order(id, &terminal), terminal)).collect();
        let frozen = FrozenTargets { count, after, is_whole: is_last };
        let record = RolloutRecord { frozen, ..turn.record().clone() };
        self.save(turn, record, &places, is_last).await
    }

    /// The next terminals that the rollout is for, at most 512, and whether they are the last.
    async fn next_selected(&self, record: &RolloutRecord) -> Result<(Vec<TerminalId>, bool), BackplaneError> {
        let after = record.frozen.after.clone();
        let (labels, expression) = match &record.request.target {
            Selector::Terminal(id) => return Ok(next_named(vec![id.clone()], after.as_ref())),
            Selector::Terminals(ids) => return Ok(next_named(ids.clone(), after.as_ref())),
            Selector::Labels(labels) => (labels.clone(), None),
            Selector::Match(expression) => (Default::default(), Some(expression.clone())),
            Selector::All => Default::default(),
        };
        let query = TerminalQuery { labels, expression, after, limit: ROLLOUT_STEP, ..TerminalQuery::default() };
        let page = self.backplane.terminals(&query).await?;
        if !page.partial.is_empty() {
            let reason = "it is not known which of their terminals are selected".into();
            return Err(BackplaneError::Away(page.partial, reason));
        }
        let is_last = page.next.is_none();
        Ok((page.terminals.into_iter().map(|view| view.id).collect(), is_last))
    }
}

fn next_named(mut named: Vec<TerminalId>, after: Option<&TerminalId>) -> (Vec<TerminalId>, bool) {
    named.sort_unstable();
    named.dedup();
    let mut rest = named.into_iter().filter(|id| after.is_none_or(|after| id > after));
    let next = rest.by_ref().take(ROLLOUT_STEP).collect();
    (next, rest.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_terminals_are_frozen_once_each_in_portions() {
        let ids: Vec<TerminalId> = (0..600).rev().map(|n| format!("t{n:03}").parse().unwrap()).collect();
        let twice = [ids.clone(), ids].concat();
        let (first, is_last) = next_named(twice.clone(), None);
        assert_eq!((first.len(), is_last), (ROLLOUT_STEP, false));
        let (second, is_last) = next_named(twice, first.last());
        assert_eq!((second.len(), is_last), (600 - ROLLOUT_STEP, true));
    }
}
