//! Notices belong to no terminal: the first partition has all of them, and what waits for their receivers.

use async_trait::async_trait;
use muster_protocol::{NoticeName, TerminalId, api::NoticeAttempt};

use super::RedisBackplane;
use crate::backplane::{
    AwayScore, BackplaneError, CarriedNotices, NoticeChange, NoticeMessage, NoticeStep, NoticeStore, StoredNotice,
    TriedMessage,
};

#[async_trait]
impl NoticeStore for RedisBackplane {
    async fn put_notice(&self, change: NoticeChange<'_>) -> Result<bool, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.put_notice(change)).await
    }

    async fn remove_notice(&self, name: &NoticeName) -> Result<bool, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.remove_notice(name)).await
    }

    async fn notices(&self) -> Result<Vec<StoredNotice>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.notices()).await
    }

    async fn notice_attempts(&self, name: &NoticeName) -> Result<Vec<NoticeAttempt>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.notice_attempts(name)).await
    }

    async fn carried_notices(&self) -> Result<CarriedNotices, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.carried_notices(&self.node.id)).await
    }

    async fn save_notices(&self, step: NoticeStep<'_>) -> Result<Option<u64>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.save_notices(&self.node.id, step)).await
    }

    async fn away_between(
        &self,
        after: AwayScore,
        until: AwayScore,
    ) -> Result<Vec<(AwayScore, TerminalId)>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.away_between(after, until)).await
    }

    async fn due_messages(&self, name: &NoticeName, limit: usize) -> Result<Vec<NoticeMessage>, BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.due_messages(name, limit)).await
    }

    async fn record_attempt(&self, tried: TriedMessage<'_>) -> Result<(), BackplaneError> {
        let home = self.first_partition();
        home.ask(home.store.record_attempt(tried)).await
    }
}
