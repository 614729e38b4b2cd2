//! Sessions that ended while Redis was away, until the registry knows that they ended.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{end::EndReport, hub::SessionInfo};

/// The number of sessions that are remembered. A session beyond it is not unregistered when Redis is back: the registry
/// shows it until this node's lease runs out or its terminal comes back.
const PARTED_MAX: usize = 100_000;

/// A session that ended, and how.
type PartedSession = (Arc<SessionInfo>, EndReport);

/// The sessions that are still to be unregistered.
#[derive(Debug, Default)]
pub struct PartedSessions(Mutex<Vec<PartedSession>>);

impl PartedSessions {
    /// Remembers a session that ended. Does nothing if [`PARTED_MAX`] sessions are remembered already.
    pub fn push(&self, info: Arc<SessionInfo>, end: EndReport) {
        let mut parted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if parted.len() < PARTED_MAX {
            parted.push((info, end));
        }
    }

    /// Takes all of them out.
    pub fn take(&self) -> Vec<PartedSession> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use muster_protocol::{SessionId, api::Protocol};
    use uuid::Uuid;

    use super::*;
    use crate::end::SessionEnd;

    #[test]
    fn no_more_than_the_bound_are_remembered() {
        let info = Arc::new(SessionInfo {
            terminal: "t1".parse().unwrap(),
            session: SessionId(Uuid::now_v7()),
            protocol: Protocol::Plain,
            partition: Default::default(),
            labels: Default::default(),
            address: Box::default(),
            edge: None,
            connected_at: Timestamp::now(),
        });
        let parted = PartedSessions::default();
        (0..=PARTED_MAX).for_each(|_| parted.push(info.clone(), SessionEnd::Lost.into()));
        assert_eq!((parted.take().len(), parted.take().len()), (PARTED_MAX, 0));
    }
}
