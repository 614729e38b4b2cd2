//! Wakes the streams that wait for the next event.

use std::future::pending;

use tokio::sync::watch;

/// Tells all [`EventWatch`]es of a node that there may be an event.
#[derive(Debug, Default)]
pub struct EventSignal(watch::Sender<u64>);

/// Waits until there may be an event that was written after this watch began.
#[derive(Debug)]
pub struct EventWatch(watch::Receiver<u64>);

impl EventSignal {
    /// Returns a watch that begins now.
    pub fn watch(&self) -> EventWatch {
        EventWatch(self.0.subscribe())
    }

    /// Wakes all watches.
    pub fn wake(&self) {
        if self.0.receiver_count() > 0 {
            self.0.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

impl EventWatch {
    /// Waits until the watch is woken. Returns at once if it was woken since it began or since the last call.
    pub async fn woken(&mut self) {
        // Without a sender the backplane is gone, and there will be no event.
        if self.0.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_watch_is_woken_by_what_happens_after_it_began() {
        let signal = EventSignal::default();
        signal.wake();
        let (mut watch, mut other) = (signal.watch(), signal.watch());
        assert!(watch.woken().now_or_never().is_none(), "it happened before");
        signal.wake();
        assert!(watch.woken().now_or_never().is_some() && other.woken().now_or_never().is_some());
        assert!(watch.woken().now_or_never().is_none(), "once");
        drop(signal);
        assert!(watch.woken().now_or_never().is_none());
    }
}
