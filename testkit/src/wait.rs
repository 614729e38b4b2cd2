//! Waiting for a condition.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How long a test waits for anything. What a test waits for happens within this time or not at all.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Waits until `holds` returns true, asking every 20 ms.
///
/// # Panics
/// After [`PATIENCE`], with `what`.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
