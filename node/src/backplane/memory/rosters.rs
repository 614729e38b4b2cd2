//! Rosters as bitmaps. A walk over the sessions of a shard reports each command of it with the same list of terminals, and the next
//! walk too while no session comes or goes. So a list is looked up once and not for each command.

use std::sync::Arc;

use muster_protocol::TerminalId;

use super::{bitmap::Bitmap, ordinals::TerminalOrdinals};

/// The lists that were looked up lately.
#[derive(Debug, Default)]
pub(super) struct Rosters {
    /// The generation of the ordinals by which the lists were looked up.
    generation: u64,
    recent: Vec<Roster>,
}

#[derive(Debug)]
struct Roster {
    terminals: Arc<[TerminalId]>,
    set: Arc<Bitmap>,
}

impl Rosters {
    /// The ordinals of a list. A terminal that has none is left out.
    pub(super) fn set(&mut self, terminals: &Arc<[TerminalId]>, ordinals: &TerminalOrdinals) -> Arc<Bitmap> {
        if self.generation != ordinals.generation() {
            self.recent.clear();
            self.generation = ordinals.generation();
        }
        if let Some(known) = self.recent.iter().find(|known| Arc::ptr_eq(&known.terminals, terminals)) {
            return known.set.clone();
        }
        let set: Arc<Bitmap> = Arc::new(terminals.iter().flat_map(|one| ordinals.reporting(one)).collect());
        self.recent.push(Roster { terminals: terminals.clone(), set: set.clone() });
        set
    }

    /// Forgets the lists that nobody else has any more: a shard has another one after a session has come or gone. A list that was not
    /// reported lately stays, since the shards report the same command at different times.
    pub(super) fn forget_unused(&mut self) {
        self.recent.retain(|roster| Arc::strong_count(&roster.terminals) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_looked_up_again_after_a_terminal_became_known() {
        let (mut rosters, mut ordinals) = (Rosters::default(), TerminalOrdinals::default());
        let list: Arc<[TerminalId]> = ["a", "b"].map(|name| name.parse().unwrap()).into();
        ordinals.give(&list[0], None);
        let first = rosters.set(&list, &ordinals);
        assert!(first.count() == 1 && Arc::ptr_eq(&first, &rosters.set(&list, &ordinals)));
        ordinals.give(&list[1], None);
        assert_eq!(rosters.set(&list, &ordinals).count(), 2);
    }

    #[test]
    fn a_list_is_looked_up_once_for_as_long_as_a_shard_has_it() {
        let (mut rosters, ordinals) = (Rosters::default(), TerminalOrdinals::default());
        let lists: [Arc<[TerminalId]>; 2] = ["a", "b"].map(|name| [name.parse().unwrap()].into());
        let first = rosters.set(&lists[0], &ordinals);
        rosters.forget_unused();
        rosters.set(&lists[1], &ordinals);
        rosters.forget_unused();
        assert!(Arc::ptr_eq(&first, &rosters.set(&lists[0], &ordinals)), "the other shard reported between");
        drop(lists);
        rosters.forget_unused();
        assert!(rosters.recent.is_empty());
    }
}
