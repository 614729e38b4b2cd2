//! Terminals in Redis: who is on the line and where, who was, and how they fare. Answered from Redis alone: no other node is asked.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
};

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use muster_protocol::{
    CommandId, SessionId, TerminalId,
    api::{FleetView, Protocol, TerminalPage, TerminalView},
    selector::Labels,
};
use redis::{AsyncCommands, RedisResult};

use super::{
    Redis,
    identity::nameless,
    keys,
    refusal::{read, unavailable},
};
use crate::{
    backplane::{
        Arrival, Cursor, Joined, Lost, Missed, Query, Record, Refusal, Start, arrival::fight_delay,
        cursor::fresh_epoch, envelope::Envelope, record::stale_after,
    },
    card::Card,
    end::End,
    reports::Vitals,
};

/// Sessions that may end while Redis is away and still be unregistered one by one.
const PARTED_MAX: usize = 100_000;
/// So many of them at once.
const LEAVING: usize = 64;
/// Ids looked at in one step of a page: a query that few terminals match costs several steps.
const STEP: usize = 500;

impl Redis {
    /// Registers a session (join.lua). If Redis is away it becomes a stray, and joins again at the next lease that is renewed.
    pub(in crate::backplane) async fn join(&self, arrival: &Arrival) -> Joined {
        let _permit = self.joining.acquire().await;
        let joined = match self.reach() {
            Ok(_) => self.try_join(arrival).await.map_err(unavailable),
            Err(refusal) => Err(refusal),
        };
        joined.unwrap_or_else(|_| {
            self.strays.store(true, Ordering::Release);
            Joined::Away
        })
    }

    async fn try_join(&self, arrival: &Arrival) -> RedisResult<Joined> {
        let record = Record { card: Card::clone(&arrival.card), node: self.node.id.clone() };
        let record = serde_json::to_string(&record).expect("a record is JSON");
        let will = arrival.will.as_ref().map(|will| will.as_json()).unwrap_or_default();
        let cursor = arrival.cursor.as_ref();
        let plain = arrival.card.protocol == Protocol::Plain;
        // What its sessions here were sent must not be taken for missed: a plain terminal can't tell that it comes twice.
        if plain || arrival.again {
            self.flush().await?;
        }
        let mut call = self.scripts.join();
        call.arg(record).arg(will);
        call.arg(cursor.map_or("", |cursor| &cursor.epoch)).arg(cursor.map_or(0, |cursor| cursor.number));
        call.arg(if plain { "plain" } else { "" }).arg(if arrival.patient { "patient" } else { "" });
        call.arg(fresh_epoch()).arg(Timestamp::now().to_string()).arg(if arrival.again { "again" } else { "" });
        call.arg(self.identity.process());
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        if answer[..] == ["nameless"] { Err(nameless()) } else { Ok(joined(&answer)) }
    }

    /// Unregisters a session, if it is still the terminal's; with Redis away, as soon as it is back.
    pub(in crate::backplane) async fn leave(&self, card: &Arc<Card>, end: End) {
        if let Err(error) = self.try_leave(card, end).await {
            tracing::warn!(terminal = %card.terminal, %error, "not unregistered yet");
            let mut parted = self.parted();
            if parted.len() < PARTED_MAX {
                parted.push((card.clone(), end));
            }
        }
    }

    /// Unregisters those who left while Redis was away, for ever: beside the lease, which must not wait for however many they are.
    pub(super) async fn leave_late(&self) {
        loop {
            self.renewed.notified().await;
            let parted = std::mem::take(&mut *self.parted());
            stream::iter(parted).for_each_concurrent(LEAVING, |(card, end)| self.leave_again(card, end)).await;
        }
    }

    async fn leave_again(&self, card: Arc<Card>, end: End) {
        // If Redis is away again, not each of them is to wait for its answer.
        if self.reach().is_err() || self.try_leave(&card, end).await.is_err() {
            self.parted().push((card, end));
        }
    }

    fn parted(&self) -> MutexGuard<'_, Vec<(Arc<Card>, End)>> {
        self.parted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_leave(&self, card: &Card, end: End) -> RedisResult<()> {
        let mut call = self.scripts.leave();
        call.arg(card.terminal.as_str()).arg(card.session.to_string()).arg(self.node.id.as_str()).arg(end.label());
        call.arg(if end.is_loss() { "lost" } else { "" }).arg(Timestamp::now().to_string()).arg(self.hearing.reached());
        let _: bool = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(())
    }

    pub(in crate::backplane) async fn terminal(&self, id: &TerminalId) -> Result<Option<TerminalView>, Refusal> {
        Ok(self.views(std::slice::from_ref(id)).await?.pop())
    }

    pub(in crate::backplane) async fn terminals(&self, query: &Query) -> Result<TerminalPage, Refusal> {
        let mut terminals = Vec::new();
        let mut from =
            if query.after.is_some() { format!("({}", query.begin()) } else { format!("[{}", query.begin()) };
        let labelled = self.labelled(query).await?;
        loop {
            let ids = match &labelled {
                Some(ids) => ids_from(ids, &from),
                None => self.ids_from(&from, &query.prefix).await?,
            };
            let Some(last) = ids.last() else { return Ok(TerminalPage { terminals, next: None }) };
            from = format!("({last}");
            let found = self.views(&ids).await?;
            terminals.extend(found.into_iter().filter(|view| query.wants(view)));
            if terminals.len() > query.limit {
                terminals.truncate(query.limit);
                let next = terminals.last().map(|last| last.id.clone());
                return Ok(TerminalPage { terminals, next });
            }
        }
    }

