//! Nginx as the sidecar's child: started, given a new configuration, brought back when it dies, stopped.
//!
//! A configuration is written aside, checked by `nginx -t`, swapped in by rename, and confirmed by asking the workers which
//! generation they run; the last good one is put back if they do not say the new one.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time,
};

use crate::{config::Config, membership::Members, template::render};

/// A reload is confirmed within this time or rolled back.
const CONFIRM: Duration = Duration::from_secs(5);
/// Old workers still accept for about 100 ms after a reload: only answers of the new generation over a longer time prove it.
const STEADY: Duration = Duration::from_millis(150);
/// What Nginx may take to let its connections go when the sidecar stops.
const STOP: Duration = Duration::from_secs(2);

/// A running Nginx.
pub struct Proxy {
    config: Config,
    control: SocketAddr,
    generation: u64,
    child: Child,
}

impl Proxy {
    /// Starts Nginx with these members, and waits until it serves.
    pub async fn start(mut config: Config, members: &Members) -> anyhow::Result<Self> {
        fs::create_dir_all(config.dir.join("temp"))
            .with_context(|| format!("--dir: can't make {}", config.dir.display()))?;
        config.dir = config.dir.canonicalize()?;
        end_earlier(&config);
        config.listen = free(config.listen)
            .with_context(|| format!("--listen {}: can't listen there; is the port taken?", config.listen))?;
        let control = free(([127, 0, 0, 1], 0).into())?;
        stage(&config, control, 1, members).await?;
        let child = spawn(&config)?;
        let mut proxy = Self { config, control, generation: 1, child };
        if !proxy.confirmed().await {
            proxy.stop().await;
            bail!("Nginx did not come up; its messages are above");
        }
        Ok(proxy)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.config.listen
    }

    /// Serves these members from now on; an error leaves the ones before.
    pub async fn apply(&mut self, members: &Members) -> anyhow::Result<()> {
        let good = fs::read(self.file())?;
        self.generation += 1;
        stage(&self.config, self.control, self.generation, members).await?;
        self.reload()?;
        if self.confirmed().await {
            return Ok(());
        }
        fs::write(self.file(), good)?;
        self.reload()?;
        bail!("Nginx did not take generation {}; the one before was put back", self.generation)
    }

    /// Waits until Nginx has died, and starts it again: with what it left behind out of the way.
    pub async fn revive(&mut self) -> anyhow::Result<()> {
        let status = self.child.wait().await?;
        tracing::warn!(%status, "Nginx ended; starting it again");
        self.end_workers();
        while let Err(error) = free(self.config.listen) {
            tracing::warn!(%error, "the port is not free yet");
            time::sleep(Duration::from_millis(200)).await;
        }
        self.child = spawn(&self.config)?;
        self.confirmed().await;
        Ok(())
    }

    /// Ends Nginx, gently first.
    pub async fn stop(mut self) {
        let _ = self.signal(Signal::TERM);
        let _ = time::timeout(STOP, self.child.wait()).await;
        self.end_workers();
        let _ = self.child.wait().await;
    }

    fn reload(&self) -> anyhow::Result<()> {
        self.signal(Signal::HUP).context("Nginx can't be told to reload")
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id as i32));
        pid.map_or(Ok(()), |pid| Ok(kill_process(pid, signal)?))
    }

    /// Workers outlive a master that was killed and keep the port; they share its process group.
    fn end_workers(&self) {
        if let Ok(text) = fs::read_to_string(self.config.dir.join("nginx.pid")) {
            kill_group(&text);
        }
    }

    /// Whether the workers say this generation, steadily.
    async fn confirmed(&mut self) -> bool {
        let deadline = Instant::now() + CONFIRM;
        let mut since = None;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            match self.running().await {
                Ok(generation) if generation == self.generation => {
                    if since.get_or_insert_with(Instant::now).elapsed() >= STEADY {
                        return true;
                    }
                }
                _ => since = None,
            }
            time::sleep(Duration::from_millis(25)).await;
        }
        false
    }

    /// The generation of whichever worker answers.
    async fn running(&self) -> anyhow::Result<u64> {
        let ask = async {
            let mut stream = TcpStream::connect(self.control).await?;
            stream.write_all(b"GET /generation HTTP/1.0\r\n\r\n").await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, io::Error>(answer)
        };
        let answer = time::timeout(Duration::from_millis(500), ask).await??;
        Ok(answer.lines().last().unwrap_or_default().parse()?)
    }

    fn file(&self) -> PathBuf {
        self.config.dir.join("nginx.conf")
    }
}

/// Writes a generation aside, has Nginx check it, and swaps it in.
async fn stage(config: &Config, control: SocketAddr, generation: u64, members: &Members) -> anyhow::Result<()> {
    let staged = config.dir.join("nginx.conf.next");
    let text = render(config, control, generation, members)?;
    fs::write(&staged, text).with_context(|| format!("--dir: can't write {}", staged.display()))?;
    fs::File::open(&staged)?.sync_all()?;
    let checked = nginx(config).arg("-t").arg("-q").arg("-c").arg(&staged).output().await;
    let checked = checked.with_context(|| missing(config))?;
    if !checked.status.success() {
        bail!("Nginx refuses the configuration: {}", String::from_utf8_lossy(&checked.stderr).trim());
    }
    fs::rename(&staged, config.dir.join("nginx.conf"))?;
    Ok(())
}

fn spawn(config: &Config) -> anyhow::Result<Child> {
    // In a group of its own, by which its workers can be found, and out of the terminal's Ctrl-C: the sidecar stops it.
    let mut command = nginx(config);
    command.arg("-c").arg(config.dir.join("nginx.conf")).args(["-g", "daemon off;"]).process_group(0);
    command.spawn().with_context(|| missing(config))
}

fn nginx(config: &Config) -> Command {
    let mut command = Command::new(&config.nginx);
    command.arg("-p").arg(&config.dir).args(["-e", "stderr"]).stdin(Stdio::null());
    command
}

fn missing(config: &Config) -> String {
    format!(
        "--nginx {}: can't run it; install Nginx (apt-get install nginx) or say where it is",
        config.nginx.display()
    )
}

/// A sidecar that was killed left its Nginx serving; this one takes its place.
fn end_earlier(config: &Config) {
    let Ok(text) = fs::read_to_string(config.dir.join("nginx.pid")) else { return };
    let command = fs::read_to_string(format!("/proc/{}/cmdline", text.trim())).unwrap_or_default();
    if command.contains(&*config.dir.to_string_lossy()) {
        tracing::warn!(pid = text.trim(), "an earlier Nginx still serves from --dir; ending it");
        kill_group(&text);
    }
}

fn kill_group(pid: &str) {
    if let Some(group) = pid.trim().parse().ok().and_then(Pid::from_raw) {
        // None left is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The address with a port that is free, if it asks for any.
fn free(address: SocketAddr) -> io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}
