//! Does the work of commands, and sends what became of them.

use std::{sync::Arc, time::Duration};

use muster_client::Terminal;
use muster_protocol::{
    CommandId, Payload,
    frame::{FromTerminal, NotRun, ResultFrame},
};
use serde_json::Value;
use tokio::time;

use crate::{allowed::NotAllowed, update::record::UpdateEnd, work::Work};

/// How long the last results may take on their way; and how long one report of health or of progress may.
pub const SENDING: Duration = Duration::from_secs(2);

/// Does the work of a command, and sends its progress and its result.
pub async fn carry_out(terminal: Arc<Terminal>, id: CommandId, work: Work) {
    let end = work.run(|report| send_progress(terminal.clone(), id, report)).await;
    tracing::info!(%id, succeeded = end.succeeded, "ended");
    send(terminal, ResultFrame { id, ok: end.succeeded, reason: None, payload: Payload::from_value(&end.reply) }).await;
}

/// Sends a report of progress. Drops it if there is no room for it soon: a later report says more.
pub async fn send_progress(terminal: Arc<Terminal>, id: CommandId, report: Value) {
    let _ = time::timeout(SENDING, terminal.progress(id, Payload::from_value(&report))).await;
}

/// Sends a result once there is room for it.
pub async fn send(terminal: Arc<Terminal>, result: ResultFrame) {
    let id = result.id;
    if let Err(error) = terminal.send(FromTerminal::Result(result)).await {
        tracing::warn!(%id, "a result was not sent: {error}");
    }
}

/// Returns the result of a command that is not run.
pub fn rejection(id: CommandId, why: &NotAllowed) -> ResultFrame {
    ResultFrame { id, ok: false, reason: Some(NotRun::Rejected), payload: Payload::from_text(&why.0) }
}

/// Returns the result of an update.
pub fn update_result(end: &UpdateEnd) -> ResultFrame {
    ResultFrame { id: end.command, ok: end.succeeded, reason: None, payload: Payload::from_value(&end.reply) }
}
