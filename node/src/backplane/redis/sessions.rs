//! Sessions in Redis: registered as they begin, and taken out as they end. A session that begins is never kept waiting for a Redis
//! that is away: it becomes a [stray](super::strays). One that ended meanwhile is remembered until the lease is renewed.

use std::sync::{Arc, MutexGuard, PoisonError};

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use muster_protocol::{CommandId, api::Protocol};
use redis::RedisResult;

use super::{Redis, identity::nameless};
use crate::{
    backplane::{Arrival, Cursor, Joined, Lost, Missed, Record, Start, arrival::fight_delay, cursor::fresh_epoch},
    card::Card,
    end::End,
};

/// Sessions that may end while Redis is away and still be unregistered one by one.
const PARTED_MAX: usize = 100_000;
/// So many of them at once.
const LEAVING: usize = 64;

impl Redis {
    /// Registers a session (join.lua). If that can't be done it becomes a stray, which joins again alone.
    pub(in crate::backplane) async fn join(&self, arrival: &Arrival) -> Joined {
        let _permit = self.joining.acquire().await;
        let card = &arrival.card;
        if self.reach().is_err() {
            self.strays.wait_for_redis(card);
            return Joined::Away;
        }
        match self.try_join(arrival).await {
            Ok(joined) => {
                self.strays.remove(card.session);
                joined
            }
            Err(error) => {
                tracing::warn!(terminal = %card.terminal, %error, "not registered yet");
                self.strays.back_off(card);
                Joined::Away
            }
        }
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
        self.strays.remove(card.session);
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
