//! Terminals in Redis: who is on the line and where, who was, and how they fare.

use std::sync::Arc;

use jiff::Timestamp;
use muster_protocol::{
    Payload, SessionId, TerminalId,
    api::{Status, TerminalPage, TerminalView},
};
use redis::AsyncCommands;

use super::{Redis, keys, read, unavailable};
use crate::{
    backplane::{Query, Record, Refusal},
    card::Card,
    reports::Vitals,
};

/// Ids looked at in one step of a page: a query that few terminals match costs several steps.
const STEP: usize = 500;

impl Redis {
    /// Registers a session. If Redis is away, the next lease that is gained again registers all of them.
    pub async fn join(&self, card: &Arc<Card>) {
        match self.register(card).await {
            Ok(true) => self.reports.happened("terminal.online", &card.terminal, Vec::new()),
            Ok(false) => self.hub.outdate(card).await,
            Err(error) => tracing::warn!(terminal = %card.terminal, %error, "not registered yet"),
        }
    }

    /// Unregisters a session, if it is still the terminal's.
    pub async fn leave(&self, card: &Card, reason: &'static str) {
        let mut call = self.scripts.leave.prepare_invoke();
        call.key(keys::ONLINE).key(keys::held(&self.node.id));
        call.arg(card.terminal.as_str()).arg(card.session.to_string()).arg(self.node.id.as_str());
        match call.invoke_async(&mut self.connection.clone()).await {
            Ok(1) => {
                self.reports.happened("terminal.offline", &card.terminal, vec![("reason", Payload::from_text(reason))]);
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(terminal = %card.terminal, %error, "not unregistered"),
        }
    }

    /// Registers all sessions of this node again, after Redis or the lease was lost.
    pub(super) async fn register_all(&self) -> redis::RedisResult<()> {
        for card in self.hub.cards() {
            if !self.register(&card).await? {
                self.hub.outdate(&card).await;
            }
        }
        Ok(())
    }

    /// False if the terminal has a newer session elsewhere.
    async fn register(&self, card: &Card) -> redis::RedisResult<bool> {
        let record = Record { card: card.clone(), node: self.node.id.clone() };
        let record = serde_json::to_string(&record).expect("a record is JSON");
        let mut call = self.scripts.join.prepare_invoke();
        call.key(keys::ONLINE).key(keys::TERMINALS).key(keys::IDS).key(keys::held(&self.node.id));
        call.arg(card.terminal.as_str()).arg(card.session.to_string()).arg(self.node.id.as_str()).arg(record);
        call.arg(keys::INBOX).arg(keys::LABEL).arg(keys::HELD);
        call.invoke_async(&mut self.connection.clone()).await
    }

    pub(in crate::backplane) async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, Refusal> {
        Ok(self.views(std::slice::from_ref(id)).await?.pop())
    }

    pub(in crate::backplane) async fn terminals(&self, query: &Query) -> Result<TerminalPage, Refusal> {
        let mut terminals = Vec::new();
        let mut after = query.after.clone();
        loop {
            let ids = self.ids_after(after.as_ref()).await?;
            after = ids.last().cloned();
            let found = self.views(&ids).await?;
            terminals.extend(found.into_iter().filter(|view| matches(view, query)));
            if terminals.len() > query.limit {
                terminals.truncate(query.limit);
                let next = terminals.last().map(|last| last.id.clone());
                return Ok(TerminalPage { terminals, next });
            }
            if ids.len() < STEP {
                return Ok(TerminalPage { terminals, next: None });
            }
        }
    }

    async fn ids_after(&self, after: Option<&TerminalId>) -> Result<Vec<TerminalId>, Refusal> {
        let from = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        let mut connection = self.connection.clone();
        let ids: Vec<String> =
            connection.zrangebylex_limit(keys::IDS, from, "+", 0, STEP as isize).await.map_err(unavailable)?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// What is known of these terminals; those not known are left out.
    async fn views(&self, ids: &[TerminalId]) -> Result<Vec<TerminalView>, Refusal> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let fields: Vec<_> = ids.iter().map(TerminalId::as_str).collect();
        type Columns = (Vec<Option<String>>, Vec<Option<String>>, Vec<Option<String>>, Vec<Option<String>>);
        let mut pipe = redis::pipe();
        for key in [keys::TERMINALS, keys::ONLINE, keys::SEEN, keys::HEALTH] {
            pipe.cmd("HMGET").arg(key).arg(&fields);
        }
        let (records, owners, seen, health): Columns =
            pipe.query_async(&mut self.connection.clone()).await.map_err(unavailable)?;
        let rows = records.into_iter().zip(owners).zip(seen.into_iter().zip(health));
        rows.filter_map(|((record, owner), (seen, health))| record.map(|record| (record, owner, seen, health)))
            .map(|(record, owner, seen, health)| {
                let record: Record = read(&record)?;
                let health = health.as_deref().map(read).transpose()?;
                Ok(record.view(owner.and_then(session_of), Vitals { seen: seen.and_then(pong), health }))
            })
            .collect()
    }
}

fn matches(view: &TerminalView, query: &Query) -> bool {
    let labels = query.labels.iter().all(|(key, value)| view.labels.get(key) == Some(value));
    labels && query.status.is_none_or(|status: Status| status == view.status)
}

/// The session in `node session`.
fn session_of(owner: String) -> Option<SessionId> {
    owner.split_once(' ')?.1.parse().ok()
}

/// `milliseconds rtt`.
fn pong(text: String) -> Option<(Timestamp, u64)> {
    let (at, rtt) = text.split_once(' ')?;
    Some((Timestamp::from_millisecond(at.parse().ok()?).ok()?, rtt.parse().ok()?))
}
