//! The order of commands over all partitions. In each partition they are numbered; the order here holds that of every partition.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

use muster_protocol::CommandId;

/// One order of all commands that stand in lists by their numbers. A command that stands before another in one list does so in the result.
///
/// Commands that were accepted at the same time may stand in different orders in two lists. Of these the one with the lowest number comes
/// first.
pub fn merged(mut lists: Vec<Vec<(u64, CommandId)>>) -> Vec<CommandId> {
    lists.iter_mut().for_each(|list| list.sort_unstable());
    let mut counts: HashMap<CommandId, usize> = HashMap::new();
    lists.iter().flatten().for_each(|(_, id)| *counts.entry(*id).or_default() += 1);
    let mut merge = Merge {
        at: vec![0; lists.len()],
        lists,
        heads: HashMap::new(),
        ready: BinaryHeap::new(),
        early: HashSet::new(),
        counts,
    };
    (0..merge.lists.len()).for_each(|list| merge.look_at(list));
    let mut order = Vec::with_capacity(merge.counts.len());
    while let Some(id) = merge.next() {
        order.push(id);
    }
    order
}

struct Merge {
    lists: Vec<Vec<(u64, CommandId)>>,
    /// How far each list was read.
    at: Vec<usize>,
    /// The number of lists that have a command.
    counts: HashMap<CommandId, usize>,
    /// The commands that lists have next, and these lists.
    heads: HashMap<CommandId, Vec<usize>>,
    /// Commands that all of their lists have next, by their lowest numbers.
    ready: BinaryHeap<Reverse<(u64, CommandId)>>,
    /// Commands that came before some list had them next.
    early: HashSet<CommandId>,
}

impl Merge {
    fn next(&mut self) -> Option<CommandId> {
        let id = match self.ready.pop() {
            Some(Reverse((_, id))) => id,
            // Each command that is next somewhere waits for another list.
            None => {
                let id = self.heads.iter().map(|(id, lists)| (self.number(lists[0]), *id)).min()?.1;
                self.early.insert(id);
                id
            }
        };
        for list in self.heads.remove(&id).unwrap_or_default() {
            self.at[list] += 1;
            self.look_at(list);
        }
        Some(id)
    }

    fn number(&self, list: usize) -> u64 {
        self.lists[list][self.at[list]].0
    }

    /// Takes note of the command that a list has next.
    fn look_at(&mut self, list: usize) {
        while let Some((number, id)) = self.lists[list].get(self.at[list]).copied() {
            if self.early.contains(&id) {
                self.at[list] += 1;
                continue;
            }
            let lists = self.heads.entry(id).or_default();
            lists.push(list);
            if lists.len() == self.counts[&id] {
                self.ready.push(Reverse((number, id)));
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn order(lists: &[&[(u64, u128)]]) -> Vec<u128> {
        let list = |list: &&[(u64, u128)]| {
            list.iter().map(|(number, id)| (*number, CommandId(Uuid::from_u128(*id)))).collect()
        };
        merged(lists.iter().map(list).collect()).into_iter().map(|id| id.0.as_u128()).collect()
    }

    #[test]
    fn the_order_of_every_list_holds_though_their_numbers_differ() {
        // The clock of the second list is ahead.
        assert_eq!(order(&[&[(1, 7), (2, 5)], &[(90, 5), (91, 6)], &[(3, 6), (4, 8)]]), [7, 5, 6, 8]);
        assert_eq!(order(&[&[(50, 1)], &[(10, 2), (20, 1), (30, 3)]]), [2, 1, 3]);
        assert!(order(&[&[], &[]]).is_empty());
    }

    #[test]
    fn commands_in_two_orders_each_come_once() {
        assert_eq!(order(&[&[(1, 7), (2, 5), (3, 9)], &[(1, 5), (2, 7), (3, 9)]]), [5, 7, 9]);
    }
}
