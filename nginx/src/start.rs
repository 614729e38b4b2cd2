//! The generation that a sidecar starts with, and how it comes to the Nginx that runs already or that it starts. What last ran is good
//! enough: an own file that is broken now, or a setting that Nginx does not take, keeps no proxy from serving and from following the nodes.

use std::time::Instant;

use crate::{
    config::Config,
    confirm::{confirm, running, serving},
    generations::Generations,
    membership::Members,
    nginx::{self, Nginx},
    own_files::OwnFiles,
    own_watch::OwnFilesWatch,
    ports::Ports,
    rollout::Rollout,
    template::render,
};

/// What to start with.
struct Beginning {
    generation: u64,
    /// Why it is not the one that the settings and own files of now make.
    error: Option<anyhow::Error>,
    /// It is what runs already and was made for other settings.
    outdated: bool,
}

/// Starts or finds Nginx, and brings it to the current generation, which is made from `members` if there is none that it can run. The
/// members that are served then.
pub async fn start(config: Config, ports: Ports, members: &Members) -> anyhow::Result<(Rollout, Members)> {
    let generations = Generations::new(&config.dir)?;
    let own = OwnFiles::read(&config);
    let mut chosen = choose(&config, &generations, ports, members, &own).await?;
    generations.switch(chosen.generation)?;
    let nginx = Nginx::take(config.clone(), generations.current_file(), ports.listen).await?;
    if !chosen.outdated && running(ports.control).await.ok() != Some(chosen.generation) {
        let confirmed = confirm_start(&nginx, ports, chosen.generation).await;
        let ran = running(ports.control).await.ok().filter(|ran| nginx.is_found() && generations.path(*ran).exists());
        match (confirmed, ran) {
            (Ok(()), _) => {}
            (Err(error), None) => return Err(error),
            (Err(error), Some(ran)) => {
                generations.switch(ran)?;
                chosen = Beginning { generation: ran, error: Some(error), outdated: true };
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
    Ok((Rollout::new(config, ports, generations, watch, nginx), served))
}

/// The current generation if nothing has changed; or a new one; or, if Nginx does not take that, the newest that it takes with its own copy
/// of the operator's files; or the one that runs.
async fn choose(
    config: &Config,
    generations: &Generations,
    ports: Ports,
    members: &Members,
    own: &anyhow::Result<OwnFiles>,
) -> anyhow::Result<Beginning> {
    let as_configured = |generation| Beginning { generation, error: None, outdated: false };
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
            return Ok(Beginning { generation, error: Some(error), outdated: false });
        }
    }
    match current.filter(|_| nginx::running(config).is_some()) {
        Some(generation) => Ok(Beginning { generation, error: Some(error), outdated: true }),
        None => Err(error),
    }
}

/// Whether a generation was made for these settings. One that was made for others would serve elsewhere, or tell its generation elsewhere.
fn is_for(config: &Config, generations: &Generations, ports: Ports, generation: u64) -> anyhow::Result<bool> {
    Ok(generations.is(generation, &render(config, ports, generation, &generations.members(generation))?))
}

/// Makes a new generation of the nodes that the current one has, or of `members` if it has none.
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
    nginx::check(config, &generations.path(generation).join("nginx.conf")).await
}

/// An Nginx that was found may run an older generation than its sidecar left as the current one, or than was just made.
async fn confirm_start(nginx: &Nginx, ports: Ports, generation: u64) -> anyhow::Result<()> {
    let old = if nginx.is_found() { serving(nginx) } else { Vec::new() };
    if nginx.is_found() {
        nginx.reload()?;
    }
    confirm(nginx, ports.control, generation, &old).await
}
