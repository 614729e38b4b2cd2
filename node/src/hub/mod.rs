//! The hub: this node's table of sessions, by terminal, and what else every floor above asks about the node itself.
//!
//! ```text
//!   Hub          terminal ──▶ where its session is, and who it is
//!   SessionInfo  what never changes while a session lasts
//!   Lifecycle    ready ──▶ leaving ──▶ draining
//!   Shortages    what the node has too little of
//! ```
//!
//! The table is passive: it has no task, only a lock, which is never held across an await. A broadcast does not look at the table;
//! it goes to the mailbox of each shard, and each shard knows its own sockets.

mod info;
mod lifecycle;
#[cfg(all(test, feature = "shuttle"))]
mod models;
mod shortages;

use std::sync::{Arc, PoisonError};

use muster_protocol::{SessionId, TerminalId};
use rustc_hash::FxHashMap;

pub use self::{
    info::SessionInfo,
    lifecycle::Lifecycle,
    shortages::{Resource, Shortage, Shortages},
};
use crate::{
    auth::TokenMark,
    sync::{Mutex, MutexGuard},
};

/// The address of a session inside this node.
///
/// The session id makes a message for a session that has ended harmless to the next session on the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionAddr {
    /// The index of the shard.
    pub shard: usize,
    /// The slot in the shard's table of sockets.
    pub key: usize,
    /// The session.
    pub session: SessionId,
}

/// The table of this node's sessions: at most one entry for each terminal.
#[derive(Debug, Default)]
pub struct Hub {
    entries: Mutex<FxHashMap<TerminalId, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    info: Arc<SessionInfo>,
    /// The slot of the session in its shard, of which there are no more than descriptors.
    key: u32,
    shard: u32,
    /// The token by which the session lives. None if none was verified.
    token: Option<Arc<TokenMark>>,
}

impl Entry {
    fn addr(&self) -> SessionAddr {
        SessionAddr { shard: self.shard as usize, key: self.key as usize, session: self.info.session }
    }
}

impl Hub {
    /// Inserts a session. Of two sessions of one terminal the newer one stays. Returns the address of the session that must
    /// end, which may be the inserted one.
    pub fn insert(&self, info: Arc<SessionInfo>, addr: SessionAddr) -> Option<SessionAddr> {
        let mut entries = self.entries();
        match entries.get(&info.terminal) {
            Some(entry) if entry.info.session > addr.session => Some(addr),
            _ => {
                let (key, shard) = (addr.key as u32, addr.shard as u32);
                entries.insert(info.terminal.clone(), Entry { info, key, shard, token: None }).map(|older| older.addr())
            }
        }
    }

    /// Removes the entry of `terminal` if it still belongs to `session`.
    ///
    /// The ids are compared under the lock: a late goodbye never evicts the newer session of a terminal that came back.
    pub fn remove(&self, terminal: &TerminalId, session: SessionId) {
        let mut entries = self.entries();
        if entries.get(terminal).is_some_and(|entry| entry.info.session == session) {
            entries.remove(terminal);
        }
    }

    /// The address of the terminal's session, or none if the terminal has no session here.
    pub fn addr(&self, terminal: &TerminalId) -> Option<SessionAddr> {
        self.entries().get(terminal).map(|entry| entry.addr())
    }

    /// The addresses of those of `terminals` that have a session here. The lock is taken once.
    pub fn addrs(&self, terminals: &[TerminalId]) -> Vec<SessionAddr> {
        let entries = self.entries();
        terminals.iter().filter_map(|terminal| entries.get(terminal)).map(|entry| entry.addr()).collect()
    }

    /// The addresses of the sessions whose info `is_wanted` accepts.
    pub fn addrs_where(&self, is_wanted: impl Fn(&SessionInfo) -> bool) -> Vec<SessionAddr> {
        self.entries().values().filter(|entry| is_wanted(&entry.info)).map(|entry| entry.addr()).collect()
    }

    /// Records the token by which a session lives, in place of an older one. Does nothing if the session is not here.
    pub fn set_token(&self, terminal: &TerminalId, session: SessionId, token: Arc<TokenMark>) {
        if let Some(entry) = self.entries().get_mut(terminal).filter(|entry| entry.info.session == session) {
            entry.token = Some(token);
        }
    }

    /// The tokens by which sessions live, and the sessions.
    pub fn tokens(&self) -> Vec<(SessionAddr, Arc<TokenMark>)> {
        let entries = self.entries();
        entries.values().filter_map(|entry| Some((entry.addr(), entry.token.clone()?))).collect()
    }

    /// Whether the terminal has a session here.
    pub fn has(&self, terminal: &TerminalId) -> bool {
        self.entries().contains_key(terminal)
    }

    /// The info of every session.
    pub fn infos(&self) -> Vec<Arc<SessionInfo>> {
        self.entries().values().map(|entry| entry.info.clone()).collect()
    }

    /// The number of sessions.
    pub fn len(&self) -> usize {
        self.entries().len()
    }

    /// Whether there is no session.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entries(&self) -> MutexGuard<'_, FxHashMap<TerminalId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn insert(hub: &Hub, session: SessionId) -> Option<SessionAddr> {
        let info = SessionInfo { session, ..SessionInfo::fresh("t1") };
        hub.insert(Arc::new(info), SessionAddr { shard: 0, key: 0, session })
    }

    #[test]
    fn the_newer_session_stays_in_whichever_order_they_come() {
        let (older, newer) = (SessionId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
        let hub = Hub::default();
        assert_eq!(insert(&hub, older), None);
        assert_eq!(insert(&hub, newer).unwrap().session, older);
        assert_eq!(insert(&hub, older).unwrap().session, older);
    }

    #[test]
    fn a_late_goodbye_does_not_evict_the_newer_session() {
        let (older, newer) = (SessionId(Uuid::now_v7()), SessionId(Uuid::now_v7()));
        let hub = Hub::default();
        insert(&hub, older);
        insert(&hub, newer);
        hub.remove(&"t1".parse().unwrap(), older);
        assert_eq!(hub.len(), 1);
        hub.remove(&"t1".parse().unwrap(), newer);
        assert!(hub.is_empty());
    }
}
