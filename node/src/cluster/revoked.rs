//! Applies revocations: reads in the store which there are, and ends the sessions that live by a revoked token. Streams of events look by
//! themselves.
//!
//! They are read each second, whether or not this node heard of anything: so a node that was deaf applies what it missed as soon as the
//! store answers. While the store is away, those that were read before hold.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time;

use crate::{end::SessionEnd, shard::Shared};

/// The interval at which revocations are read. With the call itself they hold everywhere within 2 s.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reads what is revoked, if it is something else than at the revision `known`, and ends sessions. Returns the revision.
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

/// Applies revocations for ever, after those at the revision `known` were applied.
pub async fn follow(shared: Arc<Shared>, mut known: String) {
    loop {
        tokio::select! {
            () = time::sleep(INTERVAL) => {}
            () = shared.auth.revocations().stale() => {}
        }
        known = apply(&shared, known).await;
    }
}
