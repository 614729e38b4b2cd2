//! The loop of the agent: takes commands, runs what is allowed, sends reports of the box's health, and ends gently.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use muster_client::{ConnectionEnd, Incoming, Terminal};
use muster_protocol::{
    CommandId, Payload,
    frame::{Command, FromTerminal, NotRun, ResultFrame},
};
use muster_service::{ServiceManager, Watchdog};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
    task::JoinSet,
    time::{self, Interval, MissedTickBehavior},
};

use crate::{allowed::NotAllowed, health::HealthMonitor, settings::AgentSettings, work::Work};

/// How many reports of the client may wait.
const QUEUE: usize = 16;
/// How long programs may go on after the agent was asked to end. They are killed then.
const GRACE: Duration = Duration::from_secs(10);
/// How long the last results may take on their way, and how long one report of health.
const SENDING: Duration = Duration::from_secs(2);

/// The agent.
pub struct Agent {
    settings: AgentSettings,
    terminal: Arc<Terminal>,
    incoming: mpsc::Receiver<Incoming>,
    /// The commands that run.
    running: JoinSet<()>,
    /// Rejections on their way. They wait while the terminal is offline.
    rejections: JoinSet<()>,
    /// How often health is reported.
    every: Duration,
    /// None while a report is made: a check may take long.
    health: Option<HealthMonitor>,
    /// The report that is made.
    reporting: JoinSet<HealthMonitor>,
    is_online: bool,
    manager: ServiceManager,
}

impl Agent {
    /// Starts to connect.
    ///
    /// # Errors
    /// If a setting can't be used.
    pub fn start(settings: AgentSettings) -> anyhow::Result<Self> {
        let (reports, incoming) = mpsc::channel(QUEUE);
        let terminal = Arc::new(Terminal::start(settings.client()?, reports)?);
        let (every, health) = (settings.health.every, Some(HealthMonitor::new(settings.health.clone())));
        let (running, rejections, reporting) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        let manager = ServiceManager::from_environment();
        Ok(Self {
            settings,
            terminal,
            incoming,
            running,
            rejections,
            every,
            health,
            reporting,
            is_online: false,
            manager,
        })
    }

    /// Runs until a signal asks the agent to end, or a node tells the terminal to stay away. Returns false for the latter.
    pub async fn run(mut self) -> anyhow::Result<bool> {
        let mut stop = Stop::listen()?;
        let (mut watchdog, mut reports) = (Watchdog::from_environment(), reports(self.every));
        self.manager.ready("connecting");
        loop {
            tokio::select! {
                report = self.incoming.recv() => match report {
                    Some(Incoming::Gone(end)) => {
                        tracing::error!("told to stay away: {end}");
                        return Ok(false);
                    }
                    Some(report) => self.take(report, &mut reports),
                    None => bail!("the client has ended without a reason"),
                },
                _ = reports.tick(), if self.is_online => self.report_health(),
                Some(made) = self.reporting.join_next() => self.health = Some(made.context("a report of health")?),
                Some(_) = self.running.join_next() => {}
                Some(_) = self.rejections.join_next() => {}
                () = watchdog.due() => self.manager.beat(),
                () = stop.asked() => break,
            }
        }
        self.end().await;
        Ok(true)
    }

    fn take(&mut self, report: Incoming, reports: &mut Interval) {
        match report {
            Incoming::Online { .. } => {
                self.is_online = true;
                reports.reset_immediately();
                tracing::info!("online");
                self.manager.status("online");
            }
            Incoming::Command { command, .. } => self.begin(command),
            Incoming::Offline { end, retry_in } => self.went_offline(&end, retry_in),
            Incoming::Gap(gap) => tracing::warn!(?gap, "commands were lost"),
            Incoming::Error(error) => tracing::warn!(?error, "the node could not use a frame"),
            Incoming::NotSent(error) => tracing::warn!("{error}"),
            Incoming::TokenUnavailable(error) => tracing::warn!("token_file: {error}"),
            _ => {}
        }
    }

