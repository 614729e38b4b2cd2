//! One partition: a whole store of its own, of the terminals whose ids hash to it. Everything here knows one hash tag, and so one
//! Redis master.
//!
//! A step that must not be torn apart is one script ([`scripts`]). No script loops over more than a fixed number of entries.

mod accept;
pub mod bitmap;
mod clock;
mod commands;
mod counts;
pub mod events;
pub mod held;
pub mod lease;
mod reading;
pub mod registry;
mod rows;
mod scripts;
pub mod selection;
pub mod sessions;
mod share;
mod states;
pub mod store_info;
mod stored_terminal;
mod targets;
mod terminals;
mod times;
mod vitals;

use std::sync::Arc;

use muster_protocol::{partition::PartitionIndex, redis_keys::RedisKeys};
use muster_redis::Connection;

pub use self::{
    accept::{PartitionAccepted, PartitionAsk, PartitionBounds},
    commands::{CommandFilter, CommandPage, PartitionCommand},
    scripts::PartitionScripts,
    share::{BeginOutcome, BegunCommand, CommittedShare, ShareAsk, ShareOutcome, ShareTargets},
    states::{RaiseOutcome, RaisedState},
    targets::{PartitionTarget, PartitionTargets},
};

/// One partition of the store.
#[derive(Clone)]
pub struct StorePartition {
    /// Its index.
    pub index: PartitionIndex,
    keys: RedisKeys,
    connection: Connection,
    scripts: Arc<PartitionScripts>,
}

impl StorePartition {
    /// A partition whose keys have these names, on the master that `connection` follows.
    pub fn new(index: PartitionIndex, keys: RedisKeys, connection: Connection, scripts: Arc<PartitionScripts>) -> Self {
        Self { index, keys, connection, scripts }
    }
}
