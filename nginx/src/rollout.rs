//! Applies a set of nodes to Nginx: writes a generation, checks it with `nginx -t`, makes it the current one, reloads
//! Nginx, and waits until Nginx answers with its number. If that fails, the generation before becomes the current one
//! again.
//!
//! A rollout can fail because of the set, because of the operator's own files, or for an external reason such as a full
//! disk. So no set is ever given up: the caller tries again (see [`retry`](crate::retry)). Own files are the cause if
//! Nginx accepts the same set with the copy of them that it runs with.

use std::time::Instant;

use crate::{
    check::check,
    config::Config,
    confirm::{confirm, serving},
    generations::Generations,
    membership::Members,
    nginx::Nginx,
    own_files::OwnFiles,
    own_watch::OwnFilesWatch,
    ports::Ports,
    template::{nodes, render},
};

/// The result of a rollout.
#[derive(Debug)]
pub enum RolloutOutcome {
    /// The set is served.
    Confirmed,
    /// The files could not be written. Nothing was changed.
    NotWritten(anyhow::Error),
    /// `nginx -t` did not accept the files. Nothing was changed.
    Refused(anyhow::Error),
    /// Nginx did not run the new generation in time. The generation before is the current one again.
    RolledBack {
        /// The reason.
        error: anyhow::Error,
        /// The master did reload, so that old workers were left behind.
        reloaded: bool,
    },
}

impl RolloutOutcome {
    /// The value of the label `result` of the metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::NotWritten(_) => "not_written",
            Self::Refused(_) => "refused",
            Self::RolledBack { .. } => "rolled_back",
        }
    }

    /// Returns why the set is not served. `None` if it is.
    pub fn error(&self) -> Option<&anyhow::Error> {
        match self {
            Self::Confirmed => None,
            Self::NotWritten(error) | Self::Refused(error) | Self::RolledBack { error, .. } => Some(error),
        }
    }
}

/// Applies sets of nodes to one Nginx.
pub struct Rollout {
    config: Config,
    /// The addresses of the proxy.
    pub ports: Ports,
    generations: Generations,
    /// What is known of the operator's own files.
    own: OwnFilesWatch,
    /// The Nginx.
    pub nginx: Nginx,
}

impl Rollout {
    /// Takes an Nginx that runs the current one of these generations.
    pub fn new(config: Config, ports: Ports, generations: Generations, own: OwnFilesWatch, nginx: Nginx) -> Self {
        Self { config, ports, generations, own, nginx }
    }

    /// Returns the current generation.
    pub fn generation(&self) -> u64 {
        self.generations.current().unwrap_or_default()
    }

    /// Returns the nodes of the current generation, with which Nginx would start.
    pub fn members(&self) -> Members {
        self.generations.members(self.generation())
    }

    /// Returns the reason for a reload if the operator's own files, or settings, are to be applied now.
    pub fn own_files_changed(&mut self, now: Instant) -> Option<&'static str> {
        let running = self.generations.own_files(self.generation());
        self.own.look(&self.config, running.as_ref(), now)
    }

    /// Returns why Nginx does not run with the operator's own files as they are. `None` if it does.
    pub fn own_files_error(&self) -> Option<&str> {
        self.own.error()
    }

    /// Serves these members from now on, or goes on as before. Takes up to 10 s for each attempt that Nginx does not
    /// confirm.
    pub async fn apply(&mut self, members: &Members) -> RolloutOutcome {
        self.nginx.follow_upgrade();
        let before = self.generation();
        let outcome = self.apply_with_own_files(before, members).await;
        self.generations.prune();
        outcome
    }

    /// Tries the operator's own files as they are. If Nginx does not accept them and the members are new, tries the
    /// copy that Nginx runs with.
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
            (None, None) => {
                unreachable!("the files themselves are tried unless there is a copy and the members are new")
            }
        }
    }

    fn blame_own_files(&mut self, own: Option<OwnFiles>, refusal: Option<&RolloutOutcome>) {
        if let Some(error) = refusal.and_then(RolloutOutcome::error) {
            tracing::error!(
                "Nginx does not accept the snippets or the certificate and goes on with the ones before: {error:#}"
            );
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
            // The link may have moved before the step that failed. Nginx has not been told yet.
            let _ = self.generations.switch(before);
            self.generations.remove(next);
            return RolloutOutcome::NotWritten(error);
        }
        let old = serving(&self.nginx);
        match self.reload(next, &old).await {
            Ok(()) => RolloutOutcome::Confirmed,
            Err(error) => {
                let reloaded = serving(&self.nginx) != old;
                self.roll_back(before, reloaded).await;
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

    /// Makes the generation before the current one again. If the master did not reload, the workers before go on and
    /// nothing is waited for: the master would refuse a reload now for the same reason.
    async fn roll_back(&self, generation: u64, reloaded: bool) {
        let old = serving(&self.nginx);
        let back = async {
            self.generations.switch(generation)?;
            if reloaded { self.reload(generation, &old).await } else { self.nginx.reload() }
        };
        if let Err(error) = back.await {
            tracing::error!(generation, "Nginx does not confirm the generation before either: {error:#}");
        }
    }

    /// Writes nodes of which Nginx learned by DNS to the current generation, so that it starts with them the next time.
    pub fn remember(&self, members: &Members) -> anyhow::Result<()> {
        self.generations.amend(self.generation(), "nodes.conf", &nodes(members, self.ports.resolver)?)
    }

    /// Starts Nginx again with the current generation. Returns false if the system has to start it and has not done so.
    pub async fn bring_back(&mut self) -> anyhow::Result<bool> {
        if !self.nginx.bring_back().await? {
            return Ok(false);
        }
        confirm(&self.nginx, self.ports.control, self.generation(), &[]).await.map(|()| true)
    }
}
