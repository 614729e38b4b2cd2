//! The notices that a partition has for all of them (notice_put.lua, notice_remove.lua, notices.lua,
//! notices_carried.lua, notices_save.lua, notices_away.lua, notice_due.lua, notice_tried.lua, notice_attempts.lua).

use jiff::Timestamp;
use muster_protocol::{NodeId, NoticeName, TerminalId, api::NoticeAttempt};
use redis::RedisResult;
use serde::Serialize;

use super::StorePartition;
use crate::backplane::{
    AwayScore, BackplaneError, CarriedNotices, NoticeChange, NoticeMessage, NoticePlace, NoticeStep, NoticeTurn,
    StoredNotice, TriedMessage,
    redis::refusal::{broken, read, unavailable, unsure},
    rules::{NOTICE_ATTEMPTS, NOTICE_BYTES, NOTICE_PORTION, NOTICES_CARRIED_FOR, NOTICES_MAX},
};

impl StorePartition {
    /// Stores a notice. False if there is another one by now than the change was decided on.
    ///
    /// # Errors
    /// [`BackplaneError::TooManyNotices`], and those of a call that changes something.
    pub async fn put_notice(&self, change: NoticeChange<'_>) -> Result<bool, BackplaneError> {
        let NoticeChange { record, before, cursor } = change;
        let place = NoticePlace { cursor: cursor.to_owned(), ..NoticePlace::default() };
        let mut call = self.scripts.notice_put(&self.keys);
        call.arg(record.name.as_str()).arg(json(record)).arg(NOTICES_MAX).arg(json(&place));
        call.arg(before.map_or("", |secret| secret.0.as_str()));
        let answer: RedisResult<String> = call.invoke_async(&mut self.connection.clone()).await;
        match answer.map_err(unsure)?.as_str() {
            "stored" => Ok(true),
            "other" => Ok(false),
            _ => Err(BackplaneError::TooManyNotices(NOTICES_MAX)),
        }
    }

