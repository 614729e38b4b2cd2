//! Reads again the files that say which leases count and how to reach Redis.

use std::time::Duration;

use anyhow::Context;
use muster_redis::{Masters, will_pass};
use tokio::time;

use super::{LeaseReader, seals::LeaseSeals, store};
use crate::config::Config;

/// How long Redis may take to accept a password or certificate. If Redis does not answer, they are not to blame.
const CHECK: Duration = Duration::from_secs(3);

impl LeaseReader {
    /// Reads the secrets and the files for Redis again, and uses them from now on. If one of the files can't be used,
    /// or Redis does not accept what is in it, everything stays as before. The error names the flag.
    pub async fn reread(&mut self, config: &Config) -> anyhow::Result<()> {
        let seals = LeaseSeals::of(&config.cluster, &config.read_secrets()?);
        if config.has_redis_files() {
            let masters = Masters::new(config.topology()?);
            self.check_accepted(&masters).await?;
            self.masters = masters;
            // The reader of partitions has connections of its own, and makes them again.
            self.partitioned = None;
        }
        self.check.seals = seals;
        Ok(())
    }

    async fn check_accepted(&self, masters: &Masters) -> anyhow::Result<()> {
        match time::timeout(CHECK, store::find(masters, &self.first_partition)).await {
            Ok(Err(error)) if !will_pass(&error) && !store::is_unfit(&error) => {
                let files = "--redis-password-file, --redis-ca, --redis-cert, --redis-key";
                Err(error).with_context(|| format!("{files}: Redis does not accept what is in these files now"))
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
