//! How a node hears of the next event without asking again and again: it notes itself in each partition, and the script
//! that writes an event there tells its inbox, once (`scripts/lib/events.lua`).

use super::{RedisBackplane, member::PartitionMember, refusal::unavailable};
use crate::backplane::event_signal::EventWatch;

impl RedisBackplane {
    /// Notes this node wherever it is not noted. Where that fails the partition is away, and whoever reads its events
    /// is told that.
    pub(super) async fn note_for_events(&self) -> EventWatch {
        // First, so that it is woken by everything that comes after the note.
        let watch = self.event_signal.watch();
        let noting = self.members.iter().filter(|member| member.event_note.take()).map(|member| async {
            let noted = member.store.note_for_events(&self.node.id);
            if let Err(error) = member.ask(async { noted.await.map_err(unavailable) }).await {
                member.event_note.drop_note();
                tracing::debug!(%error, "this node is not told of events");
            }
        });
        futures_util::future::join_all(noting).await;
        watch
    }

    /// An event was written in a partition, or may have been while this node did not listen.
    pub(super) fn hears_of_event(&self, member: &PartitionMember) {
        member.event_note.drop_note();
        self.event_signal.wake();
    }
}
