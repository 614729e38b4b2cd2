//! Partitions, divided by the Redis master that has them now. What concerns a whole server is done once for each
//! master.

use muster_redis::Masters;
use rustc_hash::FxHashMap;

use super::{RedisBackplane, member::PartitionMember, partition::StorePartition};

/// Divides all partitions, in the order of their indexes, by their master: each entry has the indexes of the partitions
/// of one. A partition whose master is being looked for has an entry of its own.
pub fn by_master<'a>(masters: &Masters, partitions: impl Iterator<Item = &'a StorePartition>) -> Vec<Vec<usize>> {
    let tags: Vec<&str> = partitions.map(StorePartition::tag).collect();
    let indexes: FxHashMap<&str, usize> = tags.iter().enumerate().map(|(index, tag)| (*tag, index)).collect();
    let groups = masters.groups(tags.iter().copied());
    groups.into_iter().map(|group| group.into_iter().map(|tag| indexes[tag]).collect()).collect()
}

impl RedisBackplane {
    /// Returns this node's parts in the partitions of each master. Each entry has at least one.
    pub(super) fn by_master(&self) -> Vec<Vec<&PartitionMember>> {
        let groups = by_master(&self.masters, self.members.iter().map(|member| &member.store));
        groups.into_iter().map(|group| group.into_iter().map(|index| &*self.members[index]).collect()).collect()
    }

    /// Returns the address of a partition's master, for operators.
    pub(super) fn master_name(&self, member: &PartitionMember) -> String {
        master_name(&self.masters, member.store.tag())
    }
}

/// Returns the address of a tag's master, for operators.
pub fn master_name(masters: &Masters, tag: &str) -> String {
    masters.master(tag).map_or_else(|| masters.topology().to_string(), |address| address.to_string())
}
