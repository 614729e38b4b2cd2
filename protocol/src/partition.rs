//! Partitions: which part of the store a terminal or a command belongs to, and how the keys of a part are named.
//!
//! ```text
//!   terminal id ── hash ─────────▶ partition ──▶ hash tag {CLUSTER:INDEX.N} ──▶ one slot of a Redis Cluster
//!   command id ── low 10 bits ───▶ partition (its home)
//! ```

use std::{fmt, ops::Range};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{ClusterName, CommandId, TerminalId};

/// The number of slots of a Redis Cluster.
const SLOTS: u32 = 16_384;

/// The index of a partition, from 0. In JSON it is a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct PartitionIndex(pub u16);

impl fmt::Display for PartitionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of partitions of a store: 1 to 1024. All nodes of a cluster use the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partitions(u16);

impl Partitions {
    /// The greatest number: a command's id has 10 bits for its home.
    pub const MAX: u16 = 1024;

    /// A store of one partition.
    pub const ONE: Self = Self(1);

    /// Returns a store of `count` partitions, or none if the number is 0 or greater than [`MAX`](Self::MAX).
    pub fn new(count: u16) -> Option<Self> {
        (1..=Self::MAX).contains(&count).then_some(Self(count))
    }

    /// Returns the number of partitions.
    pub fn count(self) -> u16 {
        self.0
    }

    /// Returns every partition, in ascending order.
    pub fn all(self) -> impl Iterator<Item = PartitionIndex> {
        (0..self.0).map(PartitionIndex)
    }

    /// Returns the partition of a terminal. It must never change for a given id and count, or terminals would lose what
    /// is stored of them.
    pub fn of(self, terminal: &TerminalId) -> PartitionIndex {
        self.of_text(terminal.as_str())
    }

    /// Returns the partition of what is named by a text and belongs to no terminal, such as an idempotency key.
    pub fn of_text(self, text: &str) -> PartitionIndex {
        // Multiply and shift: the upper half of the hash, scaled to 0..count.
        PartitionIndex((((hash(text.as_bytes()) >> 32) * u64::from(self.0)) >> 32) as u16)
    }

    /// Returns the home of a command. An id that was made in a store of more partitions than this one, from which the
    /// command was imported, has its home here too.
    pub fn home(self, command: CommandId) -> PartitionIndex {
        let index = (command.0.as_u128() & u128::from(Self::MAX - 1)) as u16;
        PartitionIndex(index % self.0)
    }

    /// Returns the hash tag of a partition's keys, with braces: `{muster:3.17}`. Its slot lies in the partition's share
    /// of all slots, so that the partitions are spread evenly over the masters of a Redis Cluster. The tag of partition
    /// 0 is the same for every count, so that a program that does not know the count can read it there.
    pub fn tag(self, cluster: &ClusterName, index: PartitionIndex) -> String {
        let share = self.share(index);
        let tags = (0u32..).map(|number| format!("{cluster}:{index}.{number}"));
        let tag = tags.into_iter().find(|tag| share.contains(&slot(tag)));
        format!("{{{}}}", tag.expect("numbers are many more than slots"))
    }

    fn share(self, index: PartitionIndex) -> Range<u32> {
        // The first share of a store of the greatest count lies in the first share of every store.
        let count = if index.0 == 0 { Self::MAX } else { self.0 };
        let start = |index: u16| u32::from(index) * SLOTS / u32::from(count);
        start(index.0)..start(index.0 + 1)
    }
}

/// Returns a new command id whose home is this partition.
pub fn command_id(home: PartitionIndex) -> CommandId {
    homed(CommandId(Uuid::now_v7()), home)
}

/// Returns a command id with this partition as its home.
pub fn homed(id: CommandId, home: PartitionIndex) -> CommandId {
    let mask = u128::from(Partitions::MAX - 1);
    CommandId(Uuid::from_u128((id.0.as_u128() & !mask) | (u128::from(home.0) & mask)))
}

/// Returns the slot in which a Redis Cluster keeps the keys with this hash tag, without braces: CRC-16/XMODEM, as the
/// cluster specification has it.
pub fn slot(tag: &str) -> u32 {
    let step = |crc: u16, bit| if bit { (crc << 1) ^ 0x1021 } else { crc << 1 };
    let byte = |crc: u16, byte: u8| (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| step(crc, crc & 0x8000 != 0));
    u32::from(tag.bytes().fold(0, byte)) % SLOTS
}

/// FNV-1a, and then the last step of MurmurHash3, since FNV alone leaves the upper bits of short texts alike.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terminal(text: &str) -> TerminalId {
        text.parse().unwrap()
    }

    #[test]
    fn terminals_stay_where_they_are() {
        let sixteen = Partitions::new(16).unwrap();
        let found = ["t1", "t2", "kiosk-000001", "AA:BB:CC:DD:EE:FF"].map(|id| sixteen.of(&terminal(id)).0);
        assert_eq!(found, [5, 4, 0, 0]);
    }

    #[test]
    fn terminals_are_spread_evenly() {
        for count in [3, 16, 48, 240] {
            let partitions = Partitions::new(count).unwrap();
            let mut sizes = vec![0u32; usize::from(count)];
            (0..count as u32 * 1000)
                .for_each(|n| sizes[usize::from(partitions.of(&terminal(&format!("kiosk-{n:06}"))).0)] += 1);
            assert!(sizes.iter().all(|size| (850..1150).contains(size)), "{count}: {sizes:?}");
        }
    }

    #[test]
    fn a_tag_lies_in_its_share_of_the_slots() {
        assert_eq!(slot("123456789"), 0x31c3 % SLOTS, "the check value of CRC-16/XMODEM");
        let (cluster, partitions) = (ClusterName::default(), Partitions::new(48).unwrap());
        for index in partitions.all() {
            let tag = partitions.tag(&cluster, index);
            let slot = slot(tag.trim_matches(['{', '}']));
            assert_eq!(slot * 48 / SLOTS, u32::from(index.0), "{tag}");
        }
    }

    #[test]
    fn the_tag_of_partition_0_is_known_without_the_count() {
        let tag = |count| Partitions::new(count).unwrap().tag(&ClusterName::default(), PartitionIndex(0));
        assert_eq!(tag(1), "{muster:0.1518}");
        assert!([2, 5, 16, 240, 1024].iter().all(|count| tag(*count) == tag(1)));
    }

    #[test]
    fn a_command_names_its_home() {
        let partitions = Partitions::new(1024).unwrap();
        for home in [0, 7, 1023].map(PartitionIndex) {
            assert_eq!(partitions.home(command_id(home)), home);
        }
        let of_a_larger_store = command_id(PartitionIndex(17));
        assert_eq!(Partitions::new(16).unwrap().home(of_a_larger_store), PartitionIndex(1));
        assert!(Partitions::new(0).is_none() && Partitions::new(1025).is_none());
    }
}
