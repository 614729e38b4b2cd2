//! Applies a set of nodes to Nginx: writes a generation, checks it with `nginx -t`, makes it the current one, reloads
//! Nginx, and waits until Nginx answers with its number. If that fails, the generation before becomes the current one
//! again.
//!
//! An activation can fail because of the set, because of the operator's own files, or for an external reason such as a full
//! disk. So no set is ever given up: the caller tries again (see [`retry`](crate::retry)). Own files are the cause if
//! Nginx accepts the same set with the copy of them that it runs with.

use std::time::Instant;

use jiff::Timestamp;

use crate::{
    certificate,
    check::check,
    config::Config,
    confirm::{confirm, running, serving},
    generations::Generations,
    membership::Members,
    nginx::Nginx,
    own_files::OwnFiles,
    own_watch::OwnFilesWatch,
    ports::Ports,
    template::{nodes, render},
};

/// The result of an activation.
#[derive(Debug)]
pub enum ActivationOutcome {
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
    /// As [`RolledBack`](Self::RolledBack), but the generation before could not be made the current one, as with a full
    /// disk: an Nginx that is started or reloaded now reads the new one. [`Activation`] tries again to switch back before
    /// it does anything else.
    NotRolledBack {
        /// The reason, with the reason why the generation before is not the current one.
        error: anyhow::Error,
        /// The master did reload, so that old workers were left behind.
        reloaded: bool,
    },
}

impl ActivationOutcome {
    /// The value of the label `result` of the metric.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::NotWritten(_) => "not_written",
            Self::Refused(_) => "refused",
            Self::RolledBack { .. } => "rolled_back",
            Self::NotRolledBack { .. } => "not_rolled_back",
        }
    }

    /// Returns why the set is not served. `None` if it is.
    pub fn error(&self) -> Option<&anyhow::Error> {
        match self {
            Self::Confirmed => None,
            Self::NotWritten(error) | Self::Refused(error) => Some(error),
            Self::RolledBack { error, .. } | Self::NotRolledBack { error, .. } => Some(error),
        }
    }

    /// Returns whether the master reloaded a set that it does not serve, so that old workers were left behind.
    pub fn left_workers(&self) -> bool {
        matches!(self, Self::RolledBack { reloaded: true, .. } | Self::NotRolledBack { reloaded: true, .. })
    }

    /// The outcome of two attempts: this one, the second, unless it would hide that the first left old workers behind.
    fn after(self, first: Option<&Self>) -> Self {
        match self {
            Self::NotWritten(error) | Self::Refused(error) | Self::RolledBack { error, .. }
                if first.is_some_and(Self::left_workers) =>
            {
                Self::RolledBack { error, reloaded: true }
            }
            Self::NotRolledBack { error, reloaded } => {
                Self::NotRolledBack { error, reloaded: reloaded || first.is_some_and(Self::left_workers) }
            }
            second => second,
        }
    }
}

/// Applies sets of nodes to one Nginx.
pub struct Activation {
    config: Config,
    /// The addresses of the proxy.
    pub ports: Ports,
    generations: Generations,
    /// The generation that Nginx ran last, as far as is known. It is the current one unless the disk was full.
    confirmed: u64,
    /// What is known of the operator's own files.
    own: OwnFilesWatch,
    /// The Nginx.
    pub nginx: Nginx,
}

impl Activation {
    /// Takes an Nginx that runs the current one of these generations.
    pub fn new(config: Config, ports: Ports, generations: Generations, own: OwnFilesWatch, nginx: Nginx) -> Self {
        let confirmed = generations.current().unwrap_or_default();
        Self { config, ports, generations, confirmed, own, nginx }
    }

    /// Returns the current generation.
    pub fn generation(&self) -> u64 {
        self.generations.current().unwrap_or_default()
    }

    /// Returns until when the certificate of the current generation is valid. `None` without TLS.
    pub fn certificate_ends_at(&self) -> Option<Timestamp> {
        certificate::ends_at(&self.generations.path(self.generation()))
    }

    /// Returns which generation Nginx runs, by its own word. `None` if it does not answer within 0.5 s.
    pub async fn running(&self) -> Option<u64> {
        running(self.ports.control).await.ok()
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

    /// Returns the reason for a reload if Nginx does not run with the operator's own files, or settings, as they are.
    pub fn own_files_differ(&mut self) -> Option<&'static str> {
        let running = self.generations.own_files(self.generation());
        self.own.look_once(&self.config, running.as_ref())
    }

