//! Pauses, resumes and stops a rollout.

use hyper::{Response, StatusCode};
use jiff::Timestamp;
use muster_protocol::api::RolloutState;

use super::{find, rollout_id, view};
use crate::{
    backplane::{BackplaneError, RolloutChange, RolloutRecord},
    http::{
        HttpState,
        answer::{Answer, Body, json, later, problem},
        call::ApiCall,
        reach,
    },
};

/// The most attempts to replace a record that others replace at the same time.
const ATTEMPTS: u32 = 8;

/// What an operator has a rollout do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WantedChange {
    /// Nothing is sent any more until it is resumed.
    Pause,
    /// It goes on.
    Resume,
    /// It ends, and what was not sent is cancelled.
    Stop,
}

/// `POST /v1/rollouts/{id}/pause`, `/resume` and `/stop`. A rollout that is as wanted stays as it is.
pub async fn change(id: &str, wanted: WantedChange, call: &ApiCall<'_>, state: &HttpState) -> Answer {
    let id = rollout_id(id)?;
    for _ in 0..ATTEMPTS {
        let stored = find(id, state).await?;
        reach::check_name(&stored.record.request.command.name, &call.operator.limits)?;
        let changed = changed(&stored.record, wanted, &call.operator.name, Timestamp::now())?;
        let Some(record) = changed else { return Ok(json(StatusCode::OK, &view::full(&stored.record, state).await?)) };
        let change = RolloutChange { record: &record, revision: stored.revision, targets: &[], is_told: true };
        if state.shared.backplane.save_rollout(change).await? {
            let view = view::full(&record, state).await.map_err(BackplaneError::after_a_change)?;
            return Ok(json(StatusCode::OK, &view));
        }
    }
    Err(later(StatusCode::SERVICE_UNAVAILABLE, 1, "the rollout is changed by others at the same time; try again"))
}

/// The record after the change. None if it is as wanted.
fn changed(
    record: &RolloutRecord,
    wanted: WantedChange,
    by: &str,
    now: Timestamp,
) -> Result<Option<RolloutRecord>, Response<Body>> {
    use RolloutState::{Done, Paused, Running, Scheduled, Stopped, WaitingWindow};
    let author = if by.is_empty() { "an operator" } else { by };
    let (state, reason) = match (wanted, record.state) {
        (WantedChange::Pause, Paused)
        | (WantedChange::Resume, Scheduled | Running | WaitingWindow)
        | (WantedChange::Stop, Stopped) => {
            return Ok(None);
        }
        (_, Stopped | Done) => {
            let state = record.state.name();
            let detail = format!("the rollout is {state}, and does not go on; make a new one for those that lack it");
            return Err(problem(StatusCode::CONFLICT, detail));
        }
        (WantedChange::Pause, _) => (Paused, Some(format!("paused by {author}"))),
        (WantedChange::Resume, _) => (if record.started_at.is_some() { Running } else { Scheduled }, None),
        (WantedChange::Stop, _) => (Stopped, Some(format!("stopped by {author}"))),
    };
    let ended_at = (state == Stopped).then_some(now);
    Ok(Some(RolloutRecord { state, reason, ended_at, ..record.clone() }))
}

#[cfg(test)]
mod tests {
    use muster_protocol::RolloutId;

    use super::*;

    fn record(state: RolloutState) -> RolloutRecord {
        let request = r#"{"target":{"all":true},"command":{"name":"x"},"waves":[{"rest":true}]}"#;
        let id = RolloutId(uuid::Uuid::from_u128(1));
        let record = RolloutRecord::new(id, serde_json::from_str(request).unwrap(), "ann", Timestamp::UNIX_EPOCH);
        RolloutRecord { state, ..record }
    }

    /// The state after a change; None if there is none, and the status of a refusal.
    fn after(wanted: WantedChange, state: RolloutState) -> Result<Option<RolloutState>, u16> {
        let changed = changed(&record(state), wanted, "bob", Timestamp::UNIX_EPOCH);
        changed.map(|record| record.map(|record| record.state)).map_err(|refusal| refusal.status().as_u16())
    }

    #[test]
    fn a_rollout_is_paused_resumed_and_stopped_until_it_has_ended() {
        use RolloutState::{Done, Paused, Running, Scheduled, Stopped, WaitingWindow};
        let all = |wanted| [Scheduled, Running, WaitingWindow, Paused, Stopped, Done].map(|state| after(wanted, state));
        let (paused, stopped) = (Ok(Some(Paused)), Ok(Some(Stopped)));
        assert_eq!(all(WantedChange::Pause), [paused, paused, paused, Ok(None), Err(409), Err(409)]);
        let resumed = [Ok(None), Ok(None), Ok(None), Ok(Some(Scheduled)), Err(409), Err(409)];
        assert_eq!(all(WantedChange::Resume), resumed);
        assert_eq!(all(WantedChange::Stop), [stopped, stopped, stopped, stopped, Ok(None), Err(409)]);
        let started = RolloutRecord { started_at: Some(Timestamp::UNIX_EPOCH), ..record(Paused) };
        let resumed = changed(&started, WantedChange::Resume, "bob", Timestamp::UNIX_EPOCH).ok().flatten().unwrap();
        assert_eq!((resumed.state, resumed.reason), (Running, None));
    }
}
