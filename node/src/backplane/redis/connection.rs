//! How Redis is reached: one connection for everything but listening, which follows the master and reconnects by
//! itself.

use std::time::Duration;

use anyhow::Context;
use muster_redis::{Connection, will_pass};
use redis::{AsyncCommands, RedisResult};
use tokio::time;

/// A node that starts beside its Redis waits this long for it.
const START: Duration = Duration::from_secs(10);

/// Waits until Redis answers a PING, which it does not before it has accepted user and password. An error that will not
/// pass ends the wait at once; otherwise the last error is returned after 10 s.
pub async fn connect(connection: &Connection) -> anyhow::Result<()> {
    let mut last = None;
    let attempt = async {
        loop {
            let answer: RedisResult<()> = connection.clone().ping().await;
            match answer {
                Err(error) if will_pass(&error) => last = Some(error),
                answer => return answer,
            }
            time::sleep(Duration::from_millis(100)).await;
        }
    };
    match (time::timeout(START, attempt).await, last) {
        (Ok(answer), _) => Ok(answer?),
        (Err(_), Some(error)) => Err(error).with_context(tried),
        (Err(_), None) => Err(anyhow::anyhow!(tried())),
    }
}

fn tried() -> String {
    format!("tried for {} s", START.as_secs())
}
