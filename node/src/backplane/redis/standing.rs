//! Which partitions this node can use: for probes, for its lease, and for the metrics.

use muster_protocol::api::PartitionCounts;

use super::RedisBackplane;
use crate::backplane::DegradedPartition;

impl RedisBackplane {
    /// Returns the partitions in which this node can't store now, or does not hear what is sent, or whose Redis is not
    /// what a node needs.
    pub(super) fn degraded(&self) -> Vec<DegradedPartition> {
        let degraded = self.members.iter().filter_map(|member| {
            let reason = member.check_ready().err()?;
            Some(DegradedPartition { partition: member.index(), reason })
        });
        degraded.collect()
    }

    /// Returns how many partitions this node can use.
    pub(super) fn partition_counts(&self) -> PartitionCounts {
        let ok = self.members.iter().filter(|member| member.check_ready().is_ok()).count() as u64;
        PartitionCounts { ok, lost: self.members.len() as u64 - ok }
    }

    /// Shows these counts in the metrics.
    pub(super) fn show_partitions(&self) {
        let PartitionCounts { ok, lost } = self.partition_counts();
        for (state, count) in [("ok", ok), ("lost", lost)] {
            self.metrics.partitions.with_label_values(&[state]).set(count as i64);
        }
    }
}
