//! Where the servers of a card are installed and run.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use tokio::time::timeout;

use super::{CardServer, cores::Cores, result::MeasuredServer, shell::Shell};
use crate::interrupt::Interrupt;

/// How long it may take to install a server: some are compiled.
const INSTALL: Duration = Duration::from_secs(900);
/// The ports for servers. They lie above those of outgoing connections, so that none takes one while a server restarts.
const PORTS: std::ops::Range<u16> = 61_000..65_000;

/// Where and how the runs of a card are made.
pub struct Bench {
    work: PathBuf,
    /// The seed of first repeats.
    pub seed: u64,
    /// Whether runs have a tenth of their terminals, and no repeats.
    pub small: bool,
    /// Ends the card early.
    pub interrupt: Interrupt,
    /// Which cores servers and generator have.
    pub cores: Cores,
}

impl Bench {
    /// A bench in this folder, which is created. Fails if it can't be.
    pub fn new(work: &Path, seed: u64, small: bool, interrupt: Interrupt) -> anyhow::Result<Self> {
        let told = || format!("--work {}", work.display());
        fs::create_dir_all(work).with_context(told)?;
        let work = work.canonicalize().with_context(told)?;
        Ok(Self { work, seed, small, interrupt, cores: Cores::divided() })
    }

    /// Installs a server if need be, and asks for its version.
    pub async fn install(&self, server: &CardServer) -> anyhow::Result<MeasuredServer> {
        let shell = self.shell(server)?;
        let installed = timeout(INSTALL, shell.output("install", &server.install)).await;
        installed.with_context(|| format!("{}: install takes longer than {INSTALL:?}", server.name))??;
        let version = timeout(INSTALL, shell.output("version", &server.version)).await??;
        let version = version.lines().next().unwrap_or_default().trim().to_owned();
        ensure!(!version.is_empty(), "{}: version printed nothing", server.name);
        Ok(MeasuredServer {
            name: server.name.clone(),
            title: server.title.clone(),
            version,
            promise: server.promise.clone(),
            settings: server.settings.clone(),
            start: server.start.clone(),
        })
    }

    /// The number of terminals of a run.
    pub fn terminals(&self, asked: usize) -> usize {
        if self.small { (asked / 10).max(1) } else { asked }
    }

    /// The shell of a server, with its folder and three free ports.
    pub fn shell(&self, server: &CardServer) -> anyhow::Result<Shell> {
        let folder = self.work.join(&server.name);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let program = std::env::current_exe().context("the path of this program")?;
        let path = |path: &Path| path.display().to_string();
        let [port, port2, port3] = free_ports().context("no port of loopback is free")?.map(|port| port.to_string());
        let variables = [
            ("PORT", port),
            ("PORT2", port2),
            ("PORT3", port3),
            ("DIR", path(&folder)),
            ("RUN", path(&folder.join("run"))),
            ("FILES", server.folder.clone()),
            ("BIN", path(program.parent().unwrap_or(Path::new(".")))),
            ("LOADGEN", path(&program)),
        ];
        Ok(Shell { name: server.name.clone(), folder, variables: variables.into(), before: self.cores.before_server() })
    }
}

/// Three ports of loopback on which nothing listens; `None` if there are none.
fn free_ports() -> Option<[u16; 3]> {
    let offset = rand::random_range(0..PORTS.len() as u16);
    let tried = PORTS.cycle().skip(offset.into()).take(PORTS.len());
    let mut free = tried.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    Some([free.next()?, free.next()?, free.next()?])
}
