//! One partition: a whole store of its own, of the terminals whose ids hash to it. Everything here knows one hash tag,
//! and so one Redis master.
//!
//! A step that must not be torn apart is one script (`scripts`). No script loops over more than a fixed number of
//! entries.

mod accept;
mod audit;
pub mod bitmap;
mod clock;
pub mod commands;
mod counts;
pub mod due;
mod enrolments;
pub mod event_log;
pub mod events;
pub mod export;
pub mod held;
pub mod history;
mod keys;
pub mod lease;
mod list;
pub mod log;
mod matching;
pub mod named;
mod notices;
mod operator_keys;
mod parts;
pub mod raise;
mod reading;
pub mod registry;
mod render;
pub mod restore;
mod revocations;
mod rollouts;
mod rows;
mod saved_selectors;
mod scripts;
pub mod selection;
pub mod sessions;
pub mod share;
pub mod states;
pub mod store_info;
mod stored_terminal;
pub mod targets;
mod terminals;
mod tickets;
pub mod times;
mod vitals;

use std::sync::Arc;

use muster_protocol::{partition::PartitionIndex, redis_keys::RedisKeys};
use muster_redis::{Connection, Fitness};
use redis::RedisResult;

use self::store_info::SchemaInUse;
use super::trust::Trust;
use crate::backplane::redis::connection::connect;

pub use self::{
    accept::{PartitionAccepted, PartitionAsk, PartitionBounds, hash_of},
    commands::PartitionCommand,
    keys::KeyOutcome,
    list::{HomeCommands, ListedCommand},
    raise::{RaiseOutcome, RaisedState},
    scripts::PartitionScripts,
    share::{BeginOutcome, BegunCommand, CommittedShare, ShareAsk, ShareOutcome, ShareTargets},
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
    schema: SchemaInUse,
    /// Seals commands. None in tests of a partition by itself.
    trust: Option<Arc<Trust>>,
}

impl StorePartition {
    /// Returns a partition whose keys have these names, on the master that `connection` follows.
    pub fn new(index: PartitionIndex, keys: RedisKeys, connection: Connection, scripts: Arc<PartitionScripts>) -> Self {
        Self { index, keys, connection, scripts, schema: SchemaInUse::default(), trust: None }
    }

    /// Returns the partition, which seals the commands that are accepted in it.
    #[must_use]
    pub fn sealed_by(self, trust: Arc<Trust>) -> Self {
        Self { trust: Some(trust), ..self }
    }

    /// Returns the partition, whose writes have this schema.
    #[must_use]
    pub fn in_schema(self, schema: SchemaInUse) -> Self {
        Self { schema, ..self }
    }

    /// Waits until Redis answers, 10 s at most.
    ///
    /// # Errors
    /// The last one; at once if it will not pass, such as a wrong password.
    pub async fn wait_until_it_answers(&self) -> anyhow::Result<()> {
        connect(&self.connection).await
    }

    /// Checks that this partition's master is what a node needs. With `writes` also whether it takes writes, by a key
    /// that lives 10 s.
    ///
    /// # Errors
    /// If it could not be asked, which says nothing of its fitness.
    pub async fn check_requirements(&self, writes: bool) -> RedisResult<Fitness> {
        let key = writes.then(|| self.check_key());
        self.connection.check_requirements(key.as_deref()).await
    }
}
