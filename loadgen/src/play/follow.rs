//! Follows a command to one terminal until the server shows its ack and its result. By asking again and again: so these times are
//! as coarse as the pauses, which the report says.

use std::{sync::Arc, time::Duration};

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::sleep;

use super::api::Api;
use crate::{clock::Nanos, journal::Journal};

/// The first pause; each is half longer than the one before.
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Deserialize)]
struct View {
    counts: Map<String, Value>,
}

/// Asks until it ended, or this time has come.
pub async fn follow(api: Arc<Api>, message: usize, id: String, until: Nanos, journal: Arc<Journal>) {
    let mut pause = PAUSE;
    let path = format!("/v1/commands/{id}");
    while journal.clock.now() < until {
        sleep(pause).await;
        pause = pause.mul_f64(1.5);
        let Ok((status, body)) = api.get(&path).await else { continue };
        if status == StatusCode::NOT_FOUND {
            return;
        }
        let Ok(view) = serde_json::from_slice::<View>(&body) else { continue };
        let now = journal.clock.now();
        let has = |states: &[&str]| states.iter().any(|state| view.counts.get(*state).is_some_and(|n| n != 0));
        let mut sent = journal.sent(message);
        let Some(sent) = sent.as_mut() else { return };
        let done = has(&["succeeded", "failed", "rejected"]);
        if sent.acked.is_none() && (done || has(&["acked", "running"])) {
            sent.acked = Some(now);
        }
        if done {
            sent.done = Some(now);
            return;
        }
        if has(&["expired", "cancelled", "timed_out"]) {
            return;
        }
    }
}
