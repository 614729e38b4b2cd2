//! Requests of this node that wait until a command is done.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use muster_protocol::CommandId;
use rustc_hash::FxHashMap;
use tokio::{sync::Notify, time};

/// The longest wait before a request looks again by itself, because a message between nodes may be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The commands that requests wait for. There are at most as many as requests.
#[derive(Debug, Default)]
pub struct CommandWaiters(Mutex<FxHashMap<CommandId, Arc<Notify>>>);

impl CommandWaiters {
    /// Waits until [`wake`](Self::wake) is called for the command, for at most `limit` and at most 5 s. Asks `is_done`
    /// once the request can be woken, so that no wake is missed; returns at once if it says true.
    pub async fn wait(&self, id: CommandId, limit: Duration, is_done: impl Future<Output = bool>) {
        let entered = Entered { waiters: self, id, notify: self.lock().entry(id).or_default().clone() };
        let mut woken = pin!(entered.notify.notified());
        woken.as_mut().enable();
        if !is_done.await {
            _ = time::timeout(limit.min(LOOK_AGAIN), woken).await;
        }
    }

    /// Wakes all requests that wait for a command.
    pub fn wake(&self, id: CommandId) {
        if let Some(notify) = self.lock().get(&id) {
            notify.notify_waiters();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, FxHashMap<CommandId, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits. The last request for a command removes the command from the table.
struct Entered<'a> {
    waiters: &'a CommandWaiters,
    id: CommandId,
    notify: Arc<Notify>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut table = self.waiters.lock();
        // The table has one reference, and this request has the other.
        if Arc::strong_count(&self.notify) == 2 {
            table.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{future::ready, time::Instant};

    use uuid::Uuid;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn all_who_wait_for_a_command_are_woken_and_nothing_stays() {
        let (waiters, begun) = (CommandWaiters::default(), Instant::now());
        let (one, other) = (CommandId(Uuid::from_u128(1)), CommandId(Uuid::from_u128(2)));
        let wake = async {
            time::sleep(Duration::from_millis(20)).await;
            waiters.wake(one);
        };
        tokio::join!(waiters.wait(one, LONG, ready(false)), waiters.wait(one, LONG, ready(false)), wake);
        assert!(begun.elapsed() < LOOK_AGAIN);
        waiters.wait(other, Duration::from_millis(20), ready(false)).await;
        assert!(begun.elapsed() >= Duration::from_millis(40), "nobody woke it");
        assert!(waiters.lock().is_empty());
    }

    #[tokio::test]
    async fn what_is_done_while_a_request_begins_to_wait_is_not_missed() {
        let (waiters, begun) = (CommandWaiters::default(), Instant::now());
        let id = CommandId(Uuid::from_u128(1));
        waiters.wait(id, LONG, ready(true)).await;
        let done_meanwhile = async {
            waiters.wake(id);
            false
        };
        waiters.wait(id, LONG, done_meanwhile).await;
        assert!(begun.elapsed() < LOOK_AGAIN);
    }
}
