//! What this node has too little of. The watcher of a resource notes a shortage again and again; a shortage that it
//! does not note any more ends by itself. `/readyz` names the shortages, the lease says that the node accepts no
//! handshakes, and handshakes are refused.

use std::{
    collections::BTreeMap,
    sync::PoisonError,
    time::{Duration, Instant},
};

use crate::sync::{Mutex, MutexGuard};

/// How long a shortage holds after it was noted: two and a half intervals at which a watcher looks.
const HOLDS: Duration = Duration::from_millis(2500);

/// What a node may have too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// File descriptors.
    Files,
    /// Memory.
    Memory,
    /// Shards that answer.
    Shards,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Self; 3] = [Self::Files, Self::Memory, Self::Shards];

    /// Returns the value of the label `resource` of the metric.
    pub fn label(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Memory => "memory",
            Self::Shards => "shards",
        }
    }
}

/// What is short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// What there is too little of, and what operators can do, as a sentence.
    pub why: String,
    /// Whether the node takes no new sessions because of this shortage.
    pub refuses_sessions: bool,
}

/// The shortages of a node, at most one for each resource. By default there is none.
#[derive(Debug, Default)]
pub struct Shortages(Mutex<BTreeMap<Resource, (Shortage, Instant)>>);

impl Shortages {
    /// Records a shortage, which holds for 2.5 s from `now` on.
    pub fn note(&self, resource: Resource, shortage: Shortage, now: Instant) {
        self.lock().insert(resource, (shortage, now + HOLDS));
    }

    /// Returns the shortages that hold at `now`.
    pub fn present(&self, now: Instant) -> BTreeMap<Resource, Shortage> {
        let mut all = self.lock();
        all.retain(|_, (_, until)| now < *until);
        all.iter().map(|(resource, (shortage, _))| (*resource, shortage.clone())).collect()
    }

    /// Returns the shortage because of which the node takes no new sessions now, as a sentence; none if no shortage
    /// keeps it from taking them.
    pub fn refuse_sessions(&self) -> Option<String> {
        let present = self.present(Instant::now());
        present.into_values().find(|shortage| shortage.refuses_sessions).map(|shortage| shortage.why)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Resource, (Shortage, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;

    fn shortage(why: &str, refuses_sessions: bool) -> Shortage {
        Shortage { why: why.into(), refuses_sessions }
    }

    #[test]
    fn a_shortage_ends_when_it_is_not_noted_any_more() {
        let (shortages, now) = (Shortages::default(), Instant::now());
        shortages.note(Resource::Files, shortage("no files", false), now);
        assert_eq!(shortages.refuse_sessions(), None);
        shortages.note(Resource::Memory, shortage("no memory", true), now + HOLDS / 2);
        assert_eq!(shortages.refuse_sessions().as_deref(), Some("no memory"));
        let at = |later| shortages.present(now + later).into_keys().collect::<Vec<_>>();
        assert_eq!(at(HOLDS / 2), [Resource::Files, Resource::Memory]);
        assert_eq!(at(HOLDS), [Resource::Memory]);
        assert!(at(HOLDS * 2).is_empty());
        assert_eq!(shortages.refuse_sessions(), None);
    }
}
