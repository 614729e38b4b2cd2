//! What a node does after it was deaf: it takes from the log what it missed, stops what was cancelled, and ends the sessions that
//! the store has ended. Called by [`subscription`](super::subscription), which listens already: so nothing falls between.

use muster_protocol::{SessionId, TerminalId, frame};
use redis::{
    AsyncCommands, RedisResult,
    streams::{StreamId, StreamRangeReply},
};

use super::{PARTITION, RedisBackplane, hearing::Reached, keys};
use crate::{
    backplane::envelope::{Audience, Delivery},
    end::SessionEnd,
};

/// Entries of the log read at once.
const PAGE: usize = 500;
/// Sessions that are looked up at once.
const PORTION: usize = 1000;

impl RedisBackplane {
    /// Takes from the log what follows what it has `reached`. A node that has reached nothing yet, or has come to where the log does not
    /// reach back to, or beyond a store that went back, has its sessions join again: each then learns what it missed itself.
    pub(super) async fn catch_up(&self, reached: &mut Option<Reached>) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        pipe.get(self.keys.key(keys::EPOCH)).get(self.keys.key(keys::SEQ)).hget(self.keys.key(keys::MARKS), "trimmed");
        let (epoch, newest, trimmed): (Option<String>, Option<u64>, Option<u64>) =
            pipe.query_async(&mut self.connection.clone()).await?;
        let (epoch, newest) = (epoch.unwrap_or_default(), newest.unwrap_or(0));
        let before = reached.as_ref().map_or(0, |reached| reached.broadcast.min(reached.inbox));
        let from = match reached {
            Some(known) if known.epoch == epoch && trimmed.unwrap_or(0) <= before && before <= newest => before,
            _ => {
                self.sessions.rejoin(PARTITION).await;
                newest
            }
        };
        *reached = Some(Reached { epoch: epoch.clone(), broadcast: from, inbox: from });
        let number = self.replay(epoch, from, reached).await?;
        self.hearing.has_reached(number);
        Ok(())
    }

    /// Passes on what the log has after `number`; how far it came. What has been trimmed meanwhile is noticed by the next delivery.
    async fn replay(&self, epoch: String, mut number: u64, reached: &mut Option<Reached>) -> RedisResult<u64> {
        loop {
            let from = format!("({number}-0");
            let page: StreamRangeReply =
                self.connection.clone().xrange_count(self.keys.key(keys::LOG), from, "+", PAGE).await?;
            for entry in &page.ids {
                let prev = number;
                number = entry.id.split('-').next().and_then(|number| number.parse().ok()).unwrap_or(prev);
                self.hearing.saw(&epoch, number);
                if let Some((command, to, rate)) = self.logged(entry).await? {
                    self.pass_on(Delivery { epoch: epoch.clone(), number, prev, to, rate, command }).await;
                }
                *reached = Some(Reached { epoch: epoch.clone(), broadcast: number, inbox: number });
            }
            if page.ids.len() < PAGE {
                return Ok(number);
            }
        }
    }

    /// Stops what was cancelled while this node was deaf.
    pub(super) async fn stop_cancelled(&self) -> RedisResult<()> {
        for command in self.pacer.commands() {
            let cancelled: Option<u64> =
                self.connection.clone().hget(self.keys.key(&keys::command(command)), "cancelled_at").await?;
            if cancelled.is_some() {
                self.pacer.cancel(command);
            }
        }
        Ok(())
    }

    /// The command of an entry in the log, for whom it is and at which rate; none if it need not be sent any more.
    async fn logged(&self, entry: &StreamId) -> RedisResult<Option<(frame::Command, Audience, Option<f64>)>> {
        let Some(id) = entry.get::<String>("id").and_then(|id| id.parse().ok()) else { return Ok(None) };
        let fields = ["frame", "cancelled_at", "named", "rate"];
        type Fields = (Option<String>, Option<u64>, Option<String>, Option<f64>);
        let (frame, cancelled, named, rate): Fields =
            self.connection.clone().hmget(self.keys.key(&keys::command(id)), &fields).await?;
        let frame = frame.filter(|_| cancelled.is_none()).and_then(|frame| serde_json::from_str(&frame).ok());
        let to = match named {
            None => Some((Audience::All, 1.0)),
            Some(named) => serde_json::from_str(&named).ok().map(|all| self.present(all)),
        };
        Ok(frame.zip(to).map(|(command, (to, share))| (command, to, rate.map(|rate| rate * share))))
    }

    /// Those of these terminals that are here, and which share of them all they are.
    fn present(&self, all: Vec<TerminalId>) -> (Audience, f64) {
        let count = all.len().max(1);
        let here: Vec<_> = all.into_iter().filter(|terminal| self.hub.has(terminal)).collect();
        let share = here.len() as f64 / count as f64;
        (Audience::Terminals(here), share)
    }

    /// Ends the sessions that the store has ended while this node was deaf. A session that is not registered yet has no mark in the
    /// store; it ends if its terminal has a newer session.
    pub(super) async fn give_up_ended(&self) -> RedisResult<()> {
        for infos in self.hub.infos().chunks(PORTION) {
            let mut pipe = redis::pipe();
            let terminals: Vec<_> = infos.iter().map(|info| info.terminal.as_str()).collect();
            let marks = infos.iter().map(|info| self.keys.key(&keys::ended(info.session)));
            pipe.cmd("HMGET").arg(self.keys.key(keys::ONLINE)).arg(&terminals);
            pipe.cmd("MGET").arg(marks.collect::<Vec<_>>());
            let (owners, reasons): (Vec<Option<String>>, Vec<Option<String>>) =
                pipe.query_async(&mut self.connection.clone()).await?;
            for (info, (owner, reason)) in infos.iter().zip(owners.iter().zip(&reasons)) {
                let owner = owner.as_ref().and_then(|owner| owner.split_once(' ')?.1.parse::<SessionId>().ok());
                let replaced = owner.filter(|owner| *owner > info.session).map(|_| SessionEnd::Replaced);
                if let Some(end) = reason.as_deref().map(end_of).or(replaced) {
                    self.sessions.end_session(&info.terminal, info.session, end).await;
                }
            }
        }
        Ok(())
    }
}

/// The end of a session for which the store has this reason.
pub(super) fn end_of(reason: &str) -> SessionEnd {
    [SessionEnd::Removed, SessionEnd::Disconnected]
        .into_iter()
        .find(|end| end.label() == reason)
        .unwrap_or(SessionEnd::Replaced)
}
