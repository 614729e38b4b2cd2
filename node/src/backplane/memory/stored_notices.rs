//! The notices that are stored, and the messages that wait for their receivers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use muster_protocol::{NoticeName, TerminalId, api::NoticeAttempt};
use uuid::Uuid;

use crate::backplane::{
    AwayScore, BackplaneError, NoticeChange, NoticeMessage, NoticePlace, NoticeRecord, NoticeStep, StoredNotice,
    TriedMessage,
    rules::{NOTICE_ATTEMPTS, NOTICE_BYTES, NOTICES_MAX},
};

/// The notices that are stored.
#[derive(Debug, Default)]
pub(super) struct StoredNotices {
    pub(super) by_name: BTreeMap<NoticeName, NoticeEntry>,
    pub(super) place: NoticePlace,
    pub(super) revision: u64,
    pub(super) away: BTreeSet<(AwayScore, TerminalId)>,
    away_since: BTreeMap<TerminalId, AwayScore>,
}

/// One notice, and what waits for its receiver.
#[derive(Debug)]
pub(super) struct NoticeEntry {
    pub(super) record: NoticeRecord,
    /// Each message and when it is due.
    pub(super) messages: BTreeMap<Uuid, (Timestamp, NoticeMessage)>,
    bytes: u64,
    lost: u64,
    /// The newest first.
    pub(super) attempts: VecDeque<NoticeAttempt>,
}

impl StoredNotices {
    /// Stores a notice. False if there is another one by now than the change was decided on.
    pub(super) fn put(
        &mut self,
        NoticeChange { record, before, cursor }: NoticeChange<'_>,
    ) -> Result<bool, BackplaneError> {
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
        self.by_name.insert(record.name.clone(), NoticeEntry::new(record.clone()));
        Ok(true)
    }

    /// All notices, by name.
    pub(super) fn all(&self) -> Vec<StoredNotice> {
        let stored = |entry: &NoticeEntry| StoredNotice {
            record: entry.record.clone(),
            waiting: entry.messages.len() as u64,
            waiting_bytes: entry.bytes,
            lost: entry.lost,
        };
        self.by_name.values().map(stored).collect()
    }

    /// Keeps which terminals are offline.
    pub(super) fn move_away(&mut self, step: &NoticeStep<'_>) {
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

impl NoticeEntry {
    fn new(record: NoticeRecord) -> Self {
        Self { record, messages: BTreeMap::new(), bytes: 0, lost: 0, attempts: VecDeque::new() }
    }

    /// Queues a message. False if no more can wait.
    pub(super) fn queue(&mut self, message: &NoticeMessage, now: Timestamp) -> bool {
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

    /// Records an attempt, and when the message is due again if it still waits.
    pub(super) fn record_attempt(&mut self, tried: TriedMessage<'_>, now: Timestamp) {
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
