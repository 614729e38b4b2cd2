//! What passes between a node and whoever supervises it: the service manager is told how the node does, and on SIGHUP the node reads its
//! files again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use muster_service::{ServiceManager, Watchdog};
use tokio::time::{self, MissedTickBehavior};

use crate::{
    config::Config,
    http::{self, HttpState},
};

/// How often the node looks whether it is ready.
const LOOK: Duration = Duration::from_secs(1);

/// The supervision of a node that serves.
pub struct Supervision {
    state: Arc<HttpState>,
    manager: ServiceManager,
    /// Whether the service manager was told that the node is ready. Before that it expects no other word than this.
    was_ready: AtomicBool,
}

impl Supervision {
    /// Finds the service manager. It is told nothing yet.
    pub fn new(state: Arc<HttpState>) -> Self {
        Self { state, manager: ServiceManager::from_environment(), was_ready: AtomicBool::new(false) }
    }

    /// Tells the service manager how the node does, for ever. The watchdog's beats come from here, from a task among those that do the
    /// node's work: if they hang, no beat is sent.
    pub async fn run(self: Arc<Self>) {
        if !self.manager.is_there() {
            return;
        }
        let (mut watchdog, mut looks, mut told) = (Watchdog::from_environment(), time::interval(LOOK), String::new());
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = watchdog.due() => self.manager.beat(),
                _ = looks.tick() => told = self.tell(told),
            }
        }
    }

    /// Whether the node is ready, and how it does.
    fn readiness(&self) -> (bool, String) {
        match http::readiness(&self.state) {
            Ok(line) => (true, line),
            Err(why) => (false, format!("not ready: {why}")),
        }
    }

    /// Tells the service manager what has changed since it was `told` this.
    fn tell(&self, told: String) -> String {
        let (is_ready, line) = self.readiness();
        if is_ready && !self.was_ready.swap(true, Relaxed) {
            self.manager.ready(&line);
        } else if line != told {
            self.manager.status(&line);
        }
        line
    }

    /// Tells the service manager that the node ends.
    pub fn stopping(&self) {
        self.manager.stopping("the sessions are sent to other nodes");
    }

    /// Reads the keys of tokens again: those of `--secret-file`, `--public-key` and `--jwks`. If a file can't be used, the keys of before
    /// stay. What else is in files is read at the start alone; the log says so if it has changed. Takes 10 s at most.
    pub async fn read_files_again(&self) {
        let (was_ready, shared) = (self.was_ready.load(Relaxed), &self.state.shared);
        if was_ready {
            self.manager.reloading();
        }
        match shared.config.clone().load_secrets() {
            _ if !names_files(&shared.config) => tracing::info!("SIGHUP: no flag names a file that is read again"),
            Ok(config) => self.take(&config),
            Err(error) => tracing::error!("SIGHUP: the secrets and keys of before stay: {error:#}"),
        }
        shared.auth.read_jwks(&shared.metrics).await;
        if was_ready {
            self.manager.ready(&self.readiness().1);
        }
    }

    fn take(&self, config: &Config) {
        let shared = &self.state.shared;
        match shared.auth.replace_keys(&config.keys) {
            Ok(()) => tracing::info!("SIGHUP: the keys of --secret-file, --public-key and --jwks are read again"),
            Err(error) => tracing::error!("SIGHUP: the keys of before stay: {error:#}"),
        }
        if shared.config.redis.url.is_some() && config.sealing_secrets() != shared.config.sealing_secrets() {
            tracing::warn!(
                "SIGHUP: the secret with which nodes seal has changed (--cluster-secret-file, or --secret-file without it): this node goes \
                 on with that of its start; restart the nodes, one after the other"
            );
        }
    }
}

/// Whether a flag names a file that is read again.
fn names_files(config: &Config) -> bool {
    let Config { keys, issuers, cluster_secret_file, .. } = config;
    let secrets = keys.secret_file.is_some() || cluster_secret_file.is_some();
    secrets || !keys.public_key.is_empty() || issuers.jwks.is_some()
}
