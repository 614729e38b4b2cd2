//! What a store says of itself: its schema, the number of its partitions, and its id. It is stored in partition 0.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use muster_protocol::{
    partition::Partitions,
    schema::{SCHEMA, known_schemas, runs_on},
};
use redis::RedisResult;

use super::StorePartition;

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// Its schema.
    pub schema: u32,
    /// The number of its partitions.
    pub partitions: u16,
    /// Its id: what was sealed for one store is foreign in another.
    pub id: String,
}

/// Why a node can't use a store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnfitStore {
    /// The number of partitions is another one.
    #[error(
        "--partitions {asked}: this store has {found} partitions, a number that holds for the store's life; start the node \
         with --partitions {found}, or with another --cluster or database"
    )]
    Partitions {
        /// The number that the store has.
        found: u16,
        /// The number that the node was started with.
        asked: u16,
    },
    /// The schema is another one.
    #[error(
        "this store has schema {0}, and this program runs on {known}; start the version of muster-node that fits",
        known = known_schemas()
    )]
    Schema(u32),
    /// An import into the store has not ended.
    #[error(
        "this store is being imported, or the import was ended: run muster-node store import again with the same file, or empty the \
         database"
    )]
    Importing,
}

/// The schema of a store while it is imported.
const IMPORTING: u32 = 0;

/// The schema in which this node writes: that of the store, for all its partitions. Before the store is known, the
/// newest one, which a new store gets.
#[derive(Debug, Clone)]
pub struct SchemaInUse(Arc<AtomicU32>);

impl Default for SchemaInUse {
    fn default() -> Self {
        Self(Arc::new(AtomicU32::new(SCHEMA)))
    }
}

impl SchemaInUse {
    /// Returns the schema.
    pub fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Records the schema of the store.
    pub fn set(&self, schema: u32) {
        self.0.store(schema, Ordering::Relaxed);
    }
}

impl StorePartition {
    /// Returns what the store says of itself. A store that is new, or was lost, gets the schema in use, and the number
    /// of partitions and the id that are given here. Called for partition 0.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn open(&self, partitions: Partitions, id: &str) -> RedisResult<StoreInfo> {
        let mut call = self.scripts.open(&self.keys);
        call.arg(self.schema.get()).arg(partitions.count()).arg(id);
        let (schema, partitions, id) = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(StoreInfo { schema, partitions, id })
    }

    /// Raises the schema of the store. Returns false, and changes nothing, if the store is not as `known` any more.
    /// Called for partition 0.
    ///
    /// # Errors
    /// If Redis does not answer. The schema may be raised then.
    pub async fn raise_schema(&self, known: &StoreInfo, schema: u32) -> RedisResult<bool> {
        let mut call = self.scripts.raise_schema(&self.keys);
        call.arg(&known.id).arg(known.schema).arg(schema);
        call.invoke_async(&mut self.connection.clone()).await
    }
}

impl StorePartition {
    /// Returns what the store says of itself. None if there is no store. Called for partition 0, whose names are the
    /// same for every number of partitions.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn info(&self) -> RedisResult<Option<StoreInfo>> {
        let mut read = redis::cmd("HMGET");
        read.arg(self.keys.store()).arg("schema").arg("partitions").arg("id");
        let (schema, partitions, id): (Option<u32>, Option<u16>, Option<String>) =
            read.query_async(&mut self.connection.clone()).await?;
        Ok(schema.map(|schema| StoreInfo {
            schema,
            partitions: partitions.unwrap_or_default(),
            id: id.unwrap_or_default(),
        }))
    }
}

impl StoreInfo {
    /// Checks that a node of this version can use the store with this number of partitions.
    ///
    /// # Errors
    /// Says what does not fit, and what to do.
    pub fn check(&self, partitions: Partitions) -> Result<(), UnfitStore> {
        if self.schema == IMPORTING {
            return Err(UnfitStore::Importing);
        }
        if !runs_on(self.schema) {
            return Err(UnfitStore::Schema(self.schema));
        }
        let asked = partitions.count();
        if self.partitions == asked { Ok(()) } else { Err(UnfitStore::Partitions { found: self.partitions, asked }) }
    }
}
