//! Freezes the targets of a rollout, in portions: whom it is for does not change once it has started.

use muster_protocol::{Selector, TerminalId, api::RolloutState};

use super::{
    carrier::{RolloutCarrier, RolloutTurn},
    plan::TARGETS_MAX,
};
use crate::backplane::{BackplaneError, FrozenTargets, ROLLOUT_STEP, RolloutRecord, TerminalQuery, frozen_order};

impl RolloutCarrier {
    /// Freezes the next targets, in the order of their ids. A selector that can't be evaluated any more stops the rollout.
    pub(super) async fn freeze(&self, turn: &mut RolloutTurn) -> Result<bool, BackplaneError> {
        let Selected { found, next } = match self.next_selected(turn.record()).await {
            Err(error @ (BackplaneError::LeftOut(_) | BackplaneError::Broad(_) | BackplaneError::Selector(_))) => {
                return self.enter(turn, RolloutState::Stopped, Some(error.to_string()), &[]).await;
            }
            selected => selected?,
        };
        let frozen = &turn.record().frozen;
        let count = frozen.count + found.len() as u64;
        if count > TARGETS_MAX {
            let reason =
                format!("more than {TARGETS_MAX} terminals are selected: make a rollout for each part of them");
            return self.enter(turn, RolloutState::Stopped, Some(reason), &[]).await;
        }
        let is_last = next.is_none();
        let after = next.or_else(|| frozen.after.clone());
        let id = turn.record().id;
        let places: Vec<_> = found.into_iter().map(|terminal| (frozen_order(id, &terminal), terminal)).collect();
        let frozen = FrozenTargets { count, after, is_whole: is_last };
        let record = RolloutRecord { frozen, ..turn.record().clone() };
        self.save(turn, record, &places, is_last).await
    }

    /// The next terminals that the rollout is for.
    async fn next_selected(&self, record: &RolloutRecord) -> Result<Selected, BackplaneError> {
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
        Ok(Selected { found: page.terminals.into_iter().map(|view| view.id).collect(), next: page.next })
    }
}

/// Some of the terminals that a rollout is for.
struct Selected {
    /// At most 512, and perhaps none: the store looks at so many terminals at a time.
    found: Vec<TerminalId>,
    /// Where the next ones begin. None if there are no more.
    next: Option<TerminalId>,
}

fn next_named(mut named: Vec<TerminalId>, after: Option<&TerminalId>) -> Selected {
    named.sort_unstable();
    named.dedup();
    let mut rest = named.into_iter().filter(|id| after.is_none_or(|after| id > after));
    let found: Vec<_> = rest.by_ref().take(ROLLOUT_STEP).collect();
    let next = rest.next().and_then(|_| found.last().cloned());
    Selected { found, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_terminals_are_frozen_once_each_in_portions() {
        let ids: Vec<TerminalId> = (0..600).rev().map(|n| format!("t{n:03}").parse().unwrap()).collect();
        let twice = [ids.clone(), ids].concat();
        let first = next_named(twice.clone(), None);
        assert_eq!((first.found.len(), first.next.as_ref()), (ROLLOUT_STEP, first.found.last()));
        let second = next_named(twice, first.next.as_ref());
        assert_eq!((second.found.len(), second.next), (600 - ROLLOUT_STEP, None));
    }
}
