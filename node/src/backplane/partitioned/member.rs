//! One partition as this node takes part in it: its store, the lease that the node holds there, and how far it has come in it.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use muster_protocol::{NodeId, partition::PartitionIndex};
use redis::ConnectionAddr;
use tokio::sync::Mutex as AsyncMutex;

use super::{
    ordinals::Ordinals,
    partition::{StorePartition, sessions::HolderNode},
};
use crate::{
    backplane::{
        BackplaneError, Cursor,
        redis::{
            hearing::{Hearing, Reached},
            identity::Identity,
        },
    },
    fence::{Claim, Fence},
};

/// A clock that is off by more than this is told of.
const CLOCK_TOLD: Duration = Duration::from_secs(1);
/// A partition whose clock is off by more than this accepts nothing from this node.
const CLOCK_MAX: Duration = Duration::from_secs(5);

/// This node's part in one partition.
pub struct PartitionMember {
    /// The partition.
    pub store: StorePartition,
    /// The lease under which this node's sessions are registered there.
    pub claim: Claim,
    /// Whether another process has this node's name there.
    pub identity: Identity,
    /// What the node has heard from there.
    pub hearing: Hearing,
    /// How far the listener has come, and where it listened last. Held by the subscription that serves the partition.
    pub listened: AsyncMutex<Listened>,
    /// The sessions of this node there.
    pub ordinals: Ordinals,
    /// Nodes that are dead and of whose sessions no event says so yet, as the last renewal told it.
    dead: Mutex<Vec<NodeId>>,
    /// The name of the lease, as the last renewal told it.
    lease_name: Mutex<Arc<str>>,
    /// Whether the last renewal of the lease succeeded, which needs a Redis that takes writes.
    is_reachable: AtomicBool,
    /// By how much Redis' clock is ahead of this node's, in milliseconds.
    clock_ahead: AtomicI64,
}

/// How far a listener has come in a partition.
#[derive(Debug, Default)]
pub struct Listened {
    /// Up to where everything was passed on. None before the first catch-up, and after the master has changed.
    pub reached: Option<Reached>,
    /// The master at which it listened last.
    pub master: Option<ConnectionAddr>,
}

impl PartitionMember {
    /// The part of a process in a partition.
    pub fn new(store: StorePartition, fence: Arc<Fence>, process: String) -> Self {
        Self {
            store,
            claim: Claim::new(fence),
            identity: Identity::of(process),
            hearing: Hearing::default(),
            listened: AsyncMutex::default(),
            ordinals: Ordinals::default(),
            dead: Mutex::default(),
            lease_name: Mutex::new("".into()),
            is_reachable: AtomicBool::new(true),
            clock_ahead: AtomicI64::new(0),
        }
    }

    /// The partition's index.
    pub fn index(&self) -> PartitionIndex {
        self.store.index
    }

    /// This process as the holder of the name `node`.
    pub fn holder<'a>(&'a self, node: &'a NodeId) -> HolderNode<'a> {
        HolderNode { node, process: self.identity.process() }
    }

    /// Whether the partition takes writes, as far as this node knows. If it does not, nobody is to wait for it.
    ///
    /// # Errors
    /// [`BackplaneError::Nameless`] if another process has this node's name there, [`BackplaneError::Unavailable`] otherwise.
    pub fn check(&self) -> Result<(), BackplaneError> {
        if let Some(address) = self.identity.rival() {
            return Err(BackplaneError::Nameless(address));
        }
        let index = self.index();
        let ahead = Duration::from_millis(self.clock_ahead.load(Ordering::Relaxed).unsigned_abs());
        if ahead > CLOCK_MAX {
            return Err(BackplaneError::Unavailable(format!(
                "the clocks of this node and of the Redis of partition {index} differ by {} s, and 5 s is the limit; set both by NTP",
                ahead.as_secs()
            )));
        }
        if self.is_reachable.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(BackplaneError::Unavailable(format!(
                "partition {index} is away: its Redis does not answer, or takes no writes"
            )))
        }
    }

    /// Records whether the lease was renewed.
    pub fn set_reachable(&self, reachable: bool) {
        self.is_reachable.store(reachable, Ordering::Relaxed);
    }

    /// Records the time of the partition's Redis. Tells of a clock that is off when it begins to be.
    pub fn set_time(&self, time: Timestamp) {
        let ahead = time.as_millisecond() - Timestamp::now().as_millisecond();
        let before = self.clock_ahead.swap(ahead, Ordering::Relaxed);
        let is_off = |ahead: i64| Duration::from_millis(ahead.unsigned_abs()) > CLOCK_TOLD;
        if is_off(ahead) && !is_off(before) {
            tracing::warn!(partition = %self.index(), ahead_ms = ahead, "the clock of Redis and this node's differ by more than 1 s");
        }
    }

    /// The name of the lease, as the last renewal told it; empty before the first.
    pub fn lease_name(&self) -> Arc<str> {
        self.lease_name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records the name of the lease.
    pub fn set_lease_name(&self, name: &str) {
        *self.lease_name.lock().unwrap_or_else(PoisonError::into_inner) = name.into();
    }

    /// Records nodes that are dead.
    pub fn set_dead(&self, nodes: Vec<NodeId>) {
        *self.dead.lock().unwrap_or_else(PoisonError::into_inner) = nodes;
    }

    /// The nodes that were recorded as dead, once.
    pub fn take_dead(&self) -> Vec<NodeId> {
        std::mem::take(&mut *self.dead.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The last number that this node has seen of the partition. None before it has seen one.
    pub fn seen(&self) -> Option<Cursor> {
        let seen = self.hearing.seen();
        (!seen.epoch.is_empty()).then_some(Cursor { epoch: seen.epoch, number: seen.number })
    }
}
