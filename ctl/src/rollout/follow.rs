//! Follows a rollout until it ends, and says what became of it.

use std::time::Duration;

use hyper::Method;
use muster_protocol::{
    RolloutId,
    api::{RolloutState, RolloutView, TargetState},
};
use tokio::{
    signal::unix::Signal,
    time::{Instant, sleep},
};

use super::show::{described, line};
use crate::{
    api::{ApiAnswer, ApiError, ClusterApi},
    exit::Exit,
    follow::interrupt,
    text::{Printer, ProgressLine, note, one_line},
};

/// The wait between two looks at a rollout.
const WAIT: Duration = Duration::from_secs(1);
/// How long a node may be away while a rollout is followed.
const AWAY_MAX: Duration = Duration::from_secs(60);

/// A rollout that is followed.
#[derive(Debug)]
pub struct FollowedRollout {
    /// The rollout.
    pub rollout: RolloutId,
    /// How long to follow it at most.
    pub wait: Duration,
    /// Whether one of its targets was online when it was made.
    pub someone_online: bool,
    /// Whether this call has made the rollout. An error later on then does not mean that nothing was done.
    pub was_sent: bool,
    /// Ctrl-C, which ends the call and not the rollout.
    pub interrupt: Signal,
}

/// Follows a rollout that was made before.
pub async fn watch(api: &ClusterApi, out: &Printer, rollout: RolloutId, wait: Duration) -> anyhow::Result<Exit> {
    let followed = FollowedRollout { rollout, wait, someone_online: true, was_sent: false, interrupt: interrupt()? };
    to_the_end(api, out, followed).await
}

/// Follows a rollout until it has ended, the wait is over or the call is interrupted. The rollout itself goes on.
pub async fn to_the_end(api: &ClusterApi, out: &Printer, mut followed: FollowedRollout) -> anyhow::Result<Exit> {
    let id = followed.rollout;
    let answer = tokio::select! {
        answer = look_on(api, id, followed.wait) => answer,
        _ = followed.interrupt.recv() => {
            note(&format!("interrupted; the rollout goes on: {id}. muster rollout show {id} --wait follows it"));
            return Ok(Exit::Interrupted);
        }
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if followed.was_sent => {
            note(&one_line(&format!("the rollout was made ({id}), and what became of it can't be seen: {error}")));
            return Ok(Exit::TimedOut);
        }
        Err(error) => return Err(error.into()),
    };
    let rollout: RolloutView = answer.read()?;
    out.either(&answer.text(), || described(&rollout))?;
    if !rollout.state.is_final() {
        note(&format!("not ended yet; muster rollout show {id} --wait goes on"));
    }
    Ok(outcome(&rollout, followed.someone_online))
}

/// Looks at a rollout until it has ended or the wait is over. Returns the last look.
async fn look_on(api: &ClusterApi, id: RolloutId, limit: Duration) -> Result<ApiAnswer, ApiError> {
    let (began, mut answered, mut progress) = (Instant::now(), Instant::now(), ProgressLine::new());
    loop {
        match api.call(Method::GET, &format!("/v1/rollouts/{id}")).await {
            Ok(answer) => {
                let rollout: RolloutView = answer.read()?;
                if rollout.state.is_final() || began.elapsed() >= limit {
                    return Ok(answer);
                }
                answered = Instant::now();
                progress.say(&line(&rollout));
            }
            Err(error) if error.is_passing() && answered.elapsed() < AWAY_MAX && began.elapsed() < limit => {
                progress.say(&error.to_string());
            }
            Err(error) => return Err(error),
        }
        sleep(WAIT.min(limit.saturating_sub(began.elapsed()))).await;
    }
}

/// Returns the exit for a rollout that is not followed any more. What terminals said comes first.
fn outcome(rollout: &RolloutView, someone_online: bool) -> Exit {
    let waves = rollout.waves.iter().flatten();
    let has = |states: &[TargetState]| {
        let of_wave =
            |wave: &muster_protocol::api::WaveView| states.iter().any(|state| wave.counts.contains_key(state));
        waves.clone().any(of_wave)
    };
    let reached = [TargetState::Sent, TargetState::Acked, TargetState::Running, TargetState::Succeeded];
    if rollout.state == RolloutState::Stopped
        || has(&[TargetState::Failed, TargetState::Rejected, TargetState::Cancelled])
    {
        Exit::SomeFailed
    } else if rollout.targets == Some(0) || !someone_online && !has(&reached) {
        Exit::NoneOnline
    } else if rollout.state != RolloutState::Done
        || has(&[TargetState::Queued, TargetState::Expired, TargetState::TimedOut])
        || waves.clone().any(|wave| wave.skipped > 0)
    {
        Exit::TimedOut
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(state: &str, counts: &str, someone_online: bool) -> Exit {
        let json = format!(
            r#"{{"id":"0198c0de-0000-7000-8000-000000000001","name":"x","state":"{state}","reason":null,"targets":2,"unsent":0,"wave":1,"of":1,
            "by":null,"created_at":"2026-01-01T00:00:00Z","started_at":null,"ended_at":null,
            "waves":[{{"targets":2,"unsent":0,"skipped":0,"counts":{counts},"began_at":null,"commands":[]}}]}}"#
        );
        outcome(&serde_json::from_str(&json).unwrap(), someone_online)
    }

    #[test]
    fn an_outcome_goes_by_what_is_worst() {
        assert_eq!(ended("done", r#"{"acked":2}"#, true), Exit::Done);
        assert_eq!(ended("done", r#"{"succeeded":1,"failed":1}"#, true), Exit::SomeFailed);
        assert_eq!(ended("stopped", r#"{"acked":2}"#, true), Exit::SomeFailed);
        assert_eq!(ended("done", r#"{"acked":1,"expired":1}"#, true), Exit::TimedOut);
        assert_eq!(ended("running", r#"{"acked":1,"queued":1}"#, true), Exit::TimedOut);
        assert_eq!(ended("paused", r#"{"queued":2}"#, false), Exit::NoneOnline);
    }
}
