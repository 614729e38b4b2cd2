//! Reads the leases of the partitions of one master. If the master refuses a partition, which has just moved, only that
//! partition fails.

use muster_protocol::redis_keys::RedisKeys;
use muster_redis::Connection;
use redis::{FromRedisValue, Pipeline, RedisResult, Value, aio::ConnectionLike};

use crate::leases::store::told_run_id;

/// How many nodes of a partition are read: those whose leases end last.
const NODES_MAX: isize = 1024;

/// What was found in a partition.
#[derive(Debug)]
pub struct FoundLeases {
    /// The id of the Redis process.
    pub run_id: String,
    /// Ids of nodes, and their leases as they are stored.
    pub leases: Vec<(String, String)>,
}

/// Reads the leases of partitions that all have this master. They are given by index and keys.
pub async fn read_master(
    connection: Connection,
    partitions: Vec<(usize, &RedisKeys)>,
) -> Vec<(usize, RedisResult<FoundLeases>)> {
    let read = try_read(connection, &partitions).await;
    read.unwrap_or_else(|error| partitions.iter().map(|(index, _)| (*index, Err(error.clone()))).collect())
}

async fn try_read(
    mut connection: Connection,
    partitions: &[(usize, &RedisKeys)],
) -> RedisResult<Vec<(usize, RedisResult<FoundLeases>)>> {
    let mut lists = redis::pipe();
    lists.cmd("INFO").arg("server");
    for (_, keys) in partitions {
        lists.cmd("ZRANGE").arg(keys.nodes()).arg(0).arg(NODES_MAX - 1).arg("REV");
    }
    let mut answers = send(&mut connection, &lists).await?.into_iter();
    let run_id = told_run_id(&read::<String>(answers.next().unwrap_or(Value::Nil))?);
    let lists: Vec<RedisResult<Vec<Vec<u8>>>> = answers.map(read).collect();
    let mut texts = redis::pipe();
    for ((_, keys), nodes) in partitions.iter().zip(&lists) {
        if let Some(nodes) = nodes.as_ref().ok().filter(|nodes| !nodes.is_empty()) {
            texts.mget(nodes.iter().map(|node| keys.sealed_lease(&text(node))).collect::<Vec<_>>());
        }
    }
    let mut texts = if texts.is_empty() { Vec::new() } else { send(&mut connection, &texts).await? }.into_iter();
    let found = partitions.iter().zip(lists).map(|((index, _), nodes)| {
        let leases = nodes.and_then(|nodes| {
            let texts = if nodes.is_empty() { Vec::new() } else { read(texts.next().unwrap_or(Value::Nil))? };
            Ok(pairs(&nodes, texts))
        });
        (*index, leases.map(|leases| FoundLeases { run_id: run_id.clone(), leases }))
    });
    Ok(found.collect())
}

/// Returns the answers to all commands of a pipeline. A refusal is an answer.
async fn send(connection: &mut Connection, pipe: &Pipeline) -> RedisResult<Vec<Value>> {
    connection.req_packed_commands(pipe, 0, pipe.len()).await
}

fn read<T: FromRedisValue>(answer: Value) -> RedisResult<T> {
    Ok(T::from_redis_value(answer.extract_error()?)?)
}

/// Returns the nodes that have a lease, and their leases.
fn pairs(nodes: &[Vec<u8>], leases: Vec<Option<Vec<u8>>>) -> Vec<(String, String)> {
    nodes.iter().zip(leases).filter_map(|(node, lease)| Some((text(node), text(&lease?)))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
