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
    is_used: bool,
}

impl Rosters {
    /// The ordinals of a list. A terminal that has none is left out.
    pub(super) fn set(&mut self, terminals: &Arc<[TerminalId]>, ordinals: &TerminalOrdinals) -> Arc<Bitmap> {
        if self.generation != ordinals.generation() {
            self.recent.clear();
            self.generation = ordinals.generation();
        }
        if let Some(known) = self.recent.iter_mut().find(|known| Arc::ptr_eq(&known.terminals, terminals)) {
            known.is_used = true;
            return known.set.clone();
        }
        let set: Arc<Bitmap> = Arc::new(terminals.iter().flat_map(|one| ordinals.reporting(one)).collect());
        self.recent.push(Roster { terminals: terminals.clone(), set: set.clone(), is_used: true });
        set
    }

    /// Forgets the lists that were not used since the last call, so that no list of a shard is kept for long.
    pub(super) fn forget_unused(&mut self) {
        self.recent.retain_mut(|roster| std::mem::take(&mut roster.is_used));
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
        rosters.forget_unused();
        rosters.forget_unused();
        assert!(rosters.recent.is_empty());
    }
}
