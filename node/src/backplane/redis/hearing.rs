//! What this node has heard through Redis: whether it hears itself, how far it has come in the order of all commands,
//! and the highest number that it has seen. Written by the listener, by what catches up and by what accepts, and read
//! by the lease and by what accepts, which tell it to the store, and by whoever asks whether the node is ready.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::partition::lease::BEAT;

/// Silence for so long means that the connection is dead: three probes went unheard.
pub const DEAF: Duration = Duration::from_secs(3 * BEAT.as_secs() + 1);

/// What the node has heard of itself.
#[derive(Debug, Default)]
pub struct Hearing {
    probes: AtomicU64,
    heard: Mutex<Option<Instant>>,
    reached: AtomicU64,
    seen: Mutex<Seen>,
}

/// The highest number that this node knows a store to have given. One that lacks it has lost something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The store's name; empty before anything was seen.
    pub epoch: String,
    /// The number.
    pub number: u64,
}

/// How far the listener has come on each channel: everything for this node up to there was passed on to the shards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The store that numbers.
    pub epoch: String,
    /// On the channel of all nodes.
    pub broadcast: u64,
    /// On this node's own.
    pub inbox: u64,
}

impl Reached {
    /// Returns the number on this node's own channel, or on that of all nodes.
    pub fn on(&mut self, by_inbox: bool) -> &mut u64 {
        if by_inbox { &mut self.inbox } else { &mut self.broadcast }
    }
}

impl Hearing {
    /// Checks that a probe came back lately.
    pub fn check(&self) -> Result<(), String> {
        match *self.heard() {
            Some(at) if at.elapsed() < DEAF => Ok(()),
            Some(at) => Err(format!("this node has not heard itself through Redis for {} s", at.elapsed().as_secs())),
            None => Err("this node does not hear itself through Redis: its subscription is not up".into()),
        }
    }

    /// Returns the number up to which everything was passed on to the shards.
    pub fn reached(&self) -> u64 {
        self.reached.load(Ordering::Relaxed)
    }

    /// Records that everything up to this number was passed on to the shards.
    pub fn has_reached(&self, number: u64) {
        self.reached.store(number, Ordering::Relaxed);
    }

    /// Returns the number of a probe that is about to be sent.
    pub fn next_probe(&self) -> u64 {
        self.probes.fetch_add(1, Ordering::Relaxed)
    }

    /// Records that a probe came back.
    pub fn hears(&self) {
        *self.heard() = Some(Instant::now());
    }

    /// Records that the node hears nothing from now on, even if a probe came back lately.
    pub fn hears_nothing(&self) {
        *self.heard() = None;
    }

    /// Returns what was seen last.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Records that a command of this number is in the store of this name.
    pub fn saw(&self, epoch: &str, number: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.epoch == epoch {
            seen.number = seen.number.max(number);
        } else {
            *seen = Seen { epoch: epoch.to_owned(), number };
        }
    }

    fn heard(&self) -> MutexGuard<'_, Option<Instant>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
