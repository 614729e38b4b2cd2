//! Whether a node is noted in a partition, whose next event then tells the node's inbox.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A note that is older is made again, since it may have been lost with a store that was emptied, and the message with
/// a connection.
const NOTE_HOLDS: Duration = Duration::from_secs(4);

/// Whether this node is noted in a partition to be told of the next event.
#[derive(Debug, Default)]
pub struct EventNote(Mutex<Option<Instant>>);

impl EventNote {
    /// Returns whether the node must note itself. The node counts as noted from now on, because the message may come
    /// before the answer to the call.
    pub fn take(&self) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let holds = noted.is_some_and(|at| at.elapsed() < NOTE_HOLDS);
        if !holds {
            *noted = Some(Instant::now());
        }
        !holds
    }

    /// Records that the note is gone, or may be.
    pub fn drop_note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
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