    /// Removes a notice and what waits for its receiver. False if there is none.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn remove_notice(&self, name: &NoticeName) -> Result<bool, BackplaneError> {
        let mut call = self.scripts.notice_remove(&self.keys);
        call.arg(name.as_str()).invoke_async(&mut self.connection.clone()).await.map_err(unsure)
    }

    /// Returns all notices, by name. One that can't be read is left out.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn notices(&self) -> Result<Vec<StoredNotice>, BackplaneError> {
        let call = self.scripts.notices(&self.keys);
        let found: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
        Ok(stored_notices(&found.map_err(unavailable)?))
    }

    /// Returns the last attempts of a notice, newest first.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn notice_attempts(&self, name: &NoticeName) -> Result<Vec<NoticeAttempt>, BackplaneError> {
        let mut call = self.scripts.notice_attempts(&self.keys);
        call.arg(name.as_str()).arg(NOTICE_ATTEMPTS);
        let found: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
        Ok(found.map_err(unavailable)?.iter().filter_map(|attempt| read(attempt).ok()).collect())
    }

    /// Returns all notices, if this node carries them on.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn carried_notices(&self, node: &NodeId) -> Result<CarriedNotices, BackplaneError> {
        let mut call = self.scripts.notices_carried(&self.keys);
        call.arg(node.as_str()).arg(NOTICES_CARRIED_FOR.as_millis() as u64);
        let answer: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
        carried(&answer.map_err(unavailable)?).ok_or_else(|| broken("notices_carried.lua"))
    }

    /// Takes a step of all notices. Returns how many messages found no room, or `None` if the step was not taken:
    /// another node carries the notices on, or has taken a step.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn save_notices(&self, node: &NodeId, step: NoticeStep<'_>) -> Result<Option<u64>, BackplaneError> {
        let mut call = self.scripts.notices_save(&self.keys);
        call.arg(node.as_str()).arg(step.revision).arg(json(step.place)).arg(step.forget_to.0).arg(NOTICE_BYTES);
        call.arg(step.back.len()).arg(step.off.len()).arg(step.nodes.len());
        step.back.iter().for_each(|terminal| _ = call.arg(terminal.as_str()));
        step.off.iter().for_each(|(score, terminal)| _ = call.arg(score.0).arg(terminal.as_str()));
        step.nodes.iter().for_each(|node| _ = call.arg(node.as_str()));
        for (name, message) in step.messages {
            call.arg(name.as_str()).arg(message.id.to_string()).arg(json(message)).arg(message.body.len());
        }
        let answer: RedisResult<(bool, u64)> = call.invoke_async(&mut self.connection.clone()).await;
        let (is_taken, lost) = answer.map_err(unsure)?;
        Ok(is_taken.then_some(lost))
    }

    /// Terminals that went offline behind one score and up to another, the first of them.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn away_between(
        &self,
        after: AwayScore,
        until: AwayScore,
    ) -> Result<Vec<(AwayScore, TerminalId)>, BackplaneError> {
        let mut call = self.scripts.notices_away(&self.keys);
        call.arg(after.0).arg(until.0).arg(NOTICE_PORTION);
        let found: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
        let found = found.map_err(unavailable)?;
        let pair = |pair: &[String]| Some((AwayScore(pair[1].parse::<f64>().ok()? as u64), pair[0].parse().ok()?));
        Ok(found.chunks_exact(2).filter_map(pair).collect())
    }

    /// Messages of a notice that are due, the first of them.
    ///
    /// # Errors
    /// [`BackplaneError::Unavailable`] if Redis does not answer.
    pub async fn due_messages(&self, name: &NoticeName, limit: usize) -> Result<Vec<NoticeMessage>, BackplaneError> {
        let mut call = self.scripts.notice_due(&self.keys);
        call.arg(name.as_str()).arg(limit);
        let found: RedisResult<Vec<String>> = call.invoke_async(&mut self.connection.clone()).await;
        Ok(found.map_err(unavailable)?.iter().filter_map(|message| read(message).ok()).collect())
    }

    /// Records an attempt, and when the message is due again if it still waits.
    ///
    /// # Errors
    /// Those of a call that changes something.
    pub async fn record_attempt(&self, tried: TriedMessage<'_>) -> Result<(), BackplaneError> {
        let message = tried.wait.map(|_| json(tried.message)).unwrap_or_default();
        let wait_ms = tried.wait.map_or(0, |wait| wait.as_millis() as u64);
        let mut call = self.scripts.notice_tried(&self.keys);
        call.arg(tried.notice.as_str()).arg(tried.message.id.to_string()).arg(message).arg(wait_ms);
        call.arg(tried.message.body.len()).arg(json(tried.attempt)).arg(NOTICE_ATTEMPTS);
        call.invoke_async(&mut self.connection.clone()).await.map_err(unsure)
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("what is stored of notices has a JSON form")
}

/// Reads of each notice its record, the number and bytes of what waits, and the number that found no room.
fn stored_notices(found: &[String]) -> Vec<StoredNotice> {
    let one = |notice: &[String]| {
        let number = |index: usize| notice[index].parse().ok();
        let record = read(&notice[0]).ok()?;
        Some(StoredNotice { record, waiting: number(1)?, waiting_bytes: number(2)?, lost: number(3)? })
    };
    let mut all: Vec<StoredNotice> = found.chunks_exact(4).filter_map(one).collect();
    all.sort_by(|one, other| one.record.name.cmp(&other.record.name));
    all
}

fn carried(answer: &[String]) -> Option<CarriedNotices> {
    let [now, is_carrier, rest @ ..] = answer else { return None };
    let now = Timestamp::from_millisecond(now.parse().ok()?).ok()?;
    if is_carrier != "1" {
        return Some(CarriedNotices { now, turn: None });
    }
    let [place, revision, nodes, rest @ ..] = rest else { return None };
    let (nodes, notices) = rest.split_at_checked(2 * nodes.parse::<usize>().ok()?)?;
    let lost_node =
        |pair: &[String]| Some((pair[0].parse().ok()?, Timestamp::from_second(pair[1].parse().ok()?).ok()?));
    let turn = NoticeTurn {
        place: read(place).unwrap_or_default(),
        revision: revision.parse().ok()?,
        notices: stored_notices(notices),
        lost_nodes: nodes.chunks_exact(2).filter_map(lost_node).collect(),
    };
    Some(CarriedNotices { now, turn: Some(turn) })
}
