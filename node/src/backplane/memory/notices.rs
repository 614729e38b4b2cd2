//! Notices of a node alone, which carries them on by itself.

use async_trait::async_trait;
use muster_protocol::{NoticeName, TerminalId, api::NoticeAttempt};

use super::{MemoryBackplane, stored_notices::StoredNotices};
use crate::backplane::{
    AwayScore, BackplaneError, CarriedNotices, NoticeChange, NoticeMessage, NoticeStep, NoticeStore, NoticeTurn,
    StoredNotice, TriedMessage, rules::NOTICE_PORTION,
};

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
