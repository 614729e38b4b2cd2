//! The Nginx process. The sidecar starts an Nginx of its own, finds it again after the sidecar was killed, and starts
//! it again when it dies. With `--signal` the system runs Nginx, and the sidecar only signals it. A session ends only
//! when its own worker process ends.

use std::{
    fs, io,
    net::SocketAddr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time,
};

use crate::{
    config::Config,
    listeners,
    workers::{NginxWorker, WorkerScope, title},
};

/// How the title of a master process begins.
const MASTER: &str = "nginx: master process";
/// How often the sidecar checks that a master which is not its child still runs. To check five times as often would
/// cost as much as everything else that an idle sidecar does.
const CHECK_MASTER_EVERY: Duration = Duration::from_secs(1);
/// How often the sidecar checks whether workers have stopped listening.
const CHECK_WORKERS_EVERY: Duration = Duration::from_millis(50);
/// How long Nginx may take to end after SIGTERM. After this time the sidecar kills it.
const STOP: Duration = Duration::from_secs(2);
/// How long workers without a master may take to stop listening. After this time the sidecar starts Nginx anyway.
const RELEASE_PORT: Duration = Duration::from_secs(5);

/// An Nginx that runs, or is to be started again.
pub struct Nginx {
    config: Config,
    file: PathBuf,
    listen: SocketAddr,
    /// The master, if the sidecar started it. `None` if another process did.
    child: Option<Child>,
    /// The id of the master process; 0 after it has ended.
    master: i32,
    /// Masters from before an upgrade of the program. They end with their last sessions.
    masters_before: Vec<i32>,
}

impl Nginx {
    /// Finds the Nginx that runs, or starts one with the configuration in `file`. An error if `--signal` names none
    /// that runs, if the port is taken, or if the program can't be run.
    pub async fn find_or_start(config: Config, file: PathBuf, listen: SocketAddr) -> anyhow::Result<Self> {
        let master = running(&config);
        let mut nginx =
            Self { config, file, listen, child: None, master: master.unwrap_or_default(), masters_before: Vec::new() };
        match (&nginx.config.signal, master) {
            (_, Some(master)) => tracing::info!(master, "Nginx runs already"),
            (Some(file), None) => {
                bail!("--signal {}: no Nginx runs with this pid file; start it first", file.display())
            }
            (None, None) => nginx.start().await?,
        }
        Ok(nginx)
    }

    /// Returns how to find Nginx's workers.
    pub fn worker_scope(&self) -> WorkerScope {
        WorkerScope::of(&self.config, self.master)
    }

    /// Returns whether another process started Nginx.
    pub fn is_found(&self) -> bool {
        self.child.is_none()
    }

    /// Uses the master that the pid file of `--signal` names now. During an upgrade of the program (SIGUSR2) the old
    /// master runs beside the new one, and after SIGQUIT it runs for as long as its sessions last.
    pub fn follow_upgrade(&mut self) {
        if self.config.signal.is_some()
            && let Some(master) = running(&self.config)
            && master != self.master
        {
            tracing::info!(master, "--signal names another Nginx now");
            self.masters_before.push(self.master);
            self.master = master;
        }
        self.masters_before.retain(|before| *before != self.master && is_master(&self.config, *before));
    }

    /// Returns Nginx's workers, oldest first. The workers that a master from before an upgrade keeps for their sessions
    /// are among them.
    pub fn workers(&self) -> Vec<NginxWorker> {
        let before = self.masters_before.iter().flat_map(|master| WorkerScope::of(&self.config, *master).list());
        let mut workers: Vec<_> = before.filter(|worker| worker.lingering).chain(self.worker_scope().list()).collect();
        workers.sort_by_key(|worker| (worker.started, worker.pid));
        workers
    }

    /// Tells the master to reload its configuration (SIGHUP).
    pub fn reload(&self) -> anyhow::Result<()> {
        let master = Pid::from_raw(self.master).context("Nginx does not run")?;
        kill_process(master, Signal::HUP).context("Nginx can't be told to reload")
    }

    /// Waits until the master has ended.
    pub async fn ended(&mut self) {
        match &mut self.child {
            Some(child) => drop(child.wait().await),
            None => {
                while is_master(&self.config, self.master) {
                    time::sleep(CHECK_MASTER_EVERY).await;
                }
            }
        }
        // Another process may have this id by now.
        self.master = 0;
    }

