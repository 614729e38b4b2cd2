//! Asks several sources at once, and takes the newest answer. A source that is cut off from the rest knows what is
//! outdated, and may be the first to answer.

use std::time::Duration;

use futures_util::{StreamExt, stream::FuturesUnordered};
use redis::RedisResult;
use tokio::time::{Instant, timeout, timeout_at};

use crate::master::late;

/// How long the other sources have after the first has answered.
const OTHERS: Duration = Duration::from_millis(100);

/// Returns the first answer, or another with a greater `epoch` that comes within 100 ms after the first. So a source that
/// is dead or hangs delays little. Returns the last error if no source answers by the deadline.
pub async fn newest<T, E: PartialOrd>(
    sources: impl IntoIterator<Item = impl Future<Output = RedisResult<T>>>,
    deadline: Instant,
    epoch: impl Fn(&T) -> E,
) -> RedisResult<T> {
    let in_time = |source| async move { timeout_at(deadline, source).await.unwrap_or_else(|_| Err(late())) };
    let mut asked: FuturesUnordered<_> = sources.into_iter().map(in_time).collect();
    let mut failure = late();
    let mut newest = loop {
        match asked.next().await {
            Some(Ok(answer)) => break answer,
            Some(Err(error)) => failure = error,
            None => return Err(failure),
        }
    };
    let others = async {
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(answer) if epoch(&answer) > epoch(&newest) => newest = answer,
                _ => {}
            }
        }
    };
    let _ = timeout(OTHERS, others).await;
    Ok(newest)
}
