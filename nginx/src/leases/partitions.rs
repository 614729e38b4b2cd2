//! Reads the leases of all partitions of a store, with two pipelines for each master.

mod read;

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;
use muster_protocol::{
    ClusterName, address::UnusableAddress, inbox::ProxyMessage, partition::PartitionIndex, redis_keys::RedisKeys,
};
use muster_redis::Masters;
use redis::{AsyncCommands, RedisError, RedisResult};

use self::read::{FoundLeases, read_master};
use super::{
    LeaseCheck, PartitionLook, RegistrySnapshot,
    refusals::{address_in, shortened},
    store::FoundStore,
};
use crate::{
    membership::{LeaseRefusal, Members, address_of},
    state::ForeignLeases,
};

/// How many leases one look reads, about: 4,096 take some 20 ms. If the nodes have more leases in all partitions
/// together, each look reads some of the partitions. What was found in a partition holds until it is read again.
const LEASES_MAX: usize = 4096;
/// How many nodes are expected before they are known.
const NODES_EXPECTED: usize = 64;
/// How many unused leases of each kind are shown.
const SHOWN: usize = 20;

/// The leases of all partitions.
pub struct PartitionedLeases {
    masters: Masters,
    store: FoundStore,
    /// The id of the store, and that of the store before: nodes renew their leases with the new id within 2 s.
    ids: Vec<String>,
    partitions: Vec<PartitionLeases>,
    /// The indexes of partitions by their hash tags.
    by_tag: HashMap<String, usize>,
    /// The order in which partitions are read. Partitions that follow each other in it lie far apart, so on different
    /// masters.
    order: Vec<usize>,
    /// The place in `order` at which the next look begins.
    next: usize,
    /// The greatest number of nodes of one partition in the last look.
    nodes: usize,
}

/// What was last found in a partition. Empty if the partition did not answer.
struct PartitionLeases {
    keys: RedisKeys,
    leased: Members,
    draining: Members,
    /// Nodes whose leases are foreign, and why.
    foreign: BTreeMap<String, &'static str>,
    /// Nodes in no network of `--allow`, and their addresses.
    outside: BTreeMap<String, String>,
}

impl PartitionedLeases {
    /// Prepares to read this store.
    pub fn new(masters: Masters, cluster: &ClusterName, store: FoundStore) -> Self {
        let database = masters.topology().database();
        let partition = |index: PartitionIndex| PartitionLeases {
            keys: RedisKeys::of_partition(cluster, database, store.partitions, index),
            leased: Members::new(),
            draining: Members::new(),
            foreign: BTreeMap::new(),
            outside: BTreeMap::new(),
        };
        let partitions: Vec<_> = store.partitions.all().map(partition).collect();
        let by_tag = partitions.iter().enumerate().map(|(index, part)| (part.keys.tag().to_owned(), index)).collect();
        let mut order: Vec<_> = (0..partitions.len()).collect();
        order.sort_unstable_by_key(|index| index.reverse_bits());
        Self { masters, ids: vec![store.id.clone()], store, partitions, by_tag, order, next: 0, nodes: NODES_EXPECTED }
    }

    /// Returns whether this is the same store, and was not made again.
    pub fn is_of(&self, store: &FoundStore) -> bool {
        self.store == *store
    }

    /// Goes on with a store that was made again. Returns false if that store has another number of partitions.
    pub fn becomes(&mut self, store: &FoundStore) -> bool {
        if store.partitions != self.store.partitions {
            return false;
        }
        if store.id != self.store.id {
            self.ids = vec![store.id.clone(), self.store.id.clone()];
        }
        self.store = store.clone();
        true
    }

    /// Reads the partitions that are due. An error if none of them answers.
    pub async fn read(&mut self, check: &mut LeaseCheck) -> RedisResult<RegistrySnapshot> {
        let due = self.due();
        let groups = self.masters.groups(due.iter().map(|index| self.partitions[*index].keys.tag()));
        let reads = groups.iter().map(|tags| {
            let partitions =
                tags.iter().map(|tag| self.by_tag[*tag]).map(|index| (index, &self.partitions[index].keys));
            read_master(self.masters.connection(tags[0]), partitions.collect())
        });
        let answers: Vec<_> = join_all(reads).await.into_iter().flatten().collect();
        let (mut looks, mut failure) = (Vec::new(), None);
        let mut nodes = 0;
        for (index, answer) in answers {
            nodes = nodes.max(answer.as_ref().map_or(0, |found| found.leases.len()));
            let look = answer.map(|found| self.take(index, &found, check)).map_err(|error| failure = Some(error)).ok();
            if look.is_none() {
                self.partitions[index].clear();
            }
            looks.push((index, look));
        }
        match failure {
            Some(error) if looks.iter().all(|(_, look)| look.is_none()) => Err(error),
            _ => {
                self.nodes = nodes;
                Ok(self.snapshot(looks))
            }
        }
    }

