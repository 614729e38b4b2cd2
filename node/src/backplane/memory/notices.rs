//! Notices of a node alone, which carries them on by itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use async_trait::async_trait;
use jiff::Timestamp;
use muster_protocol::{NoticeName, TerminalId, api::NoticeAttempt};
use uuid::Uuid;

use super::MemoryBackplane;
use crate::backplane::{
    AwayScore, BackplaneError, CarriedNotices, NoticeChange, NoticeMessage, NoticePlace, NoticeRecord, NoticeStep,
    NoticeStore, NoticeTurn, StoredNotice, TriedMessage,
    rules::{NOTICE_ATTEMPTS, NOTICE_BYTES, NOTICE_PORTION, NOTICES_MAX},
};

/// The notices that are stored.
#[derive(Debug, Default)]
pub(super) struct StoredNotices {
    by_name: BTreeMap<NoticeName, Entry>,
    place: NoticePlace,
    revision: u64,
    away: BTreeSet<(AwayScore, TerminalId)>,
    away_since: BTreeMap<TerminalId, AwayScore>,
}

#[derive(Debug)]
struct Entry {
    record: NoticeRecord,
    /// Each message and when it is due.
    messages: BTreeMap<Uuid, (Timestamp, NoticeMessage)>,
    bytes: u64,
    lost: u64,
    /// The newest first.
    attempts: VecDeque<NoticeAttempt>,
}

#[async_trait]
impl NoticeStore for MemoryBackplane {
    async fn put_notice(&self, change: NoticeChange<'_>) -> Result<bool, BackplaneError> {
        self.store().notices.put(change)
    }

    async fn remove_notice(&self, name: &NoticeName) -> Result<bool, BackplaneError> {
        let stored = &mut self.store().notices;
        let is_removed = stored.by_name.remove(name).is_some();
        if stored.by_name.is_empty() {
            *stored = StoredNotices::default();
        }
        Ok(is_removed)
    }

    async fn notices(&self) -> Result<Vec<StoredNotice>, BackplaneError> {
        Ok(self.store().notices.all())
    }

    async fn notice_attempts(&self, name: &NoticeName) -> Result<Vec<NoticeAttempt>, BackplaneError> {
        let entry = &self.store().notices.by_name;
        Ok(entry.get(name).map(|entry| entry.attempts.iter().cloned().collect()).unwrap_or_default())
    }

    async fn carried_notices(&self) -> Result<CarriedNotices, BackplaneError> {
        let now = self.clock.now();
        let stored = &self.store().notices;
        let turn = (!stored.by_name.is_empty()).then(|| NoticeTurn {
            place: stored.place.clone(),
            revision: stored.revision,
            notices: stored.all(),
            lost_nodes: Vec::new(),
        });
        Ok(CarriedNotices { now, turn })
    }

    async fn save_notices(&self, step: NoticeStep<'_>) -> Result<Option<u64>, BackplaneError> {
        let now = self.clock.now();
        let stored = &mut self.store().notices;
        if stored.revision != step.revision || stored.by_name.is_empty() {
            return Ok(None);
        }
        (stored.place, stored.revision) = (step.place.clone(), step.revision + 1);
        stored.move_away(&step);
        let mut lost = 0;
        for (name, message) in step.messages {
            if let Some(entry) = stored.by_name.get_mut(name) {
                lost += u64::from(!entry.queue(message, now));
            }
        }
        Ok(Some(lost))
    }

    async fn away_between(
        &self,
        after: AwayScore,
        until: AwayScore,
    ) -> Result<Vec<(AwayScore, TerminalId)>, BackplaneError> {
        let away = &self.store().notices.away;
        let found = away.iter().skip_while(|(score, _)| *score <= after).take_while(|(score, _)| *score <= until);
        Ok(found.take(NOTICE_PORTION).cloned().collect())
    }

    async fn due_messages(&self, name: &NoticeName, limit: usize) -> Result<Vec<NoticeMessage>, BackplaneError> {
        let now = self.clock.now();
        let by_name = &self.store().notices.by_name;
        let messages = by_name.get(name).into_iter().flat_map(|entry| entry.messages.values());
        let mut due: Vec<_> = messages.filter(|(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, message)| (*at, message.id));
        Ok(due.into_iter().take(limit).map(|(_, message)| message.clone()).collect())
    }

