//! Terminals in Redis: who is on the line and where, who was, and how they fare. Answered from Redis alone: no other node is asked.

use async_trait::async_trait;
use std::collections::BTreeMap;

use jiff::Timestamp;
use muster_protocol::{
    SessionId, TerminalId,
    api::{FleetView, TerminalPage, TerminalView},
    selector::Labels,
};
use redis::AsyncCommands;

use super::{
    RedisBackplane, keys,
    refusal::{read, unavailable},
};
use crate::{
    backplane::{BackplaneError, TerminalQuery, TerminalRecord, TerminalRegistry, terminal_record::stale_after},
    reports::HealthReport,
};

/// Ids looked at in one step of a page: a query that few terminals match costs several steps.
const STEP: usize = 500;

#[async_trait]
impl TerminalRegistry for RedisBackplane {
    async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, BackplaneError> {
        Ok(self.views(std::slice::from_ref(id)).await?.pop())
    }

    async fn terminals(&self, query: &TerminalQuery) -> Result<TerminalPage, BackplaneError> {
        let mut terminals = Vec::new();
        let mut from =
            if query.after.is_some() { format!("({}", query.begin()) } else { format!("[{}", query.begin()) };
        let labelled = self.labelled(query).await?;
        loop {
            let ids = match &labelled {
                Some(ids) => ids_from(ids, &from),
                None => self.ids_from(&from, &query.prefix).await?,
            };
            let Some(last) = ids.last() else { return Ok(TerminalPage { terminals, next: None, partial: Vec::new() }) };
            from = format!("({last}");
            let found = self.views(&ids).await?;
            terminals.extend(found.into_iter().filter(|view| query.wants(view)));
            if terminals.len() > query.limit {
                terminals.truncate(query.limit);
                let next = terminals.last().map(|last| last.id.clone());
                return Ok(TerminalPage { terminals, next, partial: Vec::new() });
            }
        }
    }

    async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<Option<TerminalView>, BackplaneError> {
        let mut call = self.scripts.label();
        call.arg(id.as_str()).arg(serde_json::to_string(labels).expect("labels are JSON"));
        let is_known: bool = self.change(&call).await?;
        if !is_known {
            return Ok(None);
        }
        self.terminal(id).await.map_err(BackplaneError::after_a_change)
    }

    async fn disconnect(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        let mut call = self.scripts.disconnect();
        call.arg(id.as_str());
        self.change(&call).await
    }

    async fn forget(&self, id: &TerminalId) -> Result<bool, BackplaneError> {
        let mut call = self.scripts.forget();
        call.arg(id.as_str()).arg(Timestamp::now().to_string());
        self.change(&call).await
    }

    async fn fleet(&self) -> Result<FleetView, BackplaneError> {
        let mut connection = self.reach()?;
        let silent = Timestamp::now().as_millisecond() - stale_after(self.ping).as_millis() as i64;
        let condition = |name: &str| self.keys.key(&format!("{}{name}", keys::CONDITION));
        let mut pipe = redis::pipe();
        pipe.zcard(self.keys.key(keys::IDS)).hlen(self.keys.key(keys::ONLINE)).zcount(
            self.keys.key(keys::PULSE),
            "-inf",
            silent,
        );
        pipe.scard(condition("degraded")).scard(condition("failing"));
        pipe.zrange(self.keys.nodes(), 0, -1).smembers(self.keys.key(keys::LABELS));
        type Numbers = (u64, u64, u64, u64, u64, Vec<String>, Vec<String>);
        let (known, online, stale, degraded, failing, nodes, labels): Numbers =
            pipe.query_async(&mut connection).await.map_err(unavailable)?;
        let sizes = async |prefix: &str, names: Vec<String>| -> Result<BTreeMap<String, u64>, BackplaneError> {
            let mut pipe = redis::pipe();
            names.iter().for_each(|name| _ = pipe.scard(self.keys.key(&format!("{prefix}{name}"))));
            let sizes: Vec<u64> = if names.is_empty() {
                Vec::new()
            } else {
                pipe.query_async(&mut connection.clone()).await.map_err(unavailable)?
            };
            Ok(names.into_iter().zip(sizes).collect())
        };
        let ok = known.saturating_sub(degraded + failing);
        let conditions = [("ok", ok), ("degraded", degraded), ("failing", failing)];
        Ok(FleetView {
            labels_left_out: false,
            online: online.saturating_sub(stale),
            stale,
            offline: known.saturating_sub(online),
            by_node: sizes(keys::HELD, nodes).await?,
            by_condition: conditions.map(|(name, count)| (name.to_owned(), count)).into(),
            by_label: sizes(keys::LABEL, labels).await?,
            partial: Vec::new(),
        })
    }
}