    /// Returns the partitions of the next look: all of them, unless they have too many leases.
    fn due(&mut self) -> Vec<usize> {
        let all = self.order.len();
        let count = (LEASES_MAX / self.nodes.max(1)).clamp(1, all);
        let due = (0..count).map(|step| self.order[(self.next + step) % all]).collect();
        self.next = (self.next + count) % all;
        due
    }

    /// Takes what was found in a partition.
    fn take(&mut self, index: usize, found: &FoundLeases, check: &mut LeaseCheck) -> PartitionLook {
        let partition = &mut self.partitions[index];
        partition.clear();
        for (node, lease) in &found.leases {
            let read = check.seals.read(&self.ids, node, lease);
            match read.and_then(|lease| address_of(&lease.view, &check.allow)) {
                Ok((address, draining)) => {
                    partition.leased.insert(address);
                    partition.draining.extend(draining.then_some(address));
                }
                Err(refused) => {
                    let why = check.refuse(node, lease, refused);
                    partition.foreign.extend(why.map(|why| (shortened(node), why)));
                    let is_outside = refused == LeaseRefusal::Address(UnusableAddress::NotAllowed);
                    if is_outside && partition.outside.len() < SHOWN {
                        partition.outside.insert(shortened(node), address_in(lease).unwrap_or_default());
                    }
                }
            }
        }
        PartitionLook { run_id: found.run_id.clone(), leases: partition.leased.len() }
    }

    fn snapshot(&self, looks: Vec<(usize, Option<PartitionLook>)>) -> RegistrySnapshot {
        let mut snapshot = RegistrySnapshot { partitions: self.partitions.len(), looks, ..RegistrySnapshot::default() };
        let mut foreign = BTreeMap::new();
        for partition in &self.partitions {
            snapshot.leased.extend(&partition.leased);
            snapshot.draining.extend(&partition.draining);
            foreign.extend(partition.foreign.iter().take(SHOWN));
            snapshot.outside.extend(partition.outside.clone());
        }
        snapshot.outside = snapshot.outside.into_iter().take(SHOWN).collect();
        snapshot.foreign = foreign.first_key_value().map(|(_, why)| ForeignLeases {
            why: (**why).to_owned(),
            nodes: foreign.keys().take(SHOWN).map(|node| (*node).clone()).collect(),
        });
        snapshot
    }

    /// Publishes a message to all nodes, by the first master whose partition has a listener.
    pub async fn tell(&self, message: &ProxyMessage) -> RedisResult<()> {
        let mut result = Err(RedisError::from((redis::ErrorKind::Client, "no partition answers")));
        for tag in self.one_tag_for_each_master() {
            let channel = self.partitions[self.by_tag[&tag]].keys.proxy();
            match self.masters.connection(&tag).spublish::<_, _, u64>(channel, message.to_string()).await {
                Ok(0) => result = Ok(()),
                Ok(_) => return Ok(()),
                Err(error) => result = result.map_err(|_| error),
            }
        }
        result
    }

    /// Returns one hash tag for each master that is known, or a single one if none is known.
    pub fn one_tag_for_each_master(&self) -> Vec<String> {
        let tags = || self.order.iter().map(|index| self.partitions[*index].keys.tag());
        let known = tags().filter(|tag| self.masters.master(tag).is_some());
        let groups = self.masters.groups(known);
        let one = |tags: Vec<&str>| tags.first().map(|tag| (*tag).to_owned());
        let found: Vec<_> = groups.into_iter().filter_map(one).collect();
        if found.is_empty() { tags().take(1).map(str::to_owned).collect() } else { found }
    }
}

impl PartitionLeases {
    fn clear(&mut self) {
        self.leased.clear();
        self.draining.clear();
        self.foreign.clear();
        self.outside.clear();
    }
}