    /// Returns why Nginx does not run with the operator's own files as they are. `None` if it does.
    pub fn own_files_error(&self) -> Option<&str> {
        self.own.error()
    }

    /// Serves these members from now on, or goes on as before. Takes up to 10 s for each attempt that Nginx does not
    /// confirm.
    pub async fn apply(&mut self, members: &Members) -> ActivationOutcome {
        self.nginx.follow_upgrade();
        if let Err(error) = self.switch_back() {
            return ActivationOutcome::NotWritten(error);
        }
        let before = self.generation();
        let outcome = self.apply_with_own_files(before, members).await;
        // A roll-back that failed left two generations that Nginx may be started with.
        if self.generation() == self.confirmed {
            self.generations.prune();
        }
        outcome
    }

    /// Makes the generation that Nginx ran last the current one, if a roll-back could not.
    fn switch_back(&self) -> anyhow::Result<()> {
        if self.generation() == self.confirmed { Ok(()) } else { self.generations.switch(self.confirmed) }
    }

    /// Tries the operator's own files as they are. If Nginx does not accept them and the members are new, tries the
    /// copy that Nginx runs with.
    async fn apply_with_own_files(&mut self, before: u64, members: &Members) -> ActivationOutcome {
        let (read, running) = (OwnFiles::read(&self.config), self.generations.own_files(before));
        let own = read.as_ref().ok().cloned();
        let other_members = *members != self.generations.members(before);
        let mut refusal = None;
        if !(other_members && running.is_some() && self.own.delays(&own, Instant::now())) {
            let outcome = match read {
                Ok(own) => self.activate(before, members, &own).await,
                Err(error) => ActivationOutcome::Refused(error),
            };
            match outcome {
                ActivationOutcome::Confirmed => {
                    self.own.applied(true);
                    return outcome;
                }
                ActivationOutcome::NotWritten(_) | ActivationOutcome::NotRolledBack { .. } => return outcome,
                _ if own == running && other_members => return outcome,
                _ => refusal = Some(outcome),
            }
        }
        let second = match running {
            Some(running) if other_members => Some(self.activate(before, members, &running).await),
            _ => None,
        };
        match (refusal, second) {
            (refusal, Some(ActivationOutcome::Confirmed)) => {
                self.own.applied(false);
                self.blame_own_files(own, refusal.as_ref());
                ActivationOutcome::Confirmed
            }
            (refusal, Some(outcome)) => outcome.after(refusal.as_ref()),
            (Some(refusal), None) => {
                self.blame_own_files(own, Some(&refusal));
                refusal
            }
            (None, None) => {
                unreachable!("the files themselves are tried unless there is a copy and the members are new")
            }
        }
    }

    fn blame_own_files(&mut self, own: Option<OwnFiles>, refusal: Option<&ActivationOutcome>) {
        if let Some(error) = refusal.and_then(ActivationOutcome::error) {
            tracing::error!(
                "Nginx does not accept the snippets or the certificate and goes on with the ones before: {error:#}"
            );
            self.own.refused(own, error, Instant::now());
        }
    }

