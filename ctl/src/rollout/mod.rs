//! Rollouts: commands that go out in waves.

mod create;
mod follow;
mod show;

use crate::{api::ClusterApi, cli::RolloutVerb, exit::Exit, text::Printer};

/// Does what is asked of rollouts.
pub async fn run(api: &ClusterApi, out: &Printer, verb: RolloutVerb) -> anyhow::Result<Exit> {
    match verb {
        RolloutVerb::Create(create) => create::create(api, out, *create).await,
        RolloutVerb::Ls { limit } => show::list(api, out, limit).await,
        RolloutVerb::Show { rollout, wait: None } => show::show(api, out, rollout).await,
        RolloutVerb::Show { rollout, wait: Some(wait) } => follow::watch(api, out, rollout, wait).await,
        RolloutVerb::Pause { rollout } => show::change(api, out, rollout, "pause").await,
        RolloutVerb::Stop { rollout } => show::change(api, out, rollout, "stop").await,
        RolloutVerb::Resume { rollout, wait } => {
            let resumed = show::change(api, out, rollout, "resume").await?;
            match wait {
                Some(wait) => follow::watch(api, out, rollout, wait).await,
                None => Ok(resumed),
            }
        }
    }
}
