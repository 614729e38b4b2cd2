//! Commands that outlive the master: accepted only once enough replicas have them. By a connection of its own, since WAIT holds up
//! whatever follows it on the same one.

use std::time::Duration;

use muster_redis::{Connection, Topology};
use redis::{ErrorKind, Pipeline, RedisResult, ScriptInvocation, ServerErrorKind, Value, from_redis_value};

/// A replica that lives has acknowledged within milliseconds; those who wait behind one that is dead wait for their turn too.
const PATIENCE: Duration = Duration::from_millis(500);

/// How many replicas must have a command, and the way to know it.
pub struct Replicas {
    connection: Connection,
    wanted: u32,
}

impl Replicas {
    /// None if none are wanted. Connects when it is first used.
    pub fn new(topology: &Topology, tag: &str, wanted: u32) -> Option<Self> {
        (wanted > 0).then(|| Self { connection: Connection::new(topology.clone(), tag), wanted })
    }

    /// Calls a script that writes: its answer, and whether enough replicas are known to have what it wrote.
    pub async fn call(&self, call: &ScriptInvocation<'_>) -> RedisResult<(Vec<Value>, bool)> {
        let mut pipe = redis::pipe();
        pipe.invoke_script(call).cmd("WAIT").arg(self.wanted).arg(PATIENCE.as_millis() as u64).ignore_errors();
        let (answer, had) = self.query(&pipe, call).await?;
        Ok((from_redis_value(answer)?, had >= self.wanted))
    }

    /// The script's answer, and how many have it: none are known to if the wait itself was refused, as by a master that was made a
    /// replica meanwhile. A server that does not know the script yet is given it.
    async fn query(&self, pipe: &Pipeline, call: &ScriptInvocation<'_>) -> RedisResult<(Value, u32)> {
        let mut connection = self.connection.clone();
        let (mut answer, mut had): (RedisResult<Value>, RedisResult<u32>) = pipe.query_async(&mut connection).await?;
        if matches!(&answer, Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)) {
            call.load_async(&mut connection).await?;
            (answer, had) = pipe.query_async(&mut connection).await?;
        }
        Ok((answer?, had.unwrap_or(0)))
    }
}
