//! The loop of the agent: takes commands, runs what is allowed, sends reports of the box's health, and ends gently.
//!
//! | Module | What it does |
//! |---|---|
//! | [`carry_out`](mod@carry_out) | does the work of a command, and sends its result |
//! | [`updating`] | the update of the agent, as the loop sees it |

mod carry_out;
mod updating;

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use muster_client::{ConnectionEnd, Incoming, Terminal};
use muster_protocol::{
    Payload,
    frame::{Command, FromTerminal, ResultFrame},
};
use muster_service::{ServiceManager, Watchdog};
use serde_json::json;
use tokio::{
    sync::mpsc,
    task::{JoinSet, spawn_blocking},
    time::{self, Interval, MissedTickBehavior},
};

use self::{
    carry_out::{SENDING, carry_out, rejection, send, send_progress, update_result},
    updating::{UpdateStep, Updating},
};
use crate::{
    allowed::NotAllowed, health::HealthMonitor, platform::StopRequests, settings::AgentSettings, update, work::Work,
};

/// How many reports of the client may wait.
const QUEUE: usize = 16;
/// How long programs may go on after the agent was asked to end. After this time the agent kills them.
const GRACE: Duration = Duration::from_secs(10);
/// How often the agent looks at the parts of files that never became whole.
const SWEEP: Duration = Duration::from_secs(3600);

/// Why the agent has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentEnd {
    /// A signal has asked the agent to end.
    Asked,
    /// A node has told the terminal to stay away.
    ToldToStayAway,
    /// An update has brought another program, which is to be started now.
    Switch,
}

