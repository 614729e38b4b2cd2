//! Checks that Redis is what a node needs: at the start, and then every 10 s, since another master or another setting may
//! lose what was accepted.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, bail};
use muster_protocol::redis_keys::RedisKeys;
use muster_redis::{Connection, Fitness, Unfit};
use tokio::time;

use super::RedisBackplane;

/// The time between two checks.
const CHECK: Duration = Duration::from_secs(10);
/// The time between two checks while Redis is unfit, so that a mended Redis counts soon.
const UNFIT_CHECK: Duration = Duration::from_secs(1);

/// Why Redis can't be used now, if it can't.
#[derive(Debug, Default)]
pub struct Requirements(Mutex<Option<Unfit>>);

impl Requirements {
    /// Returns an error with what to set, if Redis was unfit at the last check.
    pub fn check(&self) -> Result<(), String> {
        self.unfit().as_ref().map_or(Ok(()), |why| Err(why.to_string()))
    }

    fn unfit(&self) -> MutexGuard<'_, Option<Unfit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Checks Redis at the start, with a write. What the user may not check is logged.
pub async fn check_at_start(connection: &Connection, keys: &RedisKeys) -> anyhow::Result<()> {
    let checked = connection.check_requirements(Some(&keys.key("check"))).await;
    match checked.context("--redis: Redis could not be checked")? {
        Fitness::Fit(None) => Ok(()),
        Fitness::Fit(Some(unchecked)) => {
            tracing::warn!("{unchecked}");
            Ok(())
        }
        Fitness::Unfit(why) => bail!("--redis: {why}"),
    }
}

impl RedisBackplane {
    /// Checks Redis for ever. Whether it takes writes is seen by the lease each second, and not checked here.
    pub(super) async fn keep_checking(&self) {
        loop {
            let is_unfit = self.requirements.unfit().is_some();
            time::sleep(if is_unfit { UNFIT_CHECK } else { CHECK }).await;
            // A Redis that does not answer is noticed by the lease.
            let Ok(fitness) = self.connection.check_requirements(None).await else { continue };
            let unfit = fitness.unfit();
            match &unfit {
                Some(why) if !is_unfit => tracing::error!("not ready: {why}"),
                None if is_unfit => tracing::info!("Redis can be used again"),
                _ => {}
            }
            *self.requirements.unfit() = unfit;
        }
    }
}
