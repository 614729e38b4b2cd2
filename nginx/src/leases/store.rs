//! Finds the store, by what it says of itself in partition 0.

use muster_protocol::{
    ClusterName,
    partition::{PartitionIndex, Partitions},
    redis_keys::RedisKeys,
    schema::{known_schemas, runs_on},
};
use muster_redis::Masters;
use redis::{AsyncCommands, ErrorKind, RedisError, RedisResult};

/// The error of a store that this program can't read.
const UNFIT: &str = "this sidecar can't read the store; start the version of muster-sidecar that fits the nodes";

/// Returns whether an error says that this program can't read the store.
pub fn is_unfit(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Client && error.to_string().starts_with(UNFIT)
}

/// What a store says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundStore {
    /// The number of the store's partitions.
    pub partitions: Partitions,
    /// The store's id, which the seals of leases cover.
    pub id: String,
    /// When the store was made. A store that was lost is made again with the same id.
    pub created: String,
}

/// Returns the names of the keys of partition 0, whose tag is the same for every number of partitions.
pub fn keys(masters: &Masters, cluster: &ClusterName) -> RedisKeys {
    RedisKeys::of_partition(cluster, masters.topology().database(), Partitions::ONE, PartitionIndex(0))
}

/// Looks for the store in partition 0. `None` if there is none. An error if Redis does not answer, or if this program
/// can't read the store.
pub async fn find(masters: &Masters, keys: &RedisKeys) -> RedisResult<Option<FoundStore>> {
    type Fields = (Option<u32>, Option<u16>, Option<String>, Option<String>);
    let (schema, partitions, id, created): Fields =
        masters.connection(keys.tag()).hmget(keys.store(), &["schema", "partitions", "id", "created"]).await?;
    let Some(schema) = schema else { return Ok(None) };
    let partitions = partitions.and_then(Partitions::new).filter(|_| runs_on(schema));
    match (partitions, id) {
        (Some(partitions), Some(id)) => Ok(Some(FoundStore { partitions, id, created: created.unwrap_or_default() })),
        _ => {
            let schema = format!("it has schema {schema}, and this program runs on {}", known_schemas());
            Err(RedisError::from((ErrorKind::Client, UNFIT, schema)))
        }
    }
}

/// Returns the id of the Redis process that has partition 0.
pub async fn run_id(masters: &Masters, keys: &RedisKeys) -> RedisResult<String> {
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut masters.connection(keys.tag())).await?;
    Ok(told_run_id(&info))
}

/// Returns the id of a Redis process, from its answer to `INFO server`.
pub fn told_run_id(info: &str) -> String {
    info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().trim().to_owned()
}
