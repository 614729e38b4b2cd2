//! The fences of a node: one for each partition of its store, since the node holds a lease in each.

use std::sync::Arc;

use muster_protocol::partition::{PartitionIndex, Partitions};

use super::Fence;

/// One fence for each partition.
#[derive(Debug)]
pub struct Fences {
    partitions: Partitions,
    fences: Box<[Arc<Fence>]>,
}

impl Fences {
    /// Fences that never expire, until a backplane extends them.
    pub fn new(partitions: Partitions) -> Self {
        Self { partitions, fences: partitions.all().map(|_| Arc::default()).collect() }
    }

    /// Returns the partitions of the store.
    pub fn partitions(&self) -> Partitions {
        self.partitions
    }

    /// Returns the fence of one partition. Panics if the store does not have this partition.
    pub fn of(&self, partition: PartitionIndex) -> &Arc<Fence> {
        &self.fences[usize::from(partition.0)]
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fence::BootInstant;

    #[test]
    fn the_fence_of_one_partition_expires_alone() {
        let fences = Fences::new(Partitions::new(3).unwrap());
        fences.of(PartitionIndex(1)).extend(BootInstant::now(), Duration::ZERO);
        let holds: Vec<_> = fences.partitions().all().map(|index| fences.of(index).holds()).collect();
        assert_eq!(holds, [true, false, true]);
    }
}
