//! Follows a command until it is done, and says what became of it.

use std::time::Duration;

use hyper::Method;
use muster_protocol::{
    CommandId,
    api::{CommandState, CommandView, TargetPage, TargetState},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};

use crate::{
    api::{ApiAnswer, ApiError, ClusterApi},
    cli::Patience,
    exit::Exit,
    text::{Printer, ProgressLine, count, note, one_line, states, word},
};

/// The wait before the second look at a command. Each wait is longer by half, up to the longest one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two looks.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// How long a node may be away while a command is followed.
const AWAY_MAX: Duration = Duration::from_secs(60);
/// The most terminals that are named for each state that is no success.
const NAMED_MAX: usize = 10;

/// A command that is followed.
#[derive(Debug)]
pub struct Followed {
    /// The command.
    pub command: CommandId,
    /// How long to follow it at most.
    pub wait: Duration,
    /// Whether one of its targets was online when it was sent.
    pub someone_online: bool,
    /// Whether this call has sent the command. An error later on then does not mean that nothing was done.
    pub was_sent: bool,
    /// Ctrl-C. It must not kill the process once the command is sent.
    pub interrupt: Signal,
}

/// Returns the signal of Ctrl-C, which does not end the process any more.
///
/// # Errors
/// If the system has no room for a handler.
pub fn interrupt() -> anyhow::Result<Signal> {
    Ok(signal(SignalKind::interrupt())?)
}

/// Follows a command that was sent before.
pub async fn watch(api: &ClusterApi, out: &Printer, command: CommandId, patience: Patience) -> anyhow::Result<Exit> {
    to_the_end(
        api,
        out,
        Followed { command, wait: patience.patience, someone_online: true, was_sent: false, interrupt: interrupt()? },
    )
    .await
}

/// Follows a command until it is done, the wait is over or the call is interrupted. The command itself goes on.
pub async fn to_the_end(api: &ClusterApi, out: &Printer, mut followed: Followed) -> anyhow::Result<Exit> {
    let id = followed.command;
    let answer = tokio::select! {
        answer = look_on(api, id, followed.wait) => answer,
        _ = followed.interrupt.recv() => {
            note(&format!("interrupted; the command goes on: {id}. muster watch {id} follows it"));
            return Ok(Exit::Interrupted);
        }
    };
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if followed.was_sent => {
            note(&one_line(&format!("the command was sent ({id}), and what became of it can't be seen: {error}")));
            return Ok(Exit::TimedOut);
        }
        Err(error) => return Err(error.into()),
    };
    let command: CommandView = answer.read()?;
    out.either(&answer.text(), || format!("{id} {}: {}", word(&command.state), states(&command)))?;
    if !out.is_json() {
        tokio::select! {
            named = name_those_without_success(api, out, &command) => named?,
            _ = followed.interrupt.recv() => {}
        }
    }
    if command.state == CommandState::Open {
        note(&format!("not done yet; muster watch {id} goes on"));
    }
    Ok(outcome(&command, followed.someone_online))
}

/// Looks at a command until it is done or the wait is over. Returns the last look.
async fn look_on(api: &ClusterApi, id: CommandId, limit: Duration) -> Result<ApiAnswer, ApiError> {
    let (began, mut answered, mut wait) = (Instant::now(), Instant::now(), FIRST_WAIT);
    let mut progress = ProgressLine::new();
    loop {
        match api.call(Method::GET, &format!("/v1/commands/{id}")).await {
            Ok(answer) => {
                let command: CommandView = answer.read()?;
                if command.state != CommandState::Open || began.elapsed() >= limit {
                    return Ok(answer);
                }
                answered = Instant::now();
                progress.show(&command);
            }
            Err(error) if error.is_passing() && answered.elapsed() < AWAY_MAX && began.elapsed() < limit => {
                progress.say(&error.to_string());
            }
            Err(error) => return Err(error),
        }
        sleep(wait.min(limit.saturating_sub(began.elapsed())).max(FIRST_WAIT)).await;
        wait = (wait * 3 / 2).min(WAIT_MAX);
    }
}

