//! A proxy: a sidecar as a program of its own, and the Nginx that it starts.

use std::{
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Command, ExitStatus},
};

use muster_testkit::{LoggedProcess, TestRedis, http::request, wait::until};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A running sidecar. It is ended with its Nginx when it is dropped.
pub struct Proxy {
    pub sidecar: LoggedProcess,
    pub dir: TempDir,
    _redis: TestRedis,
}

impl Proxy {
    /// Starts a sidecar on free ports with these flags, without waiting for it.
    pub async fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, |_, _| ()).await
    }

    /// Starts a sidecar whose command was changed by `change`, which is given the Redis too.
    pub async fn start_with(flags: &[&str], change: impl FnOnce(&mut Command, &TestRedis)) -> Self {
        let (redis, dir) = (TestRedis::start().await, tempfile::tempdir().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_muster-sidecar"));
        // Debian keeps Nginx where a plain user's shell does not look.
        command.env("PATH", format!("{}:/usr/sbin", env::var("PATH").unwrap_or_default()));
        command.args(["--redis", &redis.url, "--grace", "0s", "--status", "127.0.0.1:0", "--resolve", "off"]);
        command.arg("--dir").arg(dir.path()).args(flags);
        if !flags.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        change(&mut command, &redis);
        Self { sidecar: LoggedProcess::start(&mut command), dir, _redis: redis }
    }

    /// Starts a sidecar with these flags, and waits until Nginx serves. Returns its first address, too.
    pub async fn ready(flags: &[&str]) -> (Self, SocketAddr) {
        let proxy = Self::start(flags).await;
        let address = proxy.printed("ready").await;
        (proxy, address)
    }

    /// Waits until the sidecar has printed this address: "ready" or "status".
    pub async fn printed(&self, what: &str) -> SocketAddr {
        let start = format!("muster-sidecar {what} on ");
        let mut address = None;
        until(&start, async || {
            let printed = self.sidecar.stdout();
            address = printed.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok());
            address.is_some()
        })
        .await;
        address.unwrap()
    }

    /// Waits until the sidecar ends by itself. Returns its exit status and its last line on stderr.
    pub async fn ends(&mut self) -> (ExitStatus, String) {
        let status = self.sidecar.process.ended().await;
        (status, self.sidecar.stderr().lines().last().unwrap_or_default().to_owned())
    }

    /// Writes a snippet for the server.
    pub fn write_snippet(&self, text: &str) {
        fs::write(self.snippet(), text).unwrap();
    }

    fn snippet(&self) -> PathBuf {
        self.dir.path().join("snippets/server/own.conf")
    }

    /// How many times Nginx was reloaded, whatever came of it.
    pub fn reloads(&self) -> usize {
        self.sidecar.stdout().matches(r#""decision":"reload""#).count()
    }

    /// How many times the files were read again.
    pub fn rereads(&self) -> usize {
        self.sidecar.stdout().matches(r#""decision":"read files again""#).count()
    }

    /// The sum of a metric over all its series; its name is without its beginning `muster_sidecar_`.
    pub async fn metric(&self, name: &str) -> f64 {
        self.metric_of(name, &[]).await
    }

    /// The same over the series with these labels.
    pub async fn metric_of(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let text = request(self.printed("status").await, "GET /metrics HTTP/1.1\r\n").await.2;
        let series = text.lines().filter_map(|line| line.rsplit_once(' '));
        let named = series.filter(|(series, _)| {
            series.split('{').next() == Some(&format!("muster_sidecar_{name}"))
                && labels.iter().all(|(label, value)| series.contains(&format!("{label}=\"{value}\"")))
        });
        named.map(|(_, value)| value.parse::<f64>().unwrap()).sum()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.sidecar.process.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.sidecar.process.signal(Signal::TERM);
            let _ = self.sidecar.process.child.wait();
        }
        let pid = fs::read_to_string(self.dir.path().join("nginx.pid")).unwrap_or_default();
        if let Some(nginx) = pid.trim().parse().ok().and_then(Pid::from_raw) {
            let _ = kill_process(nginx, Signal::TERM);
        }
    }
}

/// The status with which Nginx answers to `GET path`.
pub async fn status(address: SocketAddr, path: &str) -> u16 {
    request(address, &format!("GET {path} HTTP/1.1\r\n")).await.0
}
