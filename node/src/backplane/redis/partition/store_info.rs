//! What a store says of itself: the version of its schema, the number of its partitions, and its id. It stands in partition 0.

use muster_protocol::partition::Partitions;
use redis::RedisResult;

use super::StorePartition;

/// The version of the schema that this program writes, and the only one that it reads.
pub const SCHEMA: u32 = muster_protocol::partition::SCHEMA;

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreInfo {
    /// The version of its schema.
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
        "this store has schema {0}, and this program reads schema {SCHEMA} only; start the version of muster-node that fits"
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

impl StorePartition {
    /// What the store says of itself. A store that is new, or was lost, gets the number of partitions and the id that are given here.
    /// Called for partition 0.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn open(&self, partitions: Partitions, id: &str) -> RedisResult<StoreInfo> {
        let mut call = self.scripts.open(&self.keys);
        call.arg(SCHEMA).arg(partitions.count()).arg(id);
        let (schema, partitions, id) = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(StoreInfo { schema, partitions, id })
    }
}

impl StorePartition {
    /// What the store says of itself. None if there is no store. Called for partition 0, whose names are the same for every number of
    /// partitions.
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
        if self.schema != SCHEMA {
            return Err(UnfitStore::Schema(self.schema));
        }
        let asked = partitions.count();
        if self.partitions == asked { Ok(()) } else { Err(UnfitStore::Partitions { found: self.partitions, asked }) }
    }
}