    /// Tries one set with these own files. `before` is the current generation.
    async fn activate(&mut self, before: u64, members: &Members, own: &OwnFiles) -> ActivationOutcome {
        let next = self.generations.next();
        if let Err(error) = self.write(next, members, own) {
            self.generations.remove(next);
            return ActivationOutcome::NotWritten(error);
        }
        if let Err(error) = check(&self.config, &self.generations.path(next).join("nginx.conf")).await {
            return ActivationOutcome::Refused(error);
        }
        if let Err(error) = self.generations.switch(next) {
            // The link may have moved before the step that failed. Nginx has not been told yet.
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

    /// Makes the generation before the current one again. If the master did not reload, the workers before go on and
    /// nothing is waited for: the master would refuse a reload now for the same reason. Fails if the generation before
    /// could not be made the current one; Nginx is then not reloaded, since it would read the new one again.
    async fn roll_back(&self, generation: u64, reloaded: bool) -> anyhow::Result<()> {
        let old = serving(&self.nginx);
        if let Err(error) = self.generations.switch(generation)
            && self.generation() != generation
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
            self.generation(),
            "nodes.conf",
            &nodes(members, self.ports.resolver, self.config.serves_others())?,
        )
    }

    /// Starts Nginx again with the current generation. Returns false if the system has to start it and has not done so.
    pub async fn bring_back(&mut self) -> anyhow::Result<bool> {
        if let Err(error) = self.switch_back() {
            tracing::error!("Nginx is started with a generation that it has not confirmed: {error:#}");
        }
        if !self.nginx.bring_back().await? {
            return Ok(false);
        }
        confirm(&self.nginx, self.ports.control, self.generation(), &[]).await.map(|()| true)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        path::{Path, PathBuf},
        thread,
        time::Duration,
    };

    use anyhow::anyhow;

    use super::*;

    /// A program in place of Nginx: it refuses a configuration while the file `refuse` is beside it, and otherwise runs
    /// and answers nothing.
    fn silent_nginx(dir: &Path) -> PathBuf {
        let file = dir.join("silent-nginx");
        let script = format!(
            "#!/bin/sh\ntrap '' HUP\ncase \" $* \" in *' -t '*) [ ! -e {}/refuse ]; exit;; esac\nexec sleep 60\n",
            dir.display()
        );
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    /// An activation in this folder with generation 1, without nodes.
    async fn activation(dir: &Path) -> Activation {
        let (nginx, dir_flag) = (silent_nginx(dir), dir.to_str().unwrap());
        for folder in ["http", "server"] {
            fs::create_dir_all(dir.join("snippets").join(folder)).unwrap();
        }
        let flags = ["--nginx", nginx.to_str().unwrap(), "--dir", dir_flag, "--listen", "127.0.0.1:0"];
        let snippets = dir.join("snippets").display().to_string();
        let flags = [&flags[..], &["--snippets", &snippets]].concat();
        let config = crate::config::tests::config(&flags);
        let ports = Ports::choose(dir, "127.0.0.1:0".parse().unwrap(), false).unwrap();
        let generations = Generations::new(dir).unwrap();
        let own = OwnFiles::read(&config).unwrap();
        generations.write(1, &render(&config, ports, 1, &Members::default()).unwrap(), &own).unwrap();
        generations.switch(1).unwrap();
        let nginx = Nginx::find_or_start(config.clone(), generations.current_file(), ports.listen).await.unwrap();
        Activation::new(config, ports, generations, OwnFilesWatch::default(), nginx)
    }

    #[tokio::test]
    async fn a_roll_back_that_fails_is_told_and_made_up_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut activation = activation(dir.path()).await;
        let obstacle = dir.path().join("current.next");
        let (current, obstacle_made) = (dir.path().join("current"), obstacle.clone());
        // A folder where the new link would be made keeps the link from being switched back.
        let obstruct = thread::spawn(move || {
            while fs::read_link(&current).unwrap() != Path::new("gen/2") {
                thread::sleep(Duration::from_millis(5));
            }
            fs::create_dir(obstacle_made).unwrap();
        });
        let outcome = activation.apply(&Members::default()).await;
        obstruct.join().unwrap();
        assert_eq!((outcome.label(), activation.generation()), ("not_rolled_back", 2), "{outcome:?}");
        let outcome = activation.apply(&Members::default()).await;
        assert_eq!((outcome.label(), activation.generation()), ("not_written", 2), "{outcome:?}");
        fs::remove_dir(&obstacle).unwrap();
        fs::write(dir.path().join("refuse"), "").unwrap();
        let outcome = activation.apply(&Members::default()).await;
        assert_eq!((outcome.label(), activation.generation()), ("refused", 1), "{outcome:?}");
        activation.nginx.stop().await;
    }

    #[test]
    fn a_second_attempt_does_not_hide_that_the_first_left_workers_behind() {
        let rolled_back = |reloaded| ActivationOutcome::RolledBack { error: anyhow!("first"), reloaded };
        for (first, left) in [(Some(rolled_back(true)), true), (Some(rolled_back(false)), false), (None, false)] {
            for second in [
                ActivationOutcome::Refused(anyhow!("second")),
                ActivationOutcome::NotWritten(anyhow!("second")),
                rolled_back(false),
                ActivationOutcome::NotRolledBack { error: anyhow!("second"), reloaded: false },
            ] {
                let shown = format!("{second:?} after {first:?}");
                assert_eq!(second.after(first.as_ref()).left_workers(), left, "{shown}");
            }
        }
        assert!(matches!(ActivationOutcome::Confirmed.after(Some(&rolled_back(true))), ActivationOutcome::Confirmed));
    }
}