/// The agent.
pub struct Agent {
    settings: AgentSettings,
    terminal: Arc<Terminal>,
    incoming: mpsc::Receiver<Incoming>,
    /// The commands that run.
    running: JoinSet<()>,
    /// Results on their way, except those of programs that have run. They wait while the terminal is offline.
    results: JoinSet<()>,
    updating: Updating,
    /// How often health is reported.
    every: Duration,
    /// The monitor; `None` while it makes a report, since a check may take long.
    health: Option<HealthMonitor>,
    /// The report that is being made.
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
        let updating = Updating::open(&settings)?;
        let (reports, incoming) = mpsc::channel(QUEUE);
        let terminal = Arc::new(Terminal::start(settings.client()?, reports)?);
        let (every, health) = (settings.health.every, Some(HealthMonitor::new(settings.health.clone())));
        let (running, results, reporting) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
        let manager = ServiceManager::from_environment();
        let mut agent = Self {
            settings,
            terminal,
            incoming,
            running,
            results,
            updating,
            every,
            health,
            reporting,
            is_online: false,
            manager,
        };
        if let Some(result) = agent.updating.ended().map(update_result) {
            agent.send_later(result);
        }
        Ok(agent)
    }

    /// Runs until a signal asks the agent to end, a node tells the terminal to stay away, or an update needs another
    /// program to run.
    ///
    /// # Errors
    /// If the agent can't go on.
    pub async fn run(mut self) -> anyhow::Result<AgentEnd> {
        let mut stop = StopRequests::listen()?;
        let (mut watchdog, mut reports, mut sweeps) =
            (Watchdog::from_environment(), interval(self.every), interval(SWEEP));
        self.manager.ready("connecting");
        let end = loop {
            tokio::select! {
                report = self.incoming.recv() => match report {
                    Some(Incoming::Gone(end)) => {
                        tracing::error!("told to stay away: {end}");
                        // The node may let the program before this one in.
                        if self.updating.is_on_trial() {
                            bail!("the new program was told to stay away");
                        }
                        return Ok(AgentEnd::ToldToStayAway);
                    }
                    Some(report) => self.take(report, &mut reports),
                    None => bail!("the client has ended without a reason"),
                },
                _ = reports.tick(), if self.is_online => self.report_health(),
                Some(made) = self.reporting.join_next() => self.health = Some(made.context("a report of health")?),
                Some(_) = self.running.join_next() => {}
                Some(_) = self.results.join_next() => {}
                step = self.updating.next() => match step? {
                    UpdateStep::Ended(end) => self.send_later(update_result(&end)),
                    UpdateStep::Switch { command, version } => {
                        tracing::info!(id = %command, version, "starts as another version");
                        send_progress(self.terminal.clone(), command, json!({ "starts_as": version })).await;
                        break AgentEnd::Switch;
                    }
                },
                _ = sweeps.tick() => self.sweep(),
                () = watchdog.due() => self.manager.beat(),
                () = stop.asked() => break AgentEnd::Asked,
            }
        };
        self.end(end).await;
        Ok(end)
    }

    fn take(&mut self, report: Incoming, reports: &mut Interval) {
        match report {
            Incoming::Online { .. } => {
                self.is_online = true;
                self.updating.online();
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
        self.updating.offline();
        tracing::warn!("offline, and back in {retry_in:.1?}: {end}");
        self.manager.status(&format!("offline: {end}"));
    }

    /// Begins to run a command, or rejects it.
    fn begin(&mut self, command: Command) {
        let Command { id, name, payload, .. } = command;
        let begun = if name == update::COMMAND && self.settings.update.is_some() {
            self.updating.begin(id, &payload)
        } else {
            self.work(&name, &payload).map(|work| _ = self.running.spawn(carry_out(self.terminal.clone(), id, work)))
        };
        match begun {
            Ok(()) => tracing::info!(%id, name, "runs"),
            Err(why) => {
                tracing::warn!(%id, name, "rejected: {}", why.0);
                self.send_later(rejection(id, &why));
            }
        }
    }

    fn send_later(&mut self, result: ResultFrame) {
        self.results.spawn(send(self.terminal.clone(), result));
    }

    /// Removes what is left of files that never became whole.
    fn sweep(&self) {
        for parts in self.settings.parts() {
            drop(spawn_blocking(move || parts.enforce()));
        }
    }

    fn work(&self, name: &str, payload: &Payload) -> Result<Work, NotAllowed> {
        let work = Work::of(&self.settings, name, payload)?;
        if self.running.len() >= self.settings.commands_at_once {
            return Err(NotAllowed(format!("{} commands run already (commands_at_once)", self.running.len())));
        }
        Ok(work)
    }

    /// Begins a report, unless the report before is still being made.
    fn report_health(&mut self) {
        let Some(mut health) = self.health.take() else { return };
        let terminal = self.terminal.clone();
        self.reporting.spawn(async move {
            let report = health.report().await;
            // If this report is lost, the next one says the same or newer things.
            let _ = time::timeout(SENDING, terminal.send(FromTerminal::Health(report))).await;
            health
        });
    }

    /// Lets the programs that run end, sends their results, and closes the session.
    async fn end(mut self, end: AgentEnd) {
        // The service manager must not wait for the end of a process in which another program goes on.
        match end {
            AgentEnd::Switch => self.manager.status("starts as another version"),
            _ => self.manager.stopping("ends"),
        }
        let programs = async { while self.running.join_next().await.is_some() {} };
        if time::timeout(GRACE, programs).await.is_err() {
            tracing::warn!("programs did not end within {GRACE:?}; they are killed");
        }
        let results = async { while self.results.join_next().await.is_some() {} };
        let _ = time::timeout(SENDING, results).await;
        self.running.shutdown().await;
        self.results.shutdown().await;
        self.reporting.shutdown().await;
        // To close waits for the listener, so somebody must go on listening.
        let mut incoming = self.incoming;
        let listening = tokio::spawn(async move { while incoming.recv().await.is_some() {} });
        if let Some(terminal) = Arc::into_inner(self.terminal) {
            let _ = time::timeout(SENDING, terminal.close()).await;
        }
        listening.abort();
    }
}

fn interval(every: Duration) -> Interval {
    let mut ticks = time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