    /// With labels asked for: the terminals that have all of them, in order.
    async fn labelled(&self, query: &Query) -> Result<Option<Vec<TerminalId>>, Refusal> {
        if query.labels.is_empty() {
            return Ok(None);
        }
        let sets: Vec<_> = query.labels.iter().map(|(key, value)| format!("{}{key}={value}", keys::LABEL)).collect();
        let ids: Vec<String> = self.reach()?.sinter(sets).await.map_err(unavailable)?;
        let mut ids: Vec<TerminalId> =
            ids.iter().filter(|id| id.starts_with(&query.prefix)).filter_map(|id| id.parse().ok()).collect();
        ids.sort_unstable();
        Ok(Some(ids))
    }

    async fn ids_from(&self, from: &str, prefix: &str) -> Result<Vec<TerminalId>, Refusal> {
        // No character of an id sorts after this one.
        let to = if prefix.is_empty() { "+".to_owned() } else { format!("[{prefix}\u{7f}") };
        let ids: Vec<String> =
            self.reach()?.zrangebylex_limit(keys::IDS, from, to, 0, STEP as isize).await.map_err(unavailable)?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// What is known of these terminals; those not known are left out.
    async fn views(&self, ids: &[TerminalId]) -> Result<Vec<TerminalView>, Refusal> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let fields: Vec<_> = ids.iter().map(TerminalId::as_str).collect();
        let mut pipe = redis::pipe();
        for key in [keys::TERMINALS, keys::ONLINE, keys::SEEN, keys::HEALTH, keys::GIVEN] {
            pipe.cmd("HMGET").arg(key).arg(&fields);
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
    ) -> Result<TerminalView, Refusal> {
        let mut record: Record = read(record)?;
        record.card.labels.extend(given.map(read::<Labels>).transpose()?.unwrap_or_default());
        let vitals = Vitals { seen: seen.and_then(pong), health: health.map(read).transpose()? };
        Ok(record.view(owner.and_then(session_of), vitals, self.ping))
    }

    pub(in crate::backplane) async fn label(&self, id: &TerminalId, labels: &Labels) -> Result<bool, Refusal> {
        let mut call = self.scripts.label();
        call.arg(id.as_str()).arg(serde_json::to_string(labels).expect("labels are JSON"));
        self.change(&call).await
    }

    pub(in crate::backplane) async fn disconnect(&self, id: &TerminalId) -> Result<bool, Refusal> {
        let owner: Option<String> = self.reach()?.hget(keys::ONLINE, id.as_str()).await.map_err(unavailable)?;
        let Some(node) = owner.and_then(|owner| owner.split_once(' ')?.0.parse().ok()) else { return Ok(false) };
        self.tell(&node, &Envelope::Disconnect { terminal: id.clone() }).await?;
        Ok(true)
    }

    pub(in crate::backplane) async fn forget(&self, id: &TerminalId) -> Result<bool, Refusal> {
        let mut call = self.scripts.forget();
        call.arg(id.as_str());
        self.change(&call).await
    }

    pub(in crate::backplane) async fn fleet(&self) -> Result<FleetView, Refusal> {
        let mut connection = self.reach()?;
        let silent = Timestamp::now().as_millisecond() - stale_after(self.ping).as_millis() as i64;
        let mut pipe = redis::pipe();
        pipe.zcard(keys::IDS).hlen(keys::ONLINE).zcount(keys::PULSE, "-inf", silent);
        pipe.scard(format!("{}degraded", keys::CONDITION)).scard(format!("{}failing", keys::CONDITION));
        pipe.zrange(keys::NODES, 0, -1).smembers(keys::LABELS);
        type Numbers = (u64, u64, u64, u64, u64, Vec<String>, Vec<String>);
        let (known, online, stale, degraded, failing, nodes, labels): Numbers =
            pipe.query_async(&mut connection).await.map_err(unavailable)?;
        let sizes = async |prefix: &str, names: Vec<String>| -> Result<BTreeMap<String, u64>, Refusal> {
            let mut pipe = redis::pipe();
            names.iter().for_each(|name| _ = pipe.scard(format!("{prefix}{name}")));
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
            online: online.saturating_sub(stale),
            stale,
            offline: known.saturating_sub(online),
            by_node: sizes(keys::HELD, nodes).await?,
            by_condition: conditions.map(|(name, count)| (name.to_owned(), count)).into(),
            by_label: sizes(keys::LABEL, labels).await?,
        })
    }
}

/// What join.lua answered.
fn joined(answer: &[String]) -> Joined {
    match answer {
        [outcome, times] if outcome == "fight" => Joined::Fight(fight_delay(times.parse().unwrap_or(u32::MAX))),
        [outcome, epoch, number, lost, missed @ ..] if outcome == "ok" => {
            let lost = match lost.as_str() {
                "" => None,
                "store" => Some(Lost::Store),
                number => number.parse().ok().map(Lost::Trimmed),
            };
            let cursor = Cursor { epoch: epoch.clone(), number: number.parse().unwrap_or(0) };
            Joined::In(Start { cursor, missed: missed.iter().filter_map(|entry| one_missed(entry)).collect(), lost })
        }
        _ => Joined::Outdated,
    }
}

/// `number id all|some`.
fn one_missed(entry: &str) -> Option<Missed> {
    let mut words = entry.split(' ');
    let (number, command) = (words.next()?.parse().ok()?, words.next()?.parse::<CommandId>().ok()?);
    Some(Missed { number, command, to_all: words.next()? == "all" })
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
