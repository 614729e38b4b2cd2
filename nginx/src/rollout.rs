//! How a set of nodes becomes what Nginx runs: written into a generation of its own, checked by `nginx -t`, switched to, reloaded, and
//! confirmed by reading the generation back; or the generation before is put back.
//!
//! What fails may fail for the set, for the operator's own files, or for a reason from outside, such as a full disk. A set is therefore
//! never given up: whoever calls this tries again (see [`retry`](crate::retry)). New own files are to blame if Nginx takes the same set with
//! the copy of them that it runs with.

use std::time::Instant;

use crate::{
    config::Config,
    confirm::{confirm, serving},
    generations::Generations,
    membership::Members,
    nginx::{Nginx, check},
    own_files::OwnFiles,
    own_watch::OwnFilesWatch,
    ports::Ports,
    template::{nodes, render},
};

/// What became of a set.
#[derive(Debug)]
pub enum RolloutOutcome {
    /// It is served.
    Confirmed,
    /// Its files could not be written; nothing was changed.
    NotWritten(anyhow::Error),
    /// `nginx -t` did not accept its files; nothing was changed.
    Refused(anyhow::Error),
    /// Nginx did not come to run it; the generation before was put back.
    RolledBack {
        /// Why.
        error: anyhow::Error,
        /// The master did take it, so that workers were left behind.
        reloaded: bool,
    },
}

impl RolloutOutcome {
    /// The value of the metric's label.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::NotWritten(_) => "not_written",
            Self::Refused(_) => "refused",
            Self::RolledBack { .. } => "rolled_back",
        }
    }

    /// Why it is not served, if it is not.
    pub fn error(&self) -> Option<&anyhow::Error> {
        match self {
            Self::Confirmed => None,
            Self::NotWritten(error) | Self::Refused(error) | Self::RolledBack { error, .. } => Some(error),
        }
    }
}

/// Rolls sets out to one Nginx.
pub struct Rollout {
    config: Config,
    /// Where it listens.
    pub ports: Ports,
    generations: Generations,
    /// The operator's own files.
    own: OwnFilesWatch,
    /// The process.
    pub nginx: Nginx,
}

impl Rollout {
    /// With an Nginx that runs the current one of these generations.
    pub fn new(config: Config, ports: Ports, generations: Generations, own: OwnFilesWatch, nginx: Nginx) -> Self {
        Self { config, ports, generations, own, nginx }
    }

    /// Which generation is to be served.
    pub fn generation(&self) -> u64 {
        self.generations.current().unwrap_or_default()
    }

    /// The nodes that Nginx starts with.
    pub fn members(&self) -> Members {
        self.generations.members(self.generation())
    }

