//! Waiting for what must happen.

use std::{
    panic::Location,
    thread,
    time::{Duration, Instant},
};

use tokio::time;

/// How long a test waits for anything. What a test waits for happens within this time or not at all.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The time between two looks at a condition.
const LOOK: Duration = Duration::from_millis(20);

/// Waits until `holds` returns true, asking every 20 ms.
///
/// # Panics
/// After [`PATIENCE`], with `what`.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            time::sleep(LOOK).await;
        }
    };
    time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain: {what}"));
}

/// Waits as [`until`] does, and blocks the thread.
///
/// # Panics
/// After [`PATIENCE`], with `what`.
pub fn blocking_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(LOOK);
    }
}

/// Waits for the output of a future.
///
/// # Panics
/// After [`PATIENCE`], with the line of the caller.
#[track_caller]
pub fn soon<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let output = time::timeout(PATIENCE, future).await;
        output.unwrap_or_else(|_| panic!("{caller}: this has not happened within {PATIENCE:?}"))
    }
}
