//! What the sessions of a shard have to do because something inside the node asks for it. What their sockets and the time bring comes to
//! them by itself.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    fmt,
    rc::Rc,
};

use tokio::sync::Notify;

use super::Upgraded;
use crate::session::CallAnswer;

/// The place of a session among those of its shard. Another session may have it later.
pub type SessionKey = usize;

/// The most places of the queue that are kept when it is empty. A wave of handshakes may need thousands, once.
const PLACES_KEPT: usize = 256;

/// One thing to do.
pub enum SessionWork {
    /// Begin a session on an upgraded connection.
    Adopt(Box<Upgraded>),
    /// Look at what a session was asked, and at what is queued for its socket.
    Look(SessionKey),
    /// Take the answer to a call, which has this number.
    Answer(SessionKey, u64, CallAnswer),
}

/// What the sessions of a shard have to do, in the order in which it was asked for. It is bounded by the sessions: each is in the queue at
/// most once to begin, once to be looked at, and with the answers to its calls, of which it has one at a time.
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

    /// The next thing to do.
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

    /// A number that no other call of the shard has.
    pub fn new_call(&self) -> u64 {
        self.calls.update(|calls| calls + 1);
        self.calls.get()
    }
}

/// The way to have one session looked at.
pub struct SessionWaker {
    queue: Rc<WorkQueue>,
    key: SessionKey,
    is_asked: Cell<bool>,
}

impl SessionWaker {
    /// The way to the session with this key.
    pub fn new(queue: Rc<WorkQueue>, key: SessionKey) -> Self {
        Self { queue, key, is_asked: Cell::new(false) }
    }

    /// Has the session looked at.
    pub fn wake(&self) {
        if !self.is_asked.replace(true) {
            self.queue.push(SessionWork::Look(self.key));
        }
    }

    /// Records that the session is being looked at: what is asked from now on has it looked at again.
    pub fn begin_look(&self) {
        self.is_asked.set(false);
    }
}

impl fmt::Debug for SessionWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionWaker").field(&self.key).finish()
    }
}