    /// Starts Nginx again after its end, or with `--signal` looks whether the system has done so. Returns whether it
    /// runs. Workers that lost their master keep their sessions; they are told to stop listening, which frees the port.
    pub async fn bring_back(&mut self) -> anyhow::Result<bool> {
        self.child = None;
        if self.config.signal.is_some() {
            self.master = running(&self.config).unwrap_or_default();
        } else {
            self.start().await?;
        }
        Ok(!self.is_away())
    }

    /// Returns whether Nginx has ended and the system has to start it. It can't be reloaded before that.
    pub fn is_away(&self) -> bool {
        self.config.signal.is_some() && self.master == 0
    }

    /// Tells an Nginx of the sidecar's own to accept no more connections and to end when it has none left. Returns
    /// false with `--signal`, where Nginx goes on.
    pub fn quit(&self) -> bool {
        let own = self.config.signal.is_none();
        if own {
            signal(self.master, Signal::QUIT);
        }
        own
    }

    /// Ends an Nginx of the sidecar's own with all its workers and their sessions. With `--signal` Nginx goes on.
    pub async fn stop(mut self) {
        if self.config.signal.is_some() {
            return;
        }
        signal(self.master, Signal::TERM);
        let _ = time::timeout(STOP, self.ended()).await;
        let left = self.worker_scope().list();
        left.iter().map(|worker| worker.pid).chain([self.master]).for_each(|pid| signal(pid, Signal::KILL));
        let _ = time::timeout(STOP, self.ended()).await;
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        release_port(&self.worker_scope()).await;
        listeners::check_free(&self.config, self.listen)?;
        let mut command = command(&self.config);
        // Nginx gets a process group of its own, so that a Ctrl-C in the terminal window does not reach it. The sidecar
        // stops it.
        command.arg("-c").arg(&self.file).args(["-g", "daemon off;"]).process_group(0).stderr(start_log_filter()?);
        let child = command.spawn().with_context(|| missing(&self.config))?;
        self.master = child.id().context("Nginx ended at once; see its messages above")? as i32;
        self.child = Some(child);
        Ok(())
    }
}

/// Starts the filter for Nginx's error log, and returns the end to which Nginx writes. The filter ends with the last
/// process of Nginx, and may outlive the sidecar.
fn start_log_filter() -> anyhow::Result<Stdio> {
    let (lines, writer) = io::pipe().context("there is no pipe for the log of Nginx")?;
    // This path finds the program even after a newer file replaced it.
    let mut filter = Command::new("/proc/self/exe");
    filter.arg("filter-log").stdin(lines).stdout(Stdio::null()).process_group(0);
    filter.spawn().context("the filter for the log of Nginx can't be started")?;
    Ok(writer.into())
}

/// Signals one process. It is no error if the process has ended already.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid).filter(|pid| pid.as_raw_nonzero().get() > 1) {
        let _ = kill_process(pid, signal);
    }
}

/// Tells workers without a master to stop listening, and waits up to 5 s until they do.
async fn release_port(scope: &WorkerScope) {
    let deadline = Instant::now() + RELEASE_PORT;
    loop {
        let holding: Vec<_> = scope.list().into_iter().filter(|worker| !worker.lingering).collect();
        if holding.is_empty() || Instant::now() > deadline {
            return;
        }
        holding.iter().for_each(|worker| signal(worker.pid, Signal::QUIT));
        time::sleep(CHECK_WORKERS_EVERY).await;
    }
}

/// Returns the id of the master that serves this `--dir`, or that the pid file of `--signal` names.
pub fn running(config: &Config) -> Option<i32> {
    if let Some(file) = &config.signal {
        let pid = fs::read_to_string(file).ok()?.trim().parse().ok()?;
        return is_master(config, pid).then_some(pid);
    }
    let entries = fs::read_dir("/proc").ok()?.flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(|pid| is_master(config, *pid))
}

fn is_master(config: &Config, pid: i32) -> bool {
    let title = title(pid);
    let ours = config.signal.is_some() || title.contains(&format!("-p {} ", config.dir.display()));
    title.starts_with(MASTER) && ours
}

/// Returns the command of Nginx for this `--dir`.
pub fn command(config: &Config) -> Command {
    let mut command = Command::new(&config.nginx);
    command.arg("-p").arg(&config.dir).args(["-e", "stderr"]).stdin(Stdio::null());
    command
}

/// Returns the error text for an Nginx that can't be run.
pub fn missing(config: &Config) -> String {
    format!(
        "--nginx {}: can't run it; install Nginx (apt-get install nginx), or give the path of the program",
        config.nginx.display()
    )
}
