//! The processes of a server.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    net::TcpStream,
    process::Child,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use super::{
    CardServer,
    shell::{Shell, end_of},
};

/// How long a server may take to start.
const START: Duration = Duration::from_secs(60);
/// How long a process has to end after SIGTERM, before SIGKILL; and how long `stop` may take.
const END: Duration = Duration::from_secs(10);
/// The pause before a server that ended is run again, and between two looks whether it serves.
const PAUSE: Duration = Duration::from_millis(100);
/// How often a server may be run in one run.
const STARTS: u32 = 20;

/// A server that runs.
pub struct ServerProcesses {
    beside: Vec<Child>,
    stop: watch::Sender<bool>,
    supervisor: JoinHandle<()>,
    seen: Arc<Seen>,
}

/// What the supervisor has seen of the server's process.
#[derive(Debug, Default)]
struct Seen {
    /// The id of the process; 0 before it was started.
    pid: AtomicU32,
    /// How often it was started.
    starts: AtomicU32,
}

impl ServerProcesses {
    /// Starts a server and what runs beside it. Fails if it does not serve in time; the error shows the end of its log.
    pub async fn start(shell: &Shell, server: &CardServer) -> anyhow::Result<Self> {
        let mut beside = Vec::new();
        for text in &server.beside {
            beside.push(shell.spawn(text).context("beside")?);
        }
        let (stop, stopped) = watch::channel(false);
        let seen = Arc::new(Seen::default());
        let supervisor = tokio::spawn(supervise(shell.clone(), server.start.clone(), seen.clone(), stopped));
        let processes = Self { beside, stop, supervisor, seen };
        if let Err(error) = processes.serves(shell, server).await {
            processes.stop(shell, server).await;
            let log = fs::read_to_string(shell.log()).unwrap_or_default();
            return Err(error.context(format!("{} does not start; its log ends with: {}", server.name, end_of(&log))));
        }
        Ok(processes)
    }

    async fn serves(&self, shell: &Shell, server: &CardServer) -> anyhow::Result<()> {
        let deadline = Instant::now() + START;
        let port: u16 = shell.variable("PORT").parse()?;
        while Instant::now() < deadline {
            ensure!(self.seen.starts.load(Relaxed) < STARTS, "it ended {STARTS} times");
            let serves = match &server.ready {
                Some(ready) => timeout(START, shell.output("ready", ready)).await?.is_ok(),
                None => TcpStream::connect(("127.0.0.1", port)).await.is_ok(),
            };
            if serves {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
        bail!("it does not serve within {START:?}")
    }

    /// The processes to watch, as `--watch` wants them.
    pub fn watched(&self) -> String {
        let named = |(number, pid)| match number {
            0 => format!("server={pid}"),
            number => format!("beside{}={pid}", number - 1),
        };
        self.pids().into_iter().enumerate().map(named).collect::<Vec<_>>().join(",")
    }

    /// The id of the server's process, and those of what runs beside it.
    pub fn pids(&self) -> Vec<u32> {
        let server = self.seen.pid.load(Relaxed);
        std::iter::once(server).chain(self.beside.iter().filter_map(Child::id)).collect()
    }

    /// How often the server was started.
    pub fn starts(&self) -> u32 {
        self.seen.starts.load(Relaxed)
    }

    /// Ends the server, and then what runs beside it.
    pub async fn stop(self, shell: &Shell, server: &CardServer) {
        if let Some(stop) = &server.stop {
            let _ = timeout(END, shell.output("stop", stop)).await;
        }
        self.stop.send_replace(true);
        let _ = self.supervisor.await;
        for child in self.beside {
            end(child).await;
        }
    }
}

/// Runs the server, and again whenever it ends, until it is to stop.
async fn supervise(shell: Shell, start: String, seen: Arc<Seen>, mut stop: watch::Receiver<bool>) {
    for _ in 0..STARTS {
        let Ok(mut child) = shell.spawn(&start) else { break };
        let pid = child.id().unwrap_or_default();
        seen.pid.store(pid, Relaxed);
        let _ = fs::write(Path::new(shell.variable("RUN")).join("pid"), format!("{pid}\n"));
        seen.starts.fetch_add(1, Relaxed);
        let ended = tokio::select! {
            _ = child.wait() => true,
            _ = stop.wait_for(|stop| *stop) => false,
        };
        if !ended {
            return end(child).await;
        }
        // What the process left running would keep the port.
        signal_group(pid, Signal::KILL);
        if timeout(PAUSE, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
    seen.starts.store(STARTS, Relaxed);
}

/// Ends a process and its group.
async fn end(mut child: Child) {
    let Some(pid) = child.id() else { return };
    signal_group(pid, Signal::TERM);
    let _ = timeout(END, child.wait()).await;
    signal_group(pid, Signal::KILL);
    let _ = child.wait().await;
}

/// Sends a signal to a group of processes; to none if it has ended.
pub fn signal_group(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pid, signal);
    }
}
