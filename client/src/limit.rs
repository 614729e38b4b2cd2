//! The largest message that the node takes. The program's handle uses it to refuse a larger message at once; the
//! terminal's task learns it from each welcome.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::{SendError, dial::MAX_MESSAGE, outgoing::Outgoing};

/// A limit in bytes, at most [`MAX_MESSAGE`].
#[derive(Debug, Clone)]
pub(crate) struct SendLimit(Arc<AtomicUsize>);

impl SendLimit {
    /// Makes the limit that holds until a node names its own.
    pub(crate) fn new(bytes: u64) -> Self {
        let limit = Self(Arc::default());
        limit.set(bytes);
        limit
    }

    /// Replaces the limit. The socket's write buffer takes no message over [`MAX_MESSAGE`], whatever the node takes.
    pub(crate) fn set(&self, bytes: u64) {
        self.0.store(usize::try_from(bytes).map_or(MAX_MESSAGE, |bytes| bytes.min(MAX_MESSAGE)), Ordering::Relaxed);
    }

    /// Returns the limit in bytes.
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns an error that names the limit, if the message is over it.
    pub(crate) fn check(&self, outgoing: &Outgoing) -> Result<(), SendError> {
        let (bytes, limit) = (outgoing.size(), self.get());
        if bytes <= limit { Ok(()) } else { Err(SendError::TooLarge { bytes, limit }) }
    }
}
