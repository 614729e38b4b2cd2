//! Waits until a moment that may be absent: the arm of a `select!` for a deadline that is not always set.

use std::time::Instant;

use tokio::time::sleep_until;

/// Sleeps until `moment`. Never returns if `moment` is none.
pub(crate) async fn sleep_until_some(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}
