//! What the sessions of a shard have to do because something inside the node asks for it. Sockets and alarms do not
//! come through here.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    rc::Rc,
};

use tokio::sync::Notify;

use super::Upgraded;
use crate::session::CallAnswer;

/// The place of a session among the sessions of its shard. Another session may have the same place later.
pub type SessionKey = usize;

/// The most places for which an empty queue keeps memory. A burst of handshakes may need thousands, once.
const PLACES_KEPT: usize = 256;

/// One thing to do.
pub enum SessionWork {
    /// Begin a session on an upgraded connection.
    Adopt(Box<Upgraded>),
    /// Look at what a session was asked, and at what is queued for its socket.
    Look(SessionKey),
    /// Take the answer to the call with this number.
    Answer(SessionKey, u64, CallAnswer),
}

/// What the sessions of a shard have to do, in the order in which it was asked for. The number of sessions bounds the
/// queue: a session is in it at most once to begin, once to be looked at, and once with the answer to its call.
#[derive(Default)]
pub struct WorkQueue {
    work: RefCell<VecDeque<SessionWork>>,
    is_filled: Notify,
    calls: Cell<u64>,
}

impl WorkQueue {
    /// Adds something to do.
    pub fn push(&self, work: SessionWork) {
        self.work.borrow_mut().push_back(work);
        self.is_filled.notify_one();
    }

    /// Returns the next thing to do; none if there is nothing.
    pub fn pop(&self) -> Option<SessionWork> {
        let mut work = self.work.borrow_mut();
        let next = work.pop_front();
        if next.is_none() {
            work.shrink_to(PLACES_KEPT);
        }
        next
    }

    /// Waits until something was added since the last call.
    pub async fn filled(&self) {
        self.is_filled.notified().await;
    }

    /// Returns a number that no other call of the shard has.
    pub fn new_call(&self) -> u64 {
        self.calls.update(|calls| calls + 1);
        self.calls.get()
    }
}

/// Asks the shard to look at one session.
pub struct SessionWaker {
    queue: Rc<WorkQueue>,
    key: SessionKey,
    is_asked: Cell<bool>,
}

impl SessionWaker {
    /// Returns the waker of the session with this key.
    pub fn new(queue: Rc<WorkQueue>, key: SessionKey) -> Self {
        Self { queue, key, is_asked: Cell::new(false) }
    }

    /// Has the shard look at the session. Does nothing if a look is asked for already.
    pub fn wake(&self) {
        if !self.is_asked.replace(true) {
            self.queue.push(SessionWork::Look(self.key));
        }
    }

    /// Records that the look has begun. A `wake` from now on asks for another look.
    pub fn begin_look(&self) {
        self.is_asked.set(false);
    }
}

impl fmt::Debug for SessionWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionWaker").field(&self.key).finish()
    }
}