    fn went_offline(&mut self, end: &ConnectionEnd, retry_in: Duration) {
        self.is_online = false;
        tracing::warn!("offline, and back in {retry_in:.1?}: {end}");
        self.manager.status(&format!("offline: {end}"));
    }

    /// Begins to run a command, or rejects it.
    fn begin(&mut self, command: Command) {
        let Command { id, name, payload, .. } = command;
        match self.work(&name, &payload) {
            Ok(work) => {
                tracing::info!(%id, name, "runs");
                self.running.spawn(carry_out(self.terminal.clone(), id, work));
            }
            Err(NotAllowed(why)) => {
                tracing::warn!(%id, name, "rejected: {why}");
                let payload = Payload::from_text(&why);
                let rejected = ResultFrame { id, ok: false, reason: Some(NotRun::Rejected), payload };
                self.rejections.spawn(reject(self.terminal.clone(), rejected));
            }
        }
    }

    fn work(&self, name: &str, payload: &Payload) -> Result<Work, NotAllowed> {
        let work = Work::of(&self.settings, name, payload)?;
        if self.running.len() >= self.settings.commands_at_once {
            return Err(NotAllowed(format!("{} commands run already (commands_at_once)", self.running.len())));
        }
        Ok(work)
    }

    /// Begins a report, unless the one before is still made.
    fn report_health(&mut self) {
        let Some(mut health) = self.health.take() else { return };
        let terminal = self.terminal.clone();
        self.reporting.spawn(async move {
            let report = health.report().await;
            // The next report says the same or better.
            let _ = time::timeout(SENDING, terminal.send(FromTerminal::Health(report))).await;
            health
        });
    }

    /// Lets the programs that run end, sends their results, and closes the session.
    async fn end(mut self) {
        self.manager.stopping("ends");
        let programs = async { while self.running.join_next().await.is_some() {} };
        if time::timeout(GRACE, programs).await.is_err() {
            tracing::warn!("programs did not end within {GRACE:?}; they are killed");
        }
        let rejections = async { while self.rejections.join_next().await.is_some() {} };
        let _ = time::timeout(SENDING, rejections).await;
        self.running.shutdown().await;
        self.rejections.shutdown().await;
        self.reporting.shutdown().await;
        // Closing waits for the listener, so somebody must go on listening.
        let mut incoming = self.incoming;
        let listening = tokio::spawn(async move { while incoming.recv().await.is_some() {} });
        if let Some(terminal) = Arc::into_inner(self.terminal) {
            let _ = time::timeout(SENDING, terminal.close()).await;
        }
        listening.abort();
    }
}

/// Sends a rejection once there is room for it.
async fn reject(terminal: Arc<Terminal>, rejected: ResultFrame) {
    if let Err(error) = terminal.send(FromTerminal::Result(rejected)).await {
        tracing::warn!("a rejection was not sent: {error}");
    }
}

/// Does the work of a command, and sends its progress and its result.
async fn carry_out(terminal: Arc<Terminal>, id: CommandId, work: Work) {
    let progress = |output: String| {
        let terminal = terminal.clone();
        async move {
            let payload = Payload::from_value(&serde_json::json!({ "output": output }));
            let _ = time::timeout(SENDING, terminal.progress(id, payload)).await;
        }
    };
    let end = work.run(progress).await;
    tracing::info!(%id, succeeded = end.succeeded, "ended");
    if let Err(error) = terminal.result(id, end.succeeded, Payload::from_value(&end.reply)).await {
        tracing::warn!(%id, "the result was not sent: {error}");
    }
}

fn reports(every: Duration) -> Interval {
    let mut reports = time::interval(every);
    reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
    reports
}

/// The signals that ask the agent to end.
struct Stop([Signal; 2]);

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("signals can't be received");
        Ok(Self([listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?]))
    }

    async fn asked(&mut self) {
        let [terminate, interrupt] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
