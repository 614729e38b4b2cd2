//! Makes a rollout: counts the targets, asks, makes it once, and follows it if that is wanted.

use anyhow::ensure;
use hyper::Method;
use muster_protocol::{
    RolloutId,
    api::{AdvanceRule, DryRun, RolloutCommand, RolloutRequest, RolloutView, StopRule},
};
use serde_json::json;
use uuid::Uuid;

use super::{
    follow::{self, FollowedRollout},
    show::line,
};
use crate::{
    api::{ApiError, ClusterApi},
    cli::RolloutCreate,
    exit::Exit,
    follow::interrupt,
    send::{Acceptance, accept, confirm, payload, reach_of, target},
    text::{Printer, confirmed, note, one_line},
};

/// Makes a rollout.
pub async fn create(api: &ClusterApi, out: &Printer, flags: RolloutCreate) -> anyhow::Result<Exit> {
    match create_requested(api, out, &flags).await {
        Err(error) if error.downcast_ref::<ApiError>().is_some_and(ApiError::is_conflict) => {
            note(&one_line(&format!("{error:#}")));
            Ok(Exit::NoneOnline)
        }
        done => done,
    }
}

async fn create_requested(api: &ClusterApi, out: &Printer, flags: &RolloutCreate) -> anyhow::Result<Exit> {
    let asked = request(flags)?;
    let online = if flags.wait.is_some() || !flags.yes { Some(count(api, &asked).await?) } else { None };
    if let Some(count) = online.filter(|_| !flags.yes) {
        let (waves, name) = (asked.waves.len(), one_line(&asked.command.name));
        let question = format!("Roll {name} out to {} in {waves} waves?", reach_of(&asked.target, &count));
        ensure!(confirmed(&question), "nothing was sent");
    }
    let key = flags.idempotency_key.clone().unwrap_or_else(|| Uuid::now_v7().to_string());
    let (body, mut interrupt) = (serde_json::to_string(&asked)?, interrupt()?);
    let answer = match accept(api, "/v1/rollouts", &body, &key, &mut interrupt).await? {
        Acceptance::Answered(answer) => answer,
        Acceptance::InPart(_) => anyhow::bail!("the node answered as to a command"),
        Acceptance::Unknown(exit) => return Ok(exit),
    };
    let made: RolloutView = answer.read()?;
    if let Some(wait) = flags.wait {
        let someone_online = online.is_none_or(|count| count.online > 0);
        let rollout: RolloutId = made.id;
        return follow::to_the_end(
            api,
            out,
            FollowedRollout { rollout, wait, someone_online, was_sent: true, interrupt },
        )
        .await;
    }
    out.either(&answer.text(), || line(&made))?;
    note(&format!("muster rollout show {} --wait follows it", made.id));
    Ok(Exit::Done)
}

/// Returns how many terminals the rollout would be for now.
async fn count(api: &ClusterApi, asked: &RolloutRequest) -> anyhow::Result<DryRun> {
    let body = json!({ "target": asked.target, "name": asked.command.name }).to_string();
    Ok(api.send(Method::POST, "/v1/commands?dry_run=1", body, None).await?.read()?)
}

fn request(flags: &RolloutCreate) -> anyhow::Result<RolloutRequest> {
    let (advance, stop) = (AdvanceRule::default(), StopRule::default());
    Ok(RolloutRequest {
        target: target(&flags.targets),
        command: RolloutCommand {
            name: flags.what.name.clone(),
            payload: payload(&flags.what)?,
            confirm: confirm(flags.confirm),
            expires_in: flags.expires_in,
            stagger: flags.stagger.unwrap_or_default(),
        },
        waves: flags.waves.clone(),
        advance: AdvanceRule {
            succeeded: flags.succeeded.unwrap_or(advance.succeeded),
            within: flags.within.unwrap_or(advance.within),
        },
        stop: StopRule {
            failed: flags.max_failed.unwrap_or(stop.failed),
            silent: flags.max_silent.unwrap_or(stop.silent),
            minimum: flags.minimum.unwrap_or(stop.minimum),
        },
        start_at: flags.start_at,
        window: flags.window.clone(),
    })
}