    /// Why own files, or settings, are to be applied now, if they are. Called now and then.
    pub fn own_files_changed(&mut self, now: Instant) -> Option<&'static str> {
        let running = self.generations.own_files(self.generation());
        self.own.look(&self.config, running.as_ref(), now)
    }

    /// What is wrong with the operator's own files, which are not those that Nginx runs with.
    pub fn own_files_error(&self) -> Option<&str> {
        self.own.error()
    }

    /// Serves these members from now on, or goes on as before.
    pub async fn apply(&mut self, members: &Members) -> RolloutOutcome {
        self.nginx.follow_upgrade();
        let before = self.generation();
        let outcome = self.apply_with_own_files(before, members).await;
        self.generations.prune();
        outcome
    }

    /// With the operator's own files as they are, or else with the copy that Nginx runs with, unless nothing but those files is new.
    async fn apply_with_own_files(&mut self, before: u64, members: &Members) -> RolloutOutcome {
        let (read, running) = (OwnFiles::read(&self.config), self.generations.own_files(before));
        let own = read.as_ref().ok().cloned();
        let other_members = *members != self.generations.members(before);
        let mut refusal = None;
        if !(other_members && running.is_some() && self.own.delays(&own, Instant::now())) {
            let outcome = match read {
                Ok(own) => self.roll_out(before, members, &own).await,
                Err(error) => RolloutOutcome::Refused(error),
            };
            match outcome {
                RolloutOutcome::Confirmed => {
                    self.own.applied(true);
                    return outcome;
                }
                RolloutOutcome::NotWritten(_) => return outcome,
                _ if own == running && other_members => return outcome,
                _ => refusal = Some(outcome),
            }
        }
        let second = match running {
            Some(running) if other_members => Some(self.roll_out(before, members, &running).await),
            _ => None,
        };
        match (refusal, second) {
            (refusal, Some(RolloutOutcome::Confirmed)) => {
                self.own.applied(false);
                self.blame_own_files(own, refusal.as_ref());
                RolloutOutcome::Confirmed
            }
            (_, Some(outcome)) => outcome,
            (Some(refusal), None) => {
                self.blame_own_files(own, Some(&refusal));
                refusal
            }
            (None, None) => unreachable!("with no copy the files themselves are tried"),
        }
    }

    fn blame_own_files(&mut self, own: Option<OwnFiles>, refusal: Option<&RolloutOutcome>) {
        if let Some(error) = refusal.and_then(RolloutOutcome::error) {
            tracing::error!("Nginx goes on with the snippets and the certificate of before: {error:#}");
            self.own.refused(own, error, Instant::now());
        }
    }

    async fn roll_out(&mut self, before: u64, members: &Members, own: &OwnFiles) -> RolloutOutcome {
        let next = self.generations.next();
        if let Err(error) = self.write(next, members, own) {
            self.generations.remove(next);
            return RolloutOutcome::NotWritten(error);
        }
        if let Err(error) = check(&self.config, &self.generations.path(next).join("nginx.conf")).await {
            return RolloutOutcome::Refused(error);
        }
        if let Err(error) = self.generations.switch(next) {
            self.generations.remove(next);
            return RolloutOutcome::NotWritten(error);
        }
        let old = serving(&self.nginx);
        match self.reload(next, &old).await {
            Ok(()) => RolloutOutcome::Confirmed,
            Err(error) => {
                let reloaded = serving(&self.nginx) != old;
                self.put_back(before, reloaded).await;
                RolloutOutcome::RolledBack { error, reloaded }
            }
        }
    }

    fn write(&self, generation: u64, members: &Members, own: &OwnFiles) -> anyhow::Result<()> {
        self.generations.write(generation, &render(&self.config, self.ports, generation, members)?, own)
    }

    async fn reload(&self, generation: u64, old: &[i32]) -> anyhow::Result<()> {
        self.nginx.reload()?;
        confirm(&self.nginx, self.ports.control, generation, old).await
    }

    /// Nothing is to be confirmed if the master did not reload: the workers of before go on, and a reload now would be refused too while
    /// its reason lasts.
    async fn put_back(&self, generation: u64, reloaded: bool) {
        let old = serving(&self.nginx);
        let back = async {
            self.generations.switch(generation)?;
            if reloaded { self.reload(generation, &old).await } else { self.nginx.reload() }
        };
        if let Err(error) = back.await {
            tracing::error!(generation, "the generation before was put back and is not confirmed either: {error:#}");
        }
    }

    /// Serves these, of whom Nginx has learned by itself, also when it is started the next time.
    pub fn remember(&self, members: &Members) -> anyhow::Result<()> {
        self.generations.amend(self.generation(), "nodes.conf", &nodes(members, self.ports.resolver)?)
    }

    /// Brings an Nginx that died back, with the current generation. False while it is the system that does not.
    pub async fn bring_back(&mut self) -> anyhow::Result<bool> {
        if !self.nginx.bring_back().await? {
            return Ok(false);
        }
        confirm(&self.nginx, self.ports.control, self.generation(), &[]).await.map(|()| true)
    }
}
