//! One name is one process: which one this is, and what it does about another that has its node's name. At its start it
//! waits for the other's lease to run out, and does not start if that is renewed. Later it finds another only if it
//! could not renew its own for longer than that lasts: then it delivers nothing, and once the other is seen to live it
//! ends. Called by [`lease`](super::lease) for each beat that was refused.
//!
//! Always: of processes with one name one holds the lease, and no other delivers anything. None ends because of a lease
//! that nobody renews: a replica that became the master may still have that of a process which has given it back.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use muster_protocol::api::NodeView;
use redis::{ErrorKind, RedisError};

/// Which process this is, and what it knows of another with its name.
#[derive(Debug)]
pub struct Identity {
    /// Random: an address, a number of a process and a time may all come again.
    process: String,
    /// Who had the lease at the last beat, if not this process.
    rival: Mutex<Option<Rival>>,
    lost_to: OnceLock<Rival>,
}

/// Another process that has the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    process: String,
    /// As its lease has it, with the time of the renewal by its own clock: so that only a change says something.
    view: String,
}

impl Rival {
    /// Returns a process, and the view in its lease.
    pub fn new(process: String, view: String) -> Self {
        Self { process, view }
    }

    /// Returns where that process serves, as its lease has it.
    pub fn address(&self) -> String {
        let view = serde_json::from_str::<NodeView>(&self.view);
        view.map_or_else(|_| "an address that can't be read".into(), |view| view.address)
    }
}

impl Identity {
    /// Returns the identity of the process with this random name.
    pub fn of(process: String) -> Self {
        Self { process, rival: Mutex::default(), lost_to: OnceLock::new() }
    }

    /// Returns the name by which the store knows this process.
    pub fn process(&self) -> &str {
        &self.process
    }

    /// Returns the address of the other process that had the lease at the last beat; none if this process had it.
    pub fn rival(&self) -> Option<String> {
        self.met().as_ref().map(Rival::address)
    }

    /// Returns the process to which this process has lost its name for good; none if it has not.
    pub fn lost_to(&self) -> Option<&Rival> {
        self.lost_to.get()
    }

    /// Records that this process has lost its name for good. Returns whether that is new.
    pub fn lose_to(&self, rival: Rival) -> bool {
        self.lost_to.set(rival).is_ok()
    }

    /// Records that this process has the lease.
    pub fn forget_rival(&self) {
        *self.met() = None;
    }

    /// Records that another process has the lease. Returns whether that process was seen to renew the lease, and so
    /// lives.
    pub fn meets(&self, rival: &Rival) -> bool {
        let before = self.met().replace(rival.clone());
        before.is_some_and(|before| before.process == rival.process && before.view != rival.view)
    }

    fn met(&self) -> MutexGuard<'_, Option<Rival>> {
        self.rival.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns why a process without its node's name is refused.
pub fn nameless() -> RedisError {
    (ErrorKind::Client, "another process has this node's name").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_that_nobody_renews_is_no_proof_of_a_life() {
        let rival =
            |process: &str, second: u64| Rival::new(process.to_owned(), format!(r#"{{"renewed_at":{second}}}"#));
        let identity = Identity::of("this".into());
        assert!(!identity.meets(&rival("a", 1)) && !identity.meets(&rival("a", 1)));
        assert!(!identity.meets(&rival("b", 2)), "yet another");
        identity.forget_rival();
        assert!(!identity.meets(&rival("b", 3)), "what was seen before its own lease says nothing of what came after");
        assert!(identity.meets(&rival("b", 4)));
    }
}