/// Returns the exit for a command that is not followed any more. What terminals said comes first.
fn outcome(command: &CommandView, someone_online: bool) -> Exit {
    let has = |states: &[TargetState]| states.iter().any(|state| command.counts.get(state).is_some_and(|n| *n > 0));
    let reached = [TargetState::Sent, TargetState::Acked, TargetState::Running, TargetState::Succeeded];
    if has(&[TargetState::Failed, TargetState::Rejected, TargetState::Cancelled]) {
        Exit::SomeFailed
    } else if command.targets == 0 || !someone_online && !has(&reached) {
        Exit::NoneOnline
    } else if has(&[TargetState::Expired, TargetState::TimedOut]) || command.state == CommandState::Open {
        Exit::TimedOut
    } else {
        Exit::Done
    }
}

/// Names terminals that did not do the command, some of each state.
async fn name_those_without_success(api: &ClusterApi, out: &Printer, command: &CommandView) -> anyhow::Result<()> {
    let unsuccessful = [
        TargetState::Failed,
        TargetState::Rejected,
        TargetState::TimedOut,
        TargetState::Expired,
        TargetState::Cancelled,
    ];
    for state in unsuccessful {
        let Some(number) = command.counts.get(&state).filter(|number| **number > 0) else { continue };
        let path = format!("/v1/commands/{}/targets?state={}&limit={NAMED_MAX}", command.id, state.name());
        let page: TargetPage = match api.get(&path).await {
            Ok(page) => page,
            // The counts are known, and the exit code goes by them.
            Err(error) => {
                note(&one_line(&format!("the terminals can't be named: {error}")));
                return Ok(());
            }
        };
        for target in &page.targets {
            let payload = Some(target.payload.as_json()).filter(|payload| *payload != "null").unwrap_or_default();
            out.print(&one_line(format!("  {} {}  {payload}", state.name(), target.terminal).trim_end()))?;
        }
        let unnamed = number.saturating_sub(page.targets.len() as u64);
        if unnamed > 0 {
            out.print(&format!("  {} and {} more", state.name(), count(unnamed, "terminal")))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(state: CommandState, counts: &[(TargetState, u64)], someone_online: bool) -> Exit {
        let json = r#"{"id":"0198c0de-0000-7000-8000-000000000001","name":"show","state":"open","targets":0,"counts":{},
            "created_at":"2026-01-01T00:00:00Z","expires_at":"2026-01-01T00:01:00Z"}"#;
        let command: CommandView = serde_json::from_str(json).unwrap();
        let targets = counts.iter().map(|(_, number)| number).sum();
        outcome(&CommandView { state, targets, counts: counts.iter().copied().collect(), ..command }, someone_online)
    }

    #[test]
    fn an_outcome_goes_by_what_is_worst() {
        use CommandState::{Done, Open};
        use TargetState::{Acked, Expired, Failed, Queued, Rejected, Sent, TimedOut};
        assert_eq!(ended(Done, &[(Acked, 3)], true), Exit::Done);
        assert_eq!(ended(Done, &[(Sent, 1)], true), Exit::Done);
        assert_eq!(ended(Done, &[(Acked, 3), (Rejected, 1), (Expired, 1)], true), Exit::SomeFailed);
        assert_eq!(ended(Done, &[(Failed, 1)], false), Exit::SomeFailed);
        assert_eq!(ended(Done, &[(Acked, 1), (TimedOut, 1)], true), Exit::TimedOut);
        assert_eq!(ended(Done, &[(Expired, 1)], true), Exit::TimedOut);
        assert_eq!(ended(Open, &[(Acked, 1), (Queued, 1)], true), Exit::TimedOut);
        assert_eq!(ended(Done, &[(Expired, 2)], false), Exit::NoneOnline);
        assert_eq!(ended(Open, &[(Queued, 2)], false), Exit::NoneOnline);
        assert_eq!(ended(Done, &[], true), Exit::NoneOnline);
    }
}