impl RedisBackplane {
    /// The set of the terminals with a label, which is written `key=value`.
    pub(super) fn label_key(&self, label: &str) -> String {
        self.keys.key(&format!("{}{label}", keys::LABEL))
    }

    /// With labels asked for: the terminals that have all of them, in order.
    async fn labelled(&self, query: &TerminalQuery) -> Result<Option<Vec<TerminalId>>, BackplaneError> {
        if query.labels.is_empty() {
            return Ok(None);
        }
        let sets: Vec<_> = query.labels.iter().map(|(key, value)| self.label_key(&format!("{key}={value}"))).collect();
        let ids: Vec<String> = self.reach()?.sinter(sets).await.map_err(unavailable)?;
        let mut ids: Vec<TerminalId> =
            ids.iter().filter(|id| id.starts_with(&query.prefix)).filter_map(|id| id.parse().ok()).collect();
        ids.sort_unstable();
        Ok(Some(ids))
    }

    async fn ids_from(&self, from: &str, prefix: &str) -> Result<Vec<TerminalId>, BackplaneError> {
        // No character of an id sorts after this one.
        let to = if prefix.is_empty() { "+".to_owned() } else { format!("[{prefix}\u{7f}") };
        let ids: Vec<String> = self
            .reach()?
            .zrangebylex_limit(self.keys.key(keys::IDS), from, to, 0, STEP as isize)
            .await
            .map_err(unavailable)?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// What is known of these terminals; those not known are left out.
    async fn views(&self, ids: &[TerminalId]) -> Result<Vec<TerminalView>, BackplaneError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let fields: Vec<_> = ids.iter().map(TerminalId::as_str).collect();
        let mut pipe = redis::pipe();
        for key in [keys::TERMINALS, keys::ONLINE, keys::SEEN, keys::HEALTH, keys::GIVEN] {
            pipe.cmd("HMGET").arg(self.keys.key(key)).arg(&fields);
        }
        let columns: Vec<Vec<Option<String>>> = pipe.query_async(&mut self.reach()?).await.map_err(unavailable)?;
        let cell = |column: usize, row: usize| columns.get(column).and_then(|column| column.get(row)?.as_deref());
        let views = (0..ids.len()).filter_map(|row| {
            let record = cell(0, row)?;
            Some(self.view_of(record, cell(1, row), cell(2, row), cell(3, row), cell(4, row)))
        });
        views.collect()
    }

    fn view_of(
        &self,
        record: &str,
        owner: Option<&str>,
        seen: Option<&str>,
        health: Option<&str>,
        given: Option<&str>,
    ) -> Result<TerminalView, BackplaneError> {
        let mut record: TerminalRecord = read(record)?;
        record.info.labels.extend(given.map(read::<Labels>).transpose()?.unwrap_or_default());
        let vitals = HealthReport { seen: seen.and_then(pong), health: health.map(read).transpose()? };
        Ok(record.view(owner.and_then(session_of), vitals, self.ping))
    }
}

/// A page of ids that are all at hand, from a bound as Redis writes it.
fn ids_from(ids: &[TerminalId], from: &str) -> Vec<TerminalId> {
    let (kind, bound) = from.split_at(1);
    let start = ids.partition_point(|id| if kind == "(" { id.as_str() <= bound } else { id.as_str() < bound });
    ids[start..].iter().take(STEP).cloned().collect()
}

/// The session in `node session`.
fn session_of(owner: &str) -> Option<SessionId> {
    owner.split_once(' ')?.1.parse().ok()
}

/// `milliseconds rtt`.
fn pong(text: &str) -> Option<(Timestamp, u64)> {
    let (at, rtt) = text.split_once(' ')?;
    Some((Timestamp::from_millisecond(at.parse().ok()?).ok()?, rtt.parse().ok()?))
}
