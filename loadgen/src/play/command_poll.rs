//! Polls the API for a command to one terminal until the API shows its ack and its result. So the recorded times are
//! only as exact as the pauses between polls, which the report states.

use std::{sync::Arc, time::Duration};

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::{sleep, timeout};

use super::api::Api;
use crate::{clock::Nanos, journal::Journal};

/// The pause before the first poll. Each later pause is 1.5 times as long as the one before.
const PAUSE: Duration = Duration::from_millis(5);
/// How long one poll may take.
const WITHIN: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct CommandStatus {
    counts: Map<String, Value>,
}

/// Polls the state of the command `id` until the command has ended, the API does not know it, or the time `until`
/// has come. Records in the journal when the API first showed the ack and the result. Failed polls are repeated.
pub async fn poll(api: Arc<Api>, message: usize, id: String, until: Nanos, journal: Arc<Journal>) {
    let mut pause = PAUSE;
    let path = format!("/v1/commands/{id}");
    loop {
        let now = journal.clock.now();
        if now >= until {
            return;
        }
        // The last poll is exactly at the end of the time.
        sleep(pause.min(Duration::from_nanos(until - now))).await;
        pause = pause.mul_f64(1.5);
        let Ok(Ok((status, body))) = timeout(WITHIN, api.get(&path)).await else { continue };
        if status == StatusCode::NOT_FOUND {
            return;
        }
        let Ok(view) = serde_json::from_slice::<CommandStatus>(&body) else { continue };
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