    async fn record_attempt(&self, tried: TriedMessage<'_>) -> Result<(), BackplaneError> {
        let now = self.clock.now();
        if let Some(entry) = self.store().notices.by_name.get_mut(tried.notice) {
            entry.record_attempt(tried, now);
        }
        Ok(())
    }
}

impl StoredNotices {
    fn put(&mut self, NoticeChange { record, before, cursor }: NoticeChange<'_>) -> Result<bool, BackplaneError> {
        let found = self.by_name.get_mut(&record.name);
        if found.as_ref().map(|entry| &entry.record.secret) != before {
            return Ok(false);
        }
        if let Some(entry) = found {
            entry.record = record.clone();
            return Ok(true);
        }
        if self.by_name.len() as u64 >= NOTICES_MAX {
            return Err(BackplaneError::TooManyNotices(NOTICES_MAX));
        }
        if self.by_name.is_empty() {
            self.place.cursor = cursor.to_owned();
        }
        self.by_name.insert(record.name.clone(), Entry::new(record.clone()));
        Ok(true)
    }

    fn all(&self) -> Vec<StoredNotice> {
        let stored = |entry: &Entry| StoredNotice {
            record: entry.record.clone(),
            waiting: entry.messages.len() as u64,
            waiting_bytes: entry.bytes,
            lost: entry.lost,
        };
        self.by_name.values().map(stored).collect()
    }

    /// Keeps which terminals are off the line.
    fn move_away(&mut self, step: &NoticeStep<'_>) {
        for terminal in step.back.iter().chain(step.off.iter().map(|(_, terminal)| terminal)) {
            if let Some(score) = self.away_since.remove(terminal) {
                self.away.remove(&(score, terminal.clone()));
            }
        }
        for (score, terminal) in step.off {
            self.away_since.insert(terminal.clone(), *score);
            self.away.insert((*score, terminal.clone()));
        }
        while let Some(first) = self.away.first().filter(|(score, _)| *score <= step.forget_to).cloned() {
            self.away.remove(&first);
            self.away_since.remove(&first.1);
        }
    }
}

impl Entry {
    fn new(record: NoticeRecord) -> Self {
        Self { record, messages: BTreeMap::new(), bytes: 0, lost: 0, attempts: VecDeque::new() }
    }

    /// Queues a message. False if no more can wait.
    fn queue(&mut self, message: &NoticeMessage, now: Timestamp) -> bool {
        let bytes = message.body.len() as u64;
        let has_room = self.bytes + bytes <= NOTICE_BYTES;
        if has_room {
            self.bytes += bytes;
            self.messages.insert(message.id, (now, message.clone()));
        } else {
            self.lost += 1;
        }
        has_room
    }

    fn record_attempt(&mut self, tried: TriedMessage<'_>, now: Timestamp) {
        let id = tried.message.id;
        match (self.messages.get_mut(&id), tried.wait) {
            (Some(waiting), Some(wait)) => {
                *waiting = (now.checked_add(wait).unwrap_or(Timestamp::MAX), tried.message.clone());
            }
            (Some(_), None) => {
                self.messages.remove(&id);
                self.bytes -= tried.message.body.len() as u64;
            }
            (None, _) => {}
        }
        self.attempts.push_front(tried.attempt.clone());
        self.attempts.truncate(NOTICE_ATTEMPTS);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use muster_protocol::api::{NoticeKind, NoticeSecret};

    use super::*;

    fn record(secret: &str) -> NoticeRecord {
        NoticeRecord {
            name: "ops".parse().unwrap(),
            url: "https://hooks.example/".into(),
            on: BTreeSet::from([NoticeKind::NodeLost]),
            off_for: Duration::from_secs(600),
            expression: None,
            secret: NoticeSecret(secret.into()),
            by: String::new(),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_notice_is_replaced_only_by_who_knows_its_secret() {
        let mut stored = StoredNotices::default();
        let mut put = |secret: &str, before: Option<&str>| {
            let before = before.map(|before| NoticeSecret(before.into()));
            stored.put(NoticeChange { record: &record(secret), before: before.as_ref(), cursor: "" }).unwrap()
        };
        assert!(!put("a", Some("a")), "there is none");
        assert!(put("a", None) && !put("b", None), "one of two has made it");
        assert!(put("c", Some("a")) && !put("d", Some("a")), "it has another secret by now");
        assert_eq!(stored.all()[0].record.secret.0, "c");
    }
}
