//! The process: an Nginx of the sidecar's own, started, found again by a sidecar that was killed, brought back when it dies; or one
//! that the system runs, which is only signalled. Sessions outlive all of that but the end of their own worker.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
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
    workers::{WorkerScope, title},
};

const MASTER: &str = "nginx: master process";
/// How often a master that is not a child is looked at, though the sidecar's loop asks anew at each beat. Five times as often cost as
/// much as all else of a sidecar at rest.
const LOOK: Duration = Duration::from_secs(1);
/// How often workers are looked at that are to let go of the port.
const LOOK_WORKERS: Duration = Duration::from_millis(50);
/// What Nginx may take to let its connections go when the sidecar stops.
const STOP: Duration = Duration::from_secs(2);
/// What the check of a configuration may take. It reads files and resolves names, and takes milliseconds.
const CHECK: Duration = Duration::from_secs(10);
/// What workers without a master may take to let go of the port.
const LET_GO: Duration = Duration::from_secs(5);

/// A running Nginx.
pub struct Nginx {
    config: Config,
    file: PathBuf,
    listen: SocketAddr,
    /// None for one that this process did not start.
    child: Option<Child>,
    /// Its process; 0 once it has ended.
    master: i32,
}

impl Nginx {
    /// The one that runs already, or a new one with the configuration in `file`.
    pub async fn take(config: Config, file: PathBuf, listen: SocketAddr) -> anyhow::Result<Self> {
        let master = running(&config);
        let mut nginx = Self { config, file, listen, child: None, master: master.unwrap_or_default() };
        match (&nginx.config.signal, master) {
            (_, Some(master)) => tracing::info!(master, "Nginx runs already"),
            (Some(file), None) => bail!("--signal {}: no Nginx runs there; start it first", file.display()),
            (None, None) => nginx.start().await?,
        }
        Ok(nginx)
    }

    /// Its workers, and how to know them.
    pub fn ours(&self) -> WorkerScope {
        WorkerScope::of(&self.config, self.master)
    }

    /// Whether it ran already.
    pub fn is_found(&self) -> bool {
        self.child.is_none()
    }

    /// Turns to the master that the pid file of `--signal` names now. During an upgrade of its program (USR2) the master of before runs on
    /// beside the new one, and after a QUIT for as long as its sessions last.
    pub fn follow_upgrade(&mut self) {
        if self.config.signal.is_some()
            && let Some(master) = running(&self.config)
            && master != self.master
        {
            tracing::info!(master, "--signal names another Nginx now");
            self.master = master;
        }
    }

    /// Has it read its configuration anew.
    pub fn reload(&self) -> anyhow::Result<()> {
        let master = Pid::from_raw(self.master).context("Nginx does not run")?;
        kill_process(master, Signal::HUP).context("Nginx can't be told to reload")
    }

    /// Waits until its master has ended.
    pub async fn ended(&mut self) {
        match &mut self.child {
            Some(child) => drop(child.wait().await),
            None => {
                while is_master(&self.config, self.master) {
                    time::sleep(LOOK).await;
                }
            }
        }
        // The number may be another process's by now.
        self.master = 0;
    }

    /// Brings it back, and says whether it runs now; one that the system runs, the system brings back, maybe not yet. Workers that
    /// lost their master keep their sessions: they are told to take no new ones, which frees the port.
    pub async fn bring_back(&mut self) -> anyhow::Result<bool> {
        self.child = None;
        if self.config.signal.is_some() {
            self.master = running(&self.config).unwrap_or_default();
        } else {
            self.start().await?;
        }
        Ok(!self.is_away())
    }

    /// Whether the system is to bring it back. Until then it can't be reloaded, and its end is no news.
    pub fn is_away(&self) -> bool {
        self.config.signal.is_some() && self.master == 0
    }

    /// Has it take no more connections, and end when it has none left. False for one that the system runs, which goes on.
    pub fn retire(&self) -> bool {
        let own = self.config.signal.is_none();
        if own {
            signal(self.master, Signal::QUIT);
        }
        own
    }

    /// Ends it with all of its workers and what they still hold; one that the system runs goes on.
    pub async fn stop(mut self) {
        if self.config.signal.is_some() {
            return;
        }
        signal(self.master, Signal::TERM);
        let _ = time::timeout(STOP, self.ended()).await;
        let left = self.ours().list();
        left.iter().map(|worker| worker.pid).chain([self.master]).for_each(|pid| signal(pid, Signal::KILL));
        let _ = time::timeout(STOP, self.ended()).await;
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        let_go(&self.ours()).await;
        // Nginx would say so too, but in a log, and go on trying.
        drop(
            TcpListener::bind(self.listen)
                .with_context(|| format!("--listen {}: can't listen there; is the port taken?", self.listen))?,
        );
        let mut command = command(&self.config);
        // In a group of its own, out of the terminal's Ctrl-C: the sidecar stops it.
        command.arg("-c").arg(&self.file).args(["-g", "daemon off;"]).process_group(0);
        let child = command.spawn().with_context(|| missing(&self.config))?;
        self.master = child.id().context("Nginx ended at once; its messages are above")? as i32;
        self.child = Some(child);
        Ok(())
    }
}

/// Whether Nginx would run with this configuration, or its words why not. It does not see an injected directive: that nothing but
/// typed values gets into the file is the templates' part.
pub async fn check(config: &Config, file: &Path) -> anyhow::Result<()> {
    let mut command = command(config);
    command.args(["-t", "-q", "-c"]).arg(file).kill_on_drop(true);
    let Ok(checked) = time::timeout(CHECK, command.output()).await else { bail!(unchecked(config)) };
    let checked = checked.with_context(|| missing(config))?;
    if !checked.status.success() {
        bail!("Nginx refuses the configuration: {}", String::from_utf8_lossy(&checked.stderr).trim());
    }
    Ok(())
}

/// Ends a single process; none left is what is wanted.
pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid).filter(|pid| pid.as_raw_nonzero().get() > 1) {
        let _ = kill_process(pid, signal);
    }
}

/// Has workers without a master stop listening, and waits for it.
async fn let_go(ours: &WorkerScope) {
    let deadline = Instant::now() + LET_GO;
    loop {
        let holding: Vec<_> = ours.list().into_iter().filter(|worker| !worker.lingering).collect();
        if holding.is_empty() || Instant::now() > deadline {
            return;
        }
        holding.iter().for_each(|worker| signal(worker.pid, Signal::QUIT));
        time::sleep(LOOK_WORKERS).await;
    }
}

/// The master that serves this folder, or that the pid file names.
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

fn command(config: &Config) -> Command {
    let mut command = Command::new(&config.nginx);
    command.arg("-p").arg(&config.dir).args(["-e", "stderr"]).stdin(Stdio::null());
    command
}

fn unchecked(config: &Config) -> String {
    format!(
        "--nginx {}: its check of the configuration (-t) did not end within {} s; see that every file and host name in it, and in --snippets, can be read and resolved",
        config.nginx.display(),
        CHECK.as_secs()
    )
}

/// What to do about an Nginx that can't be run.
pub fn missing(config: &Config) -> String {
    format!(
        "--nginx {}: can't run it; install Nginx (apt-get install nginx) or say where it is",
        config.nginx.display()
    )
}
