//! One partition as this node takes part in it: its store, the lease that the node holds there, and how far it has come
//! in it.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use muster_protocol::{NodeId, partition::PartitionIndex};
use redis::ConnectionAddr;
use tokio::sync::Mutex as AsyncMutex;

use super::{
    clock_difference::ClockDifference,
    event_note::EventNote,
    ordinals::Ordinals,
    partition::{StorePartition, due::DueUpkeep, sessions::HolderNode},
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

/// This node's part in one partition.
pub struct PartitionMember {
    /// The partition.
    pub store: StorePartition,
    /// The lease under which this node's sessions are registered there.
    pub claim: Claim,
    /// Which process this is, and whether another process has this node's name there.
    pub identity: Identity,
    /// What the node has heard from there.
    pub hearing: Hearing,
    /// How far the listener has come, and where it listened last. Held by the subscription that serves the partition.
    pub listened: AsyncMutex<Listened>,
    /// The sessions of this node there.
    pub ordinals: Ordinals,
    /// Whether this node is told of the next event there.
    pub event_note: EventNote,
    /// By how much the clock of the partition's Redis and this node's clock differ.
    pub clock_difference: ClockDifference,
    /// Dead nodes whose sessions have no event `terminal.offline` yet, as the last renewal told.
    dead: Mutex<Vec<NodeId>>,
    /// What has become due, as renewals told since the last call of `take_due`.
    due: Mutex<DueUpkeep>,
    /// The minute of the last renewal, by the clock of Redis.
    minute: AtomicU32,
    /// The name of the lease, as the last renewal told it.
    lease_name: Mutex<Arc<str>>,
    /// Whether the last renewal of the lease succeeded, which needs a Redis that takes writes.
    is_reachable: AtomicBool,
    /// Why the last failed renewal failed.
    why_away: Mutex<&'static str>,
    /// Whether the partition had no ordinal for the last new terminal.
    refuses_new: AtomicBool,
    /// Why the partition's Redis is not what a node needs, as it was last checked.
    unfit: Mutex<Option<String>>,
    /// Why the store does not fit this node any more.
    misfit: OnceLock<String>,
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
    /// Returns the part of a process in a partition.
    pub fn new(store: StorePartition, fence: Arc<Fence>, process: String) -> Self {
        Self {
            store,
            claim: Claim::new(fence),
            identity: Identity::of(process),
            hearing: Hearing::default(),
            listened: AsyncMutex::default(),
            ordinals: Ordinals::default(),
            event_note: EventNote::default(),
            clock_difference: ClockDifference::default(),
            dead: Mutex::default(),
            due: Mutex::default(),
            minute: AtomicU32::new(0),
            lease_name: Mutex::new("".into()),
            is_reachable: AtomicBool::new(true),
            why_away: Mutex::new(""),
            refuses_new: AtomicBool::new(false),
            unfit: Mutex::default(),
            misfit: OnceLock::new(),
        }
    }

    /// Returns the partition's index.
    pub fn index(&self) -> PartitionIndex {
        self.store.index
    }

    /// Returns this process as the holder of the name `node`.
    pub fn holder<'a>(&'a self, node: &'a NodeId) -> HolderNode<'a> {
        HolderNode { node, process: self.identity.process() }
    }

    /// Returns the answer of the partition. Does not ask a partition that is known to be away.
    ///
    /// # Errors
    /// The errors of the answer and of [`check`](Self::check). An error about a store that is away names the partition.
    pub async fn ask<T>(&self, answer: impl Future<Output = Result<T, BackplaneError>>) -> Result<T, BackplaneError> {
        self.check()?;
        answer.await.map_err(|error| error.in_partition(self.index()))
    }

    /// Checks that the partition takes writes, as far as this node knows. If it does not, nobody should wait for it.
    ///
    /// # Errors
    /// [`BackplaneError::Nameless`] if another process has this node's name there, [`BackplaneError::Away`] otherwise.
    pub fn check(&self) -> Result<(), BackplaneError> {
        if let Some(why) = self.misfit.get() {
            return Err(BackplaneError::Away(vec![self.index()], why.clone()));
        }
        if let Some(address) = self.identity.rival() {
            return Err(BackplaneError::Nameless(address));
        }
        if self.is_reachable.load(Ordering::Relaxed) {
            Ok(())
        } else {
            let why = *self.why_away.lock().unwrap_or_else(PoisonError::into_inner);
            Err(BackplaneError::Away(vec![self.index()], why.into()))
        }
    }

    /// Checks that the partition accepts commands from this node: as [`check`](Self::check), and that the clocks of
    /// both agree.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn check_accepts(&self) -> Result<(), BackplaneError> {
        self.check()?;
        self.clock_difference.check().map_err(|why| BackplaneError::Away(vec![self.index()], why))
    }

    /// Checks that the partition does all that it should: as [`check_accepts`](Self::check_accepts), and its Redis is
    /// what a node needs, and this node hears itself there.
    ///
    /// # Errors
    /// Why not, as a sentence for operators.
    pub fn check_ready(&self) -> Result<(), String> {
        self.check_accepts().map_err(|refusal| refusal.to_string())?;
        self.unfit().map_or(Ok(()), Err)?;
        self.hearing.check()
    }

    /// Returns whether the partition had no ordinal for the last new terminal.
    pub fn refuses_new(&self) -> bool {
        self.refuses_new.load(Ordering::Relaxed)
    }

    /// Records whether the partition had an ordinal for a new terminal.
    pub fn set_refuses_new(&self, refuses: bool) {
        self.refuses_new.store(refuses, Ordering::Relaxed);
    }

    /// Returns why the partition's Redis is not what a node needs, if so.
    pub fn unfit(&self) -> Option<String> {
        self.unfit.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records why the partition's Redis is not what a node needs; None if it is.
    pub fn set_unfit(&self, why: Option<String>) {
        *self.unfit.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    /// Records that the store does not fit this node any more, which holds until the node ends.
    pub fn set_misfit(&self, why: String) {
        let _ = self.misfit.set(why);
    }

    /// Returns whether the store does not fit this node any more.
    pub fn is_misfit(&self) -> bool {
        self.misfit.get().is_some()
    }

    /// Records whether the lease was renewed, or why not. Returns whether that differs from before.
    pub fn set_reachable(&self, renewed: Result<(), &'static str>) -> bool {
        if let Err(why) = renewed {
            *self.why_away.lock().unwrap_or_else(PoisonError::into_inner) = why;
        }
        self.is_reachable.swap(renewed.is_ok(), Ordering::Relaxed) != renewed.is_ok()
    }

    /// Returns the name of the lease, as the last renewal told it; empty before the first.
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

    /// Takes and returns the nodes that were recorded as dead.
    pub fn take_dead(&self) -> Vec<NodeId> {
        std::mem::take(&mut *self.dead.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds what is due.
    pub fn add_due(&self, due: DueUpkeep) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) |= due;
    }

    /// Records the minute of a renewal. In a minute in which there was none before, its counters are due.
    pub fn set_minute(&self, minute: u32) {
        if self.minute.swap(minute, Ordering::Relaxed) != minute {
            self.add_due(DueUpkeep { minute: true, ..DueUpkeep::default() });
        }
    }

    /// Takes and returns what has become due since the last call.
    pub fn take_due(&self) -> DueUpkeep {
        std::mem::take(&mut *self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the last number that this node has seen of the partition. None before it has seen one.
    pub fn seen(&self) -> Option<Cursor> {
        let seen = self.hearing.seen();
        (!seen.epoch.is_empty()).then_some(Cursor { epoch: seen.epoch, number: seen.number })
    }
}
