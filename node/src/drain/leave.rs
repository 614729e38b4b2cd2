//! Whether the node is to leave. An operator may ask for that and take it back; a node that must end can't be held.

use tokio::sync::watch;

/// What the node was last asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    /// To take sessions.
    Serve,
    /// To drain, and to go on running without sessions.
    Stay,
    /// To drain, and to end.
    Drain,
    /// To drain, and to end. Nobody can take this back.
    End,
}

/// What the node is asked to do. By default, to take sessions.
#[derive(Debug)]
pub struct LeaveWish(watch::Sender<Wish>);

impl Default for LeaveWish {
    fn default() -> Self {
        Self(watch::Sender::new(Wish::Serve))
    }
}

impl LeaveWish {
    /// Has the node drain. After that the node ends; with `stays` it goes on running without sessions.
    pub fn drain(&self, stays: bool) {
        self.wish(if stays { Wish::Stay } else { Wish::Drain });
    }

    /// Has the node take sessions again, unless it must end.
    pub fn take_back(&self) {
        self.wish(Wish::Serve);
    }

    /// Has the node drain and end, whatever operators ask for.
    pub fn end(&self) {
        self.wish(Wish::End);
    }

    /// Waits until the node is to drain.
    pub async fn is_asked_for(&self) {
        self.wait(|wish| wish != Wish::Serve).await;
    }

    /// Waits until the node is to take sessions again.
    pub async fn is_taken_back(&self) {
        self.wait(|wish| wish == Wish::Serve).await;
    }

    /// Waits until the node is to end once it has drained.
    pub async fn is_to_end(&self) {
        self.wait(|wish| matches!(wish, Wish::Drain | Wish::End)).await;
    }

    fn wish(&self, wish: Wish) {
        self.0.send_if_modified(|present| {
            let is_new = *present != Wish::End && *present != wish;
            if is_new {
                *present = wish;
            }
            is_new
        });
    }

    async fn wait(&self, is_met: impl Fn(Wish) -> bool) {
        // Waiting fails only once the sender is gone, and `self` owns the sender.
        let _ = self.0.subscribe().wait_for(|wish| is_met(*wish)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn state(leave: &LeaveWish) -> [bool; 3] {
        let is_now = |wait: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| wait.now_or_never().is_some();
        [
            is_now(Box::pin(leave.is_asked_for())),
            is_now(Box::pin(leave.is_taken_back())),
            is_now(Box::pin(leave.is_to_end())),
        ]
    }

    #[test]
    fn a_drain_is_taken_back_until_the_node_must_end() {
        let leave = LeaveWish::default();
        assert_eq!(state(&leave), [false, true, false]);
        leave.drain(true);
        assert_eq!(state(&leave), [true, false, false]);
        leave.drain(false);
        assert_eq!(state(&leave), [true, false, true]);
        leave.take_back();
        assert_eq!(state(&leave), [false, true, false]);
        leave.end();
        leave.take_back();
        leave.drain(true);
        assert_eq!(state(&leave), [true, false, true]);
    }
}
