//! Reads of an export that are made again while a partition does not answer, for example while a replica becomes the master. An export changes
//! nothing, so every read may be repeated.

use std::{
    collections::BTreeSet,
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use muster_protocol::partition::PartitionIndex;
use muster_redis::will_pass;
use muster_service::output::note;
use redis::RedisError;
use tokio::time::{self, Instant};

use crate::backplane::{BackplaneError, redis::refusal::is_passing};

/// How long a read is repeated, from its first failure on. A master that died has a successor by then.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The pause before a read is repeated.
const PAUSE: Duration = Duration::from_millis(200);

/// Repeats reads that failed in a way that may pass.
#[derive(Clone)]
pub struct PatientReads {
    patience: Duration,
    /// The partitions that did not answer last. Each outage is printed once, though several reads wait for it.
    away: Arc<Mutex<BTreeSet<PartitionIndex>>>,
}

impl PatientReads {
    /// Repeats a read until so long after its first failure.
    pub fn new(patience: Duration) -> Self {
        Self { patience, away: Arc::default() }
    }

    /// The answer to a read of a partition. The last attempt ends at the latest one answer's time after the patience.
    ///
    /// # Errors
    /// Names the partition: at once if the error will not pass, else when the patience is over.
    pub async fn answer<T, E: ReadError, F: Future<Output = Result<T, E>>>(
        &self,
        partition: PartitionIndex,
        read: impl Fn() -> F,
    ) -> anyhow::Result<T> {
        let mut end = None;
        loop {
            let error = match read().await {
                Ok(answer) => {
                    self.lock().remove(&partition);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if !error.may_pass() {
                return Err(error).with_context(|| format!("partition {partition} can't be read"));
            }
            let seconds = self.patience.as_secs();
            let now = Instant::now();
            if now >= *end.get_or_insert(now + self.patience) {
                return Err(error).with_context(|| {
                    format!("partition {partition} did not answer for {seconds} s; run the export again when it does")
                });
            }
            if self.lock().insert(partition) {
                note(format_args!(
                    "muster-node: partition {partition} does not answer ({error}); the export waits for it, {seconds} s at most"
                ));
            }
            time::sleep(PAUSE).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<PartitionIndex>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a read failed.
pub trait ReadError: Error + Send + Sync + 'static {
    /// Whether the same read may succeed later.
    fn may_pass(&self) -> bool;
}

impl ReadError for RedisError {
    fn may_pass(&self) -> bool {
        will_pass(self) || is_passing(self)
    }
}

impl ReadError for BackplaneError {
    fn may_pass(&self) -> bool {
        self.is_away()
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, io};

    use redis::{Value, parse_redis_value};

    use super::*;

    const PARTITION: PartitionIndex = PartitionIndex(3);

    fn timeout() -> RedisError {
        io::Error::from(io::ErrorKind::TimedOut).into()
    }

    fn answered(line: &str) -> RedisError {
        match parse_redis_value(format!("{line}\r\n").as_bytes()) {
            Ok(Value::ServerError(error)) => error.into(),
            other => panic!("no error but {other:?}"),
        }
    }

    /// What becomes of a read whose first attempts fail, and how many attempts there were.
    async fn read(patience: Duration, failures: &[RedisError]) -> (Result<u32, String>, usize) {
        let (reads, attempts) = (PatientReads::new(patience), Cell::new(0));
        let attempt = || {
            let failure = failures.get(attempts.replace(attempts.get() + 1)).cloned();
            async move { failure.map_or(Ok(7), Err) }
        };
        let answer = reads.answer(PARTITION, attempt).await;
        assert!(answer.is_err() || reads.lock().is_empty(), "it answers again");
        (answer.map_err(|error| format!("{error:#}")), attempts.get())
    }

    #[tokio::test]
    async fn a_read_is_repeated_while_its_partition_does_not_answer() {
        let failures = [timeout(), answered("-LOADING Redis is loading"), answered("-BUSY a script runs")];
        assert_eq!(read(PATIENCE, &failures).await, (Ok(7), 4));
    }

    #[tokio::test]
    async fn a_read_ends_with_the_patience_and_names_the_partition() {
        let (answer, attempts) = read(Duration::ZERO, &[timeout(), timeout()]).await;
        assert!(answer.unwrap_err().contains("partition 3 did not answer"));
        assert_eq!(attempts, 1);
    }

    #[tokio::test]
    async fn an_error_that_will_not_pass_ends_a_read_at_once() {
        for line in ["-NOPERM no permission", "-WRONGTYPE no", "-ERR unknown command"] {
            let (answer, attempts) = read(PATIENCE, &[answered(line)]).await;
            assert!(answer.unwrap_err().contains("partition 3 can't be read"), "{line}");
            assert_eq!(attempts, 1, "{line}");
        }
    }
}
