//! Chooses the generation that a sidecar starts with, and brings Nginx to it. If Nginx does not accept the settings or
//! the operator's own files as they are now, the sidecar starts with a generation that ran before, follows the nodes,
//! and tries again later.

use std::time::Instant;

use crate::{
    activation::{Activation, ActiveGeneration},
    check,
    config::Config,
    confirm::{confirm, running, serving},
    generations::Generations,
    membership::Members,
    nginx::{self, Nginx},
    own_files::OwnFiles,
    own_watch::OwnFilesWatch,
    ports::Ports,
    resolve::describe,
    template::render,
};

/// The generation to start with.
struct StartChoice {
    generation: u64,
    /// Why the generation is not made from the current settings and own files.
    error: Option<anyhow::Error>,
    /// Whether Nginx runs the generation already, and it was made for other settings.
    outdated: bool,
}

/// Finds or starts Nginx and brings it to a generation: the current one, or a new one with these `members` if there is
/// none. Returns the members that are served. An error if Nginx does not run and accepts no generation.
pub async fn start(config: Config, ports: Ports, members: &Members) -> anyhow::Result<(Activation, Members)> {
    let generations = Generations::new(&config.dir)?;
    let own = OwnFiles::read(&config);
    let mut chosen = choose(&config, &generations, ports, members, &own).await?;
    generations.switch(chosen.generation)?;
    let nginx = Nginx::find_or_start(config.clone(), generations.current_file(), ports.listen).await?;
    if let Ok(version) = describe(&config, "-v").await {
        tracing::info!("{version}");
    }
    if !chosen.outdated && running(ports.control).await.ok() != Some(chosen.generation) {
        let confirmed = confirm_start(&nginx, ports, chosen.generation).await;
        let ran = running(ports.control).await.ok().filter(|ran| nginx.is_found() && generations.path(*ran).exists());
        match (confirmed, ran) {
            (Ok(()), _) => {}
            (Err(error), None) => return Err(error),
            (Err(error), Some(ran)) => {
                generations.switch(ran)?;
                chosen = StartChoice { generation: ran, error: Some(error), outdated: true };
            }
        }
    }
    let mut watch = OwnFilesWatch::default();
    if chosen.outdated {
        watch.outdated();
    }
    if let Some(error) = &chosen.error {
        tracing::error!(
            "Nginx goes on with generation {}, since what is configured now can't be used: {error:#}",
            chosen.generation
        );
        watch.refused(own.ok(), error, Instant::now());
    }
    let served = generations.members(chosen.generation);
    Ok((Activation { active: ActiveGeneration::new(config, ports, generations, nginx), own: watch }, served))
}

/// Returns the current generation if nothing has changed, and otherwise a new one. If Nginx does not accept the new
/// one, returns the newest generation that it accepts, with its own copy of the operator's files; or the one that runs.
async fn choose(
    config: &Config,
    generations: &Generations,
    ports: Ports,
    members: &Members,
    own: &anyhow::Result<OwnFiles>,
) -> anyhow::Result<StartChoice> {
    let as_configured = |generation| StartChoice { generation, error: None, outdated: false };
    let current = generations.current();
    let error = match own {
        Err(error) => anyhow::anyhow!("{error:#}"),
        Ok(own) => {
            if let Some(current) = current
                && is_for(config, generations, ports, current)?
                && generations.own_files(current).as_ref() == Some(own)
                && check(config, generations, current).await.is_ok()
            {
                return Ok(as_configured(current));
            }
            match make(config, generations, ports, members, own).await {
                Ok(generation) => return Ok(as_configured(generation)),
                Err(error) => error,
            }
        }
    };
    for generation in current.into_iter().chain(generations.all()) {
        if is_for(config, generations, ports, generation)? && check(config, generations, generation).await.is_ok() {
            return Ok(StartChoice { generation, error: Some(error), outdated: false });
        }
    }
    match current.filter(|_| nginx::running(config).is_some()) {
        Some(generation) => Ok(StartChoice { generation, error: Some(error), outdated: true }),
        None => Err(error),
    }
}

/// Returns whether a generation was made for these settings. Another one would listen elsewhere.
fn is_for(config: &Config, generations: &Generations, ports: Ports, generation: u64) -> anyhow::Result<bool> {
    Ok(generations.is(generation, &render(config, ports, generation, &generations.members(generation))?))
}

/// Writes and checks a new generation with the nodes of the current one, or with `members` if it has none.
async fn make(
    config: &Config,
    generations: &Generations,
    ports: Ports,
    members: &Members,
    own: &OwnFiles,
) -> anyhow::Result<u64> {
    let known = generations.current().map(|current| generations.members(current)).unwrap_or_default();
    let members = if known.is_empty() { members } else { &known };
    let generation = generations.next();
    generations.write(generation, &render(config, ports, generation, members)?, own)?;
    check(config, generations, generation).await?;
    Ok(generation)
}

async fn check(config: &Config, generations: &Generations, generation: u64) -> anyhow::Result<()> {
    check::check(config, &generations.path(generation).join("nginx.conf")).await
}

/// Brings Nginx to the generation, and waits for its confirmation. An Nginx that was found may run an older one.
async fn confirm_start(nginx: &Nginx, ports: Ports, generation: u64) -> anyhow::Result<()> {
    let old = if nginx.is_found() { serving(nginx) } else { Vec::new() };
    if nginx.is_found() {
        nginx.reload()?;
    }
    confirm(nginx, ports.control, generation, &old).await
}
