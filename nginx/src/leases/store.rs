//! Finds the store, by what it says of itself in partition 0.

use muster_protocol::{
    ClusterName,
    partition::{PartitionIndex, Partitions, SCHEMA},
    redis_keys::RedisKeys,
};
use muster_redis::Masters;
use redis::{AsyncCommands, ErrorKind, RedisError, RedisResult};

use super::partitions;

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundStore {
    /// The number of its partitions.
    pub partitions: Partitions,
    /// Its id, which leases are sealed with.
    pub id: String,
    /// When it was made. A store that was lost is made again with the same id.
    pub created: String,
}

/// The names of the keys of partition 0, whose tag is the same for every number of partitions.
pub fn keys(masters: &Masters, cluster: &ClusterName) -> RedisKeys {
    RedisKeys::of_partition(cluster, masters.topology().database(), Partitions::ONE, PartitionIndex(0))
}

/// Looks for the store in partition 0. `None` if there is none. An error if Redis does not answer, or if this program can't read
/// the store.
pub async fn find(masters: &Masters, keys: &RedisKeys) -> RedisResult<Option<FoundStore>> {
    type Fields = (Option<u32>, Option<u16>, Option<String>, Option<String>);
    let (schema, partitions, id, created): Fields =
        masters.connection(keys.tag()).hmget(keys.store(), &["schema", "partitions", "id", "created"]).await?;
    let Some(schema) = schema else { return Ok(None) };
    let partitions = partitions.and_then(Partitions::new).filter(|_| schema == SCHEMA);
    match (partitions, id) {
        (Some(partitions), Some(id)) => Ok(Some(FoundStore { partitions, id, created: created.unwrap_or_default() })),
        _ => {
            let what = "this sidecar can't read the store; start the version of muster-sidecar that fits the nodes";
            let schema = format!("it has schema {schema}, and this program reads schema {SCHEMA} only");
            Err(RedisError::from((ErrorKind::Client, what, schema)))
        }
    }
}

/// The id of the Redis process that has partition 0.
pub async fn run_id(masters: &Masters, keys: &RedisKeys) -> RedisResult<String> {
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut masters.connection(keys.tag())).await?;
    Ok(partitions::run_id(&info))
}
