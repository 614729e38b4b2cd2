//! Makes the calls of a session to the backplane.

use std::sync::Arc;

use muster_protocol::CommandId;
use tokio::{task, time};
use tokio_util::task::AbortOnDropHandle;

use super::{
    call::{Call, CallAnswer},
    driver::Driver,
};
use crate::{
    backplane::JoinRequest,
    end::{EndReport, SessionEnd},
    hub::SessionInfo,
    session::machine::{JOIN_TIME, JoinCall},
    shard::SessionWork,
};

impl Driver {
    /// Registers the session. If the hub had another session of this terminal, first tells the older of the two to end.
    pub fn join(&mut self, call: JoinCall, info: Arc<SessionInfo>) {
        let (shared, older) = (self.shard.shared.clone(), self.older.take());
        let JoinCall { will, cursor, again, patient } = call;
        let request = JoinRequest { info, will, cursor, again, patient };
        self.begin_call(async move {
            if let Some(older) = older {
                shared.shards.end(*older, SessionEnd::Replaced).await;
            }
            CallAnswer::Joined(shared.backplane.join(&request).await)
        });
    }

    /// Fetches the frames of commands.
    pub fn fetch(&mut self, ids: Vec<CommandId>, info: Arc<SessionInfo>) {
        let shared = self.shard.shared.clone();
        self.begin_call(async move { CallAnswer::Fetched(shared.backplane.frames(&info.terminal, &ids).await.ok()) });
    }

    /// Takes the session out of the registry. Waits first for a call that is still to register the session: otherwise
    /// that call could register the session after the session has left.
    pub fn leave(&mut self, info: Arc<SessionInfo>, end: EndReport) {
        let (shared, before) = (self.shard.shared.clone(), self.call.take());
        self.begin_call(async move {
            if let Some(before) = before {
                // Nobody needs the answer: the session leaves whatever the answer is.
                let _ = time::timeout(JOIN_TIME, before.task).await;
            }
            shared.backplane.leave(&info, end).await;
            CallAnswer::Left
        });
    }

    /// Begins a call, whose answer comes as work of the shard.
    fn begin_call(&mut self, call: impl Future<Output = CallAnswer> + 'static) {
        let (work, key) = (self.shard.work.clone(), self.key);
        let number = work.new_call();
        let task = task::spawn_local(async move { work.push(SessionWork::Answer(key, number, call.await)) });
        self.call = Some(Call { number, task: AbortOnDropHandle::new(task) });
    }
}
