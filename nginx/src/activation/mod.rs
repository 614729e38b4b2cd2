//! Applies a set of nodes to Nginx: writes a generation, checks it with `nginx -t`, makes it the current one, reloads
//! Nginx, and waits until Nginx answers with its number. If that fails, the generation before becomes the current one
//! again.
//!
//! An activation can fail because of the set, because of the operator's own files, or for an external reason such as a
//! full disk. So the sidecar never gives a set up: the caller tries again (see [`retry`](crate::retry)). Own files are
//! the cause if Nginx accepts the same set with the copy of them that it runs with.

mod active;
mod outcome;

use std::time::Instant;

pub use self::{active::ActiveGeneration, outcome::ActivationOutcome};
use crate::{membership::Members, own_files::OwnFiles, own_watch::OwnFilesWatch};

/// Applies sets of nodes to one Nginx.
pub struct Activation {
    /// The Nginx, and the generation that it runs.
    pub active: ActiveGeneration,
    /// What is known of the operator's own files.
    pub own: OwnFilesWatch,
}

impl Activation {
    /// Returns the reason for a reload if the operator's own files, or settings, are to be applied now.
    pub fn own_files_changed(&mut self, now: Instant) -> Option<&'static str> {
        self.own.look(&self.active.config, self.active.own_files().as_ref(), now)
    }

    /// Returns the reason for a reload if Nginx does not run with the operator's own files, or settings, as they are.
    pub fn own_files_differ(&mut self) -> Option<&'static str> {
        self.own.look_once(&self.active.config, self.active.own_files().as_ref())
    }

    /// Serves these members from now on, or goes on as before. Takes up to 10 s for each attempt that Nginx does not
    /// confirm.
    pub async fn apply(&mut self, members: &Members) -> ActivationOutcome {
        self.active.nginx.follow_upgrade();
        if let Err(error) = self.active.switch_back() {
            return ActivationOutcome::NotWritten(error);
        }
        let outcome = self.apply_with_own_files(members).await;
        self.active.prune();
        outcome
    }

    /// Tries the operator's own files as they are. If Nginx does not accept them and the members are new, tries the
    /// copy that Nginx runs with.
    async fn apply_with_own_files(&mut self, members: &Members) -> ActivationOutcome {
        let (read, running) = (OwnFiles::read(&self.active.config), self.active.own_files());
        let own = read.as_ref().ok().cloned();
        let other_members = *members != self.active.members();
        let mut refusal = None;
        if !(other_members && running.is_some() && self.own.delays(&own, Instant::now())) {
            let outcome = match read {
                Ok(own) => self.active.activate(members, &own).await,
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
            Some(running) if other_members => Some(self.active.activate(members, &running).await),
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

    use super::*;
    use crate::{generations::Generations, nginx::Nginx, ports::Ports, template::render};

    /// Returns a program in place of Nginx: it refuses a configuration while the file `refuse` is beside it, and
    /// otherwise runs and answers nothing.
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

    /// Returns an activation in this folder with generation 1, without nodes.
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
        Activation { active: ActiveGeneration::new(config, ports, generations, nginx), own: OwnFilesWatch::default() }
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
        assert_eq!((outcome.label(), activation.active.number()), ("not_rolled_back", 2), "{outcome:?}");
        let outcome = activation.apply(&Members::default()).await;
        assert_eq!((outcome.label(), activation.active.number()), ("not_written", 2), "{outcome:?}");
        fs::remove_dir(&obstacle).unwrap();
        fs::write(dir.path().join("refuse"), "").unwrap();
        let outcome = activation.apply(&Members::default()).await;
        assert_eq!((outcome.label(), activation.active.number()), ("refused", 1), "{outcome:?}");
        activation.active.nginx.stop().await;
    }
}
