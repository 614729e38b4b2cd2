//! An Nginx and its current generation: the steps by which another generation takes its place, and the way back.

use jiff::Timestamp;

use super::outcome::ActivationOutcome;
use crate::{
    certificate,
    check::check,
    config::Config,
    confirm::{confirm, running, serving},
    generations::Generations,
    membership::Members,
    nginx::Nginx,
    own_files::OwnFiles,
    ports::Ports,
    template::{nodes, render},
};

/// An Nginx, and the generation that it runs.
pub struct ActiveGeneration {
    pub(super) config: Config,
    /// The addresses of the proxy.
    pub ports: Ports,
    generations: Generations,
    /// The generation that Nginx ran last, as far as the sidecar knows. It is the current generation unless a roll-back
    /// failed, as with a full disk.
    confirmed: u64,
    /// The Nginx.
    pub nginx: Nginx,
}

impl ActiveGeneration {
    /// Takes an Nginx that runs the current one of these generations.
    pub fn new(config: Config, ports: Ports, generations: Generations, nginx: Nginx) -> Self {
        let confirmed = generations.current().unwrap_or_default();
        Self { config, ports, generations, confirmed, nginx }
    }

    /// Returns the number of the current generation.
    pub fn number(&self) -> u64 {
        self.generations.current().unwrap_or_default()
    }

    /// Returns until when the certificate of the current generation is valid. `None` without TLS.
    pub fn certificate_ends_at(&self) -> Option<Timestamp> {
        certificate::ends_at(&self.generations.path(self.number()))
    }

    /// Returns which generation Nginx runs, as Nginx says itself. `None` if it does not answer within 0.5 s.
    pub async fn running(&self) -> Option<u64> {
        running(self.ports.control).await.ok()
    }

    /// Returns the nodes of the current generation, with which Nginx would start.
    pub fn members(&self) -> Members {
        self.generations.members(self.number())
    }

    /// Returns the copy of the operator's own files that the current generation has.
    pub fn own_files(&self) -> Option<OwnFiles> {
        self.generations.own_files(self.number())
    }

    /// Makes the generation that Nginx ran last the current one again, if a roll-back could not do so.
    pub(super) fn switch_back(&self) -> anyhow::Result<()> {
        if self.number() == self.confirmed { Ok(()) } else { self.generations.switch(self.confirmed) }
    }

    /// Removes old generations, unless a roll-back that failed left two that Nginx may be started with.
    pub(super) fn prune(&self) {
        if self.number() == self.confirmed {
            self.generations.prune();
        }
    }

    /// Tries one set with these own files.
    pub(super) async fn activate(&mut self, members: &Members, own: &OwnFiles) -> ActivationOutcome {
        let before = self.number();
        let next = self.generations.next();
        if let Err(error) = self.write(next, members, own) {
            self.generations.remove(next);
            return ActivationOutcome::NotWritten(error);
        }
        if let Err(error) = check(&self.config, &self.generations.path(next).join("nginx.conf")).await {
            return ActivationOutcome::Refused(error);
        }
        if let Err(error) = self.generations.switch(next) {
            // The link may have moved before the step that failed. No one has told Nginx yet.
            let _ = self.generations.switch(before);
            self.generations.remove(next);
            return ActivationOutcome::NotWritten(error);
        }
        let old = serving(&self.nginx);
        match self.reload(next, &old).await {
            Ok(()) => {
                self.confirmed = next;
                ActivationOutcome::Confirmed
            }
            Err(error) => {
                let reloaded = serving(&self.nginx) != old;
                match self.roll_back(before, reloaded).await {
                    Ok(()) => ActivationOutcome::RolledBack { error, reloaded },
                    Err(switch) => {
                        let error = error.context(format!("the roll-back failed, too: {switch:#}"));
                        ActivationOutcome::NotRolledBack { error, reloaded }
                    }
                }
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

    /// Makes the generation before the current one again. If the master did not reload, the workers before go on, and
    /// this waits for nothing: the master would refuse a reload now for the same reason. Fails if it can't switch to
    /// the generation before. Nginx is then not reloaded, since it would read the new one again.
    async fn roll_back(&self, generation: u64, reloaded: bool) -> anyhow::Result<()> {
        let old = serving(&self.nginx);
        if let Err(error) = self.generations.switch(generation)
            && self.number() != generation
        {
            return Err(error);
        }
        let back = if reloaded { self.reload(generation, &old).await } else { self.nginx.reload() };
        if let Err(error) = back {
            tracing::error!(generation, "Nginx does not confirm the generation before either: {error:#}");
        }
        Ok(())
    }

    /// Writes nodes of which Nginx learned by DNS to the current generation, so that it starts with them the next time.
    pub fn remember(&self, members: &Members) -> anyhow::Result<()> {
        self.generations.amend(
            self.number(),
            "nodes.conf",
            &nodes(members, self.ports.resolver, self.config.serves_others())?,
        )
    }

    /// Starts Nginx again with the current generation. Returns false if the system has to start Nginx and has not done
    /// so.
    pub async fn bring_back(&mut self) -> anyhow::Result<bool> {
        if let Err(error) = self.switch_back() {
            tracing::error!("Nginx is started with a generation that it has not confirmed: {error:#}");
        }
        if !self.nginx.bring_back().await? {
            return Ok(false);
        }
        confirm(&self.nginx, self.ports.control, self.number(), &[]).await.map(|()| true)
    }
}
