//! Tells the store when operators' keys were last used.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time;

use crate::shard::Shared;

/// The interval at which a node looks for keys that were used.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tells the store of uses; never returns. While the store is away the uses wait.
pub async fn follow(shared: Arc<Shared>) {
    loop {
        time::sleep(INTERVAL).await;
        let uses = shared.auth.key_uses();
        let due = uses.due(Instant::now());
        if due.is_empty() {
            continue;
        }
        match shared.backplane.record_key_uses(&due).await {
            Ok(()) => uses.set_written(&due, Instant::now()),
            Err(error) => tracing::debug!(%error, "the last uses of keys can't be stored yet"),
        }
    }
}
