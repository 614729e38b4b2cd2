//! The registry over all partitions: a terminal is looked up in its own partition, and lists and counts are merged over
//! all.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use muster_protocol::{
    TerminalId,
    api::{FleetHistory, FleetView, TerminalHistory, TerminalPage, TerminalView},
    selector::Labels,
};

use super::{
    RedisBackplane,
    answers::PartitionAnswers,
    partition::{
        registry::{PartitionPage, PartitionQuery},
        selection::SetExpression,
    },
};
use crate::backplane::{BackplaneError, TerminalQuery, TerminalRegistry};

#[async_trait]
impl TerminalRegistry for RedisBackplane {
    async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError> {
        let member = self.member_of(id);
        member.ask(member.store.terminal(id)).await
    }

    async fn terminals(&self, query: &TerminalQuery) -> Result<TerminalPage, BackplaneError> {
        let query = PartitionQuery {
            set: set_of(query),
            prefix: query.prefix.clone(),
            after: query.after.clone(),
            limit: query.limit,
        };
        let query = &query;
        let pages = self.ask_all(|member| async move { member.store.page(query).await }).await?;
        Ok(merged(pages, query.limit))
    }

    async fn labels_of(&self, ids: &[TerminalId]) -> Result<HashMap<TerminalId, Arc<Labels>>, BackplaneError> {
        let mut by_partition: BTreeMap<_, Vec<TerminalId>> = BTreeMap::new();
        for id in ids {
            by_partition.entry(self.partitions.of(id)).or_default().push(id.clone());
        }
        let asked = by_partition.iter().map(|(partition, ids)| {
            let member = self.member(*partition);
            member.ask(member.store.labels_of(ids))
        });
        let found = try_join_all(asked).await?;
        Ok(found.into_iter().flatten().map(|(id, labels)| (id, Arc::new(labels))).collect())
    }

    async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<Option<TerminalView>, BackplaneError> {
        let member = self.member_of(id);
        if !member.ask(member.store.label(id, labels)).await? {
            return Ok(None);
        }
        self.terminal(id).await.map_err(BackplaneError::after_a_change)
    }

    async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        let member = self.member_of(id);
        member.ask(member.store.disconnect(id)).await
    }

    async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        let member = self.member_of(id);
        // What the terminal did here comes before its end.
        if let Err(error) = self.flush_events_of(id, member.index()).await {
            tracing::debug!(terminal = %id, %error, "its last events may come after its end");
        }
        member.ask(member.store.forget(id)).await
    }

    async fn terminal_history(&self, id: &TerminalId) -> Result<Option<TerminalHistory>, BackplaneError> {
        let member = self.member_of(id);
        let Some(mut changes) = member.ask(member.store.changes(id)).await? else { return Ok(None) };
        changes.reverse();
        let off = !self.records_changes;
        Ok(Some(TerminalHistory { terminal: id.clone(), changes: if off { Vec::new() } else { changes }, off }))
    }

    async fn fleet(&self) -> Result<FleetView, BackplaneError> {
        let parts = self.ask_all(|member| async move { member.store.fleet().await }).await?;
        let sum = parts.found.into_iter().map(|(_, part)| part).reduce(sum);
        Ok(FleetView { partial: parts.partial, ..sum.expect("some partition answered") })
    }

    async fn fleet_history(&self, minutes: u32) -> Result<FleetHistory, BackplaneError> {
        self.merged_minutes(minutes).await
    }
}

/// Returns the set that a query asks for. None for all terminals.
fn set_of(query: &TerminalQuery) -> Option<SetExpression> {
    let labels = (!query.labels.is_empty()).then(|| SetExpression::labels(&query.labels));
    let picked = query.expression.as_ref().map(|expression| SetExpression::from(expression.tree()));
    let status = query.status.map(SetExpression::Status);
    labels.into_iter().chain(picked).chain(status).reduce(SetExpression::and)
}

/// Returns one page of the pages of all partitions that answered. Beyond the id up to which every one of them was
/// looked at, nothing is shown yet.
fn merged(pages: PartitionAnswers<PartitionPage>, limit: usize) -> TerminalPage {
    let PartitionAnswers { found: pages, partial } = pages;
    let horizon = pages.iter().filter_map(|(_, page)| page.next.clone()).min();
    let mut terminals: Vec<_> = pages.into_iter().flat_map(|(_, page)| page.terminals).collect();
    terminals.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    if let Some(horizon) = &horizon {
        terminals.retain(|terminal| terminal.id <= *horizon);
    }
    if terminals.len() > limit {
        terminals.truncate(limit);
        let next = terminals.last().map(|last| last.id.clone());
        return TerminalPage { terminals, next, partial };
    }
    TerminalPage { terminals, next: horizon, partial }
}

fn sum(mut one: FleetView, other: FleetView) -> FleetView {
    one.online += other.online;
    one.stale += other.stale;
    one.offline += other.offline;
    one.labels_left_out |= other.labels_left_out;
    for (counts, more) in [
        (&mut one.by_node, other.by_node),
        (&mut one.by_condition, other.by_condition),
        (&mut one.by_label, other.by_label),
    ] {
        for (name, count) in more {
            *counts.entry(name).or_default() += count;
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use muster_protocol::{
        api::{Protocol, Status},
        partition::PartitionIndex,
    };

    use super::*;

    fn page(ids: &[&str], next: Option<&str>) -> PartitionPage {
        let view = |id: &&str| TerminalView {
            id: id.parse().unwrap(),
            status: Status::Online,
            condition: Default::default(),
            labels: Labels::new(),
            node: None,
            address: None,
            protocol: Protocol::V1,
            connected_at: Timestamp::UNIX_EPOCH,
            last_seen: Timestamp::UNIX_EPOCH,
            rtt_ms: None,
            metrics: Default::default(),
            last_close: None,
        };
        PartitionPage { terminals: ids.iter().map(view).collect(), next: next.map(|id| id.parse().unwrap()) }
    }

    fn shown(pages: Vec<PartitionPage>, limit: usize) -> (Vec<String>, Option<String>) {
        let found = (0..).map(PartitionIndex).zip(pages).collect();
        let page = merged(PartitionAnswers { found, partial: Vec::new() }, limit);
        (page.terminals.iter().map(|view| view.id.to_string()).collect(), page.next.map(|id| id.to_string()))
    }

    #[test]
    fn a_page_shows_nothing_beyond_what_every_partition_was_looked_at() {
        let whole = || page(&["b", "d", "x"], None);
        assert_eq!(
            shown(vec![whole(), page(&["a", "c"], Some("c"))], 9),
            (vec!["a".into(), "b".into(), "c".into()], Some("c".into()))
        );
        assert_eq!(shown(vec![whole(), page(&["a"], None)], 9).1, None);
        assert_eq!(shown(vec![whole(), page(&["a"], None)], 2), (vec!["a".into(), "b".into()], Some("b".into())));
        assert_eq!(shown(vec![whole(), page(&[], Some("a"))], 9), (vec![], Some("a".into())), "a page may be short");
    }
}
