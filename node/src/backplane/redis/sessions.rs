//! Sessions in Redis: registered as they begin, and taken out as they end. A session that begins is never kept waiting for a Redis
//! that is away: it becomes a [stray](super::strays). One that ended meanwhile is remembered until the lease is renewed.

use async_trait::async_trait;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use muster_protocol::{CommandId, api::Protocol};
use redis::RedisResult;

use super::{RedisBackplane, catch_up::end_of, identity::nameless};
use crate::{
    backplane::{
        Cursor, GapReason, JoinOutcome, JoinRequest, MissedCommand, ResumePoint, SessionStore, TerminalRecord,
        cursor::fresh_epoch, rules::contest_delay,
    },
    end::SessionEnd,
    hub::SessionInfo,
};

/// So many of them at once.
const LEAVING: usize = 64;

#[async_trait]
impl SessionStore for RedisBackplane {
    /// Registers a session (join.lua). If that can't be done it becomes a stray, which joins again alone.
    async fn join(&self, request: &JoinRequest) -> JoinOutcome {
        let _permit = self.joining.acquire().await;
        let info = &request.info;
        if self.reach().is_err() {
            self.strays.wait_for_redis(info);
            return JoinOutcome::Away;
        }
        match self.try_join(request).await {
            Ok(joined) => {
                self.strays.remove(info.session);
                joined
            }
            Err(error) => {
                tracing::warn!(terminal = %info.terminal, %error, "not registered yet");
                self.strays.back_off(info);
                JoinOutcome::Away
            }
        }
    }

    /// Unregisters a session, if it is still the terminal's; with Redis away, as soon as it is back.
    async fn leave(&self, info: &Arc<SessionInfo>, end: SessionEnd) {
        self.strays.remove(info.session);
        if let Err(error) = self.try_leave(info, end).await {
            tracing::warn!(terminal = %info.terminal, %error, "not unregistered yet");
            self.parted.push(info.clone(), end);
        }
    }
}

impl RedisBackplane {
    async fn try_join(&self, request: &JoinRequest) -> RedisResult<JoinOutcome> {
        let record = TerminalRecord { info: SessionInfo::clone(&request.info), node: self.node.id.clone() };
        let record = serde_json::to_string(&record).expect("a record is JSON");
        let will = request.will.as_ref().map(|will| will.as_json()).unwrap_or_default();
        let cursor = request.cursor.as_ref();
        let plain = request.info.protocol == Protocol::Plain;
        // What its sessions here were sent must not be taken for missed: a plain terminal can't tell that it comes twice.
        if plain || request.again {
            self.flush().await?;
        }
        let mut call = self.scripts.join();
        call.arg(record).arg(will);
        call.arg(cursor.map_or("", |cursor| &cursor.epoch)).arg(cursor.map_or(0, |cursor| cursor.number));
        call.arg(if plain { "plain" } else { "" }).arg(if request.patient { "patient" } else { "" });
        call.arg(fresh_epoch()).arg(Timestamp::now().to_string()).arg(if request.again { "again" } else { "" });
        call.arg(self.identity.process());
        let answer: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        if answer[..] == ["nameless"] { Err(nameless()) } else { Ok(joined(&answer)) }
    }

    /// Unregisters those who left while Redis was away, for ever: beside the lease, which must not wait for however many they are.
    pub(super) async fn leave_late(&self) {
        loop {
            self.renewed.notified().await;
            let parted = self.parted.take();
            stream::iter(parted).for_each_concurrent(LEAVING, |(info, end)| self.leave_again(info, end)).await;
        }
    }

    async fn leave_again(&self, info: Arc<SessionInfo>, end: SessionEnd) {
        // If Redis is away again, not each of them is to wait for its answer.
        if self.reach().is_err() || self.try_leave(&info, end).await.is_err() {
            self.parted.push(info, end);
        }
    }

    async fn try_leave(&self, info: &SessionInfo, end: SessionEnd) -> RedisResult<()> {
        let mut call = self.scripts.leave();
        call.arg(info.terminal.as_str()).arg(info.session.to_string()).arg(self.node.id.as_str()).arg(end.label());
        call.arg(if end.is_loss() { "lost" } else { "" }).arg(Timestamp::now().to_string()).arg(self.hearing.reached());
        let _: bool = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(())
    }
}

/// What join.lua answered.
fn joined(answer: &[String]) -> JoinOutcome {
    match answer {
        [outcome, times] if outcome == "fight" => {
            JoinOutcome::Contested(contest_delay(times.parse().unwrap_or(u32::MAX)))
        }
        [outcome, epoch, number, lost, missed @ ..] if outcome == "ok" => {
            let lost = match lost.as_str() {
                "" => None,
                "store" => Some(GapReason::Store),
                number => number.parse().ok().map(GapReason::Trimmed),
            };
            let cursor = Cursor { epoch: epoch.clone(), number: number.parse().unwrap_or(0) };
            JoinOutcome::In(ResumePoint {
                cursor,
                missed: missed.iter().filter_map(|entry| one_missed(entry)).collect(),
                lost,
            })
        }
        [outcome, reason] if outcome == "ended" => JoinOutcome::Ended(end_of(reason)),
        _ => JoinOutcome::Ended(SessionEnd::Replaced),
    }
}

/// `number id all|some`.
fn one_missed(entry: &str) -> Option<MissedCommand> {
    let mut words = entry.split(' ');
    let (number, command) = (words.next()?.parse().ok()?, words.next()?.parse::<CommandId>().ok()?);
    Some(MissedCommand { number, command, to_all: words.next()? == "all" })
}
