//! The calls of a session to the backplane.

use std::{future, sync::Arc};

use muster_protocol::{CommandId, frame};
use tokio::time;

use super::{super::machine::JoinCall, Call, Driver};
use crate::{
    backplane::{JoinOutcome, JoinRequest},
    end::{EndReport, SessionEnd},
    hub::SessionInfo,
    session::machine::JOIN_TIME,
};

/// What the backplane answered.
pub enum CallAnswer {
    /// How a session was registered.
    Joined(JoinOutcome),
    /// The frames of commands; none if the store did not answer.
    Fetched(Option<Vec<Option<frame::Command>>>),
    /// The session is out of the registry.
    Left,
}

/// Waits for the answer to a call; forever if there is none.
pub async fn answer(call: &mut Option<Call>) -> CallAnswer {
    match call {
        Some(call) => call.await,
        None => future::pending().await,
    }
}

impl Driver {
    /// Registers the session, after the older one of two sessions of this terminal was told to end.
    pub fn join(&mut self, call: JoinCall, info: Arc<SessionInfo>) {
        let (shared, older) = (self.shard.shared.clone(), self.older.take());
        let JoinCall { will, cursor, again, patient } = call;
        let request = JoinRequest { info, will, cursor, again, patient };
        self.call = Some(Box::pin(async move {
            if let Some(older) = older {
                shared.shards.end(*older, SessionEnd::Replaced).await;
            }
            CallAnswer::Joined(shared.backplane.join(&request).await)
        }));
    }

    /// Fetches the frames of commands.
    pub fn fetch(&mut self, ids: Vec<CommandId>, info: Arc<SessionInfo>) {
        let shared = self.shard.shared.clone();
        self.call =
            Some(Box::pin(
                async move { CallAnswer::Fetched(shared.backplane.frames(&info.terminal, &ids).await.ok()) },
            ));
    }

    /// Takes the session out of the registry. A call to register it that was not answered yet goes first: the other way round the session
    /// would be registered after it has left.
    pub fn leave(&mut self, info: Arc<SessionInfo>, end: EndReport) {
        let (shared, before) = (self.shard.shared.clone(), self.call.take());
        self.call = Some(Box::pin(async move {
            if let Some(before) = before {
                let _ = time::timeout(JOIN_TIME, before).await;
            }
            shared.backplane.leave(&info, end).await;
            CallAnswer::Left
        }));
    }
}
