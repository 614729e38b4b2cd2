//! How a node hears of the next event without asking again and again: it notes itself in each partition, and the script that writes an event
//! there tells its inbox, once (`scripts/lib/events.lua`).

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{RedisBackplane, member::PartitionMember, refusal::unavailable};
use crate::backplane::event_signal::EventWatch;

/// A note that is older is made again, since it may have been lost with a store that was emptied, and the message with a connection.
const NOTE_HOLDS: Duration = Duration::from_secs(4);

/// Whether this node is noted in a partition to be told of the next event.
#[derive(Debug, Default)]
pub struct EventNote(Mutex<Option<Instant>>);

impl EventNote {
    /// Whether the node must note itself. It counts as noted from now on: the message may come before the answer of the call.
    fn take(&self) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = noted.is_some_and(|at| at.elapsed() < NOTE_HOLDS);
        if !holds {
            *noted = Some(Instant::now());
        }
        !holds
    }

    /// The note is gone, or may be.
    pub fn drop_note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl RedisBackplane {
    /// Notes this node wherever it is not noted. Where that fails the partition is away, and whoever reads its events is told that.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_notes_itself_once_until_it_was_told() {
        let note = EventNote::default();
        assert_eq!([note.take(), note.take()], [true, false]);
        note.drop_note();
        assert_eq!([note.take(), note.take()], [true, false]);
    }
}
