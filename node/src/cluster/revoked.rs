//! Applies revocations: reads them from the store, and ends the sessions that live by a revoked token. Each event
//! stream looks for itself whether its key is revoked.
//!
//! A node reads the revocations each second, whether or not it was told of a new one. So a node that messages did not
//! reach applies what it missed as soon as the store answers. While the store is away, the revocations that were read
//! before hold.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time;

use crate::{end::SessionEnd, shard::Shared};

/// The interval at which a node reads the revocations. With the time of the call, a revocation holds everywhere within
/// 2 s.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reads the revocations if they have changed since the revision `known`, and ends the sessions that live by a revoked
/// token. Returns the revision that was applied, which is `known` if nothing changed or the store is away.
pub async fn apply(shared: &Shared, known: String) -> String {
    let read = match shared.backplane.revocations(&known).await {
        Ok(Some(read)) => read,
        Ok(None) => return known,
        Err(error) => {
            tracing::debug!(%error, "revocations can't be read; those that are known hold");
            return known;
        }
    };
    shared.metrics.revocations.set(read.all.len() as i64);
    shared.auth.revocations().replace(read.all);
    let now = Timestamp::now();
    let mut revoked = shared.hub.tokens();
    revoked.retain(|(_, token)| shared.auth.revocations().cover(token, now));
    if !revoked.is_empty() {
        tracing::info!(sessions = revoked.len(), "sessions end: their tokens were revoked");
    }
    for (addr, _) in revoked {
        shared.shards.end(addr, SessionEnd::TokenRevoked).await;
    }
    read.revision
}

/// Applies revocations; never returns. The revocations of the revision `known` are applied already.
pub async fn follow(shared: Arc<Shared>, mut known: String) {
    loop {
        tokio::select! {
            () = time::sleep(INTERVAL) => {}
            () = shared.auth.revocations().stale() => {}
        }
        known = apply(&shared, known).await;
    }
}
