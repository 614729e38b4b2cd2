//! The coordinator: starts all agents at one moment, converted to each agent's clock, and makes one report of their
//! results. The coordinator itself reads the servers' metrics and costs.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use tokio::net::TcpStream;

use super::{AgentAnswer, AgentConnection, AgentRequest, boot};
use crate::{
    clock::{Clock, Nanos, SECOND, monotonic},
    config::Config,
    console::note,
    health::ServerSnapshot,
    interrupt::Interrupt,
    journal::Sent,
    marks,
    measure::Tally,
    plan::Plan,
    play::{operator, tls_check},
    run::{self, Completion, RunFacts, outputs},
    verdict::RunOutcome,
};

/// The time that all agents have to build their fleets before the run begins.
const HEAD_START: Duration = Duration::from_secs(1);
/// How often an agent's clock is asked. The answer with the shortest round trip counts.
const ASKED: usize = 20;

/// A connected agent and the offset of its clock.
struct RemoteAgent {
    name: String,
    peer: AgentConnection,
    /// The agent's clock minus the coordinator's, in nanoseconds.
    offset: i64,
    /// The greatest possible error of `offset`, in nanoseconds.
    error: Nanos,
}

/// Runs the configuration on the agents at the addresses `names`, and returns the outcome. Fails if an agent can't
/// be reached, fails, or breaks the protocol.
pub async fn run(names: Vec<String>, config: Config, command: String) -> anyhow::Result<RunOutcome> {
    config.validate()?;
    ensure!(config.logs.is_none(), "--logs is not available with several generators: leave it out");
    ensure!(!config.floor, "--floor is not available with several generators: measure it with `run`");
    outputs::check(&config)?;
    tls_check::check(&config).await?;
    operator::ask(&config).await?;
    let mut agents = Vec::new();
    for name in names {
        agents.push(RemoteAgent::connect(name).await?);
    }
    let plan = Arc::new(Plan::new(&config, config.seed.unwrap_or_else(rand::random)));
    note(format!("seed {}, schedule {:016x}, {} agents", plan.seed, plan.hash(), agents.len()));
    let (before, started_at) = (ServerSnapshot::look(&config).await, Timestamp::now());
    let clock = Clock::start_in(HEAD_START + run::head_start(&config));
    let marks = marks::listen(config.events.as_deref(), clock)?;
    let interrupt = Interrupt::listen(|| {})?;
    start(&mut agents, &plan, clock, &command).await?;
    tokio::select! {
        () = clock.wait_until(plan.end + SECOND) => {}
        () = interrupt.requested() => stop(&mut agents).await,
    }
    let costs = ServerSnapshot::look(&config).await.since(&before);
    let (sent, replay, course) = gather(&mut agents, plan.messages.len(), &interrupt).await?;
    let (tally, own) = judge(&mut agents, sent, replay).await?;
    let marks = marks.lock().map(|marks| marks.clone()).unwrap_or_default();
    let clock_ms = agents.iter().map(|agent| agent.error).max().unwrap_or(0) as f64 / 1e6;
    let facts = RunFacts { command, started_at, floor: None, replay, generators: agents.len(), clock_ms, course };
    let report = run::assemble(&config, &plan, &tally, &own, &marks, costs, facts);
    let written = outputs::write(&config, &report, &tally, |_| Ok(()));
    Ok(report.verdict.outcome.with_outputs(written))
}

impl RemoteAgent {
    async fn connect(name: String) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&name).await.with_context(|| format!("--agents {name}"))?;
        let mut agent = Self { name, peer: AgentConnection::new(stream), offset: 0, error: Nanos::MAX };
        for _ in 0..ASKED {
            agent.ask().await?;
        }
        Ok(agent)
    }

    /// Asks for the agent's clock once. An agent on the same kernel has the same clock. On another kernel the offset
    /// is known to half of the round-trip time.
    async fn ask(&mut self) -> anyhow::Result<()> {
        let asked = monotonic();
        self.peer.send(&AgentRequest::Clock).await?;
        let AgentAnswer::Clock { boot: theirs, now } = self.receive().await? else {
            bail!("agent {}: the response has no clock", self.name)
        };
        let half = (monotonic() - asked) / 2;
        if theirs == boot() {
            (self.offset, self.error) = (0, 0);
        } else if half < self.error {
            (self.offset, self.error) = (now as i64 - (asked + half) as i64, half);
        }
        Ok(())
    }

    async fn receive(&mut self) -> anyhow::Result<AgentAnswer> {
        match self.peer.receive().await.with_context(|| format!("agent {}", self.name))? {
            AgentAnswer::Failed(why) => bail!("agent {}: {why}", self.name),
            answer => Ok(answer),
        }
    }
}

async fn start(agents: &mut [RemoteAgent], plan: &Plan, clock: Clock, command: &str) -> anyhow::Result<()> {
    let (run, of) = (rand::random(), agents.len());
    for (rest, agent) in agents.iter_mut().enumerate() {
        let zero = clock.zero().saturating_add_signed(agent.offset);
        let order = AgentRequest::Start { flags: flags(command), seed: plan.seed, run, of, rest, zero };
        agent.peer.send(&order).await?;
    }
    Ok(())
}

/// Returns the run's flags without those that are only for the coordinator. Secrets are left out, too: agents take
/// them from their own environment.
fn flags(command: &str) -> Vec<String> {
    const OURS: [&str; 14] = [
        "--agents",
        "--metrics",
        "--watch",
        "--redis",
        "--events",
        "--json",
        "--html",
        "--junit",
        "--hgrm",
        "--logs",
        "--slo",
        "--key",
        "--secret",
        "--title",
    ];
    let mut words = command.split(' ').skip(1).peekable();
    let mut passed_on = Vec::new();
    while let Some(word) = words.next() {
        let flag = word.split('=').next().unwrap_or(word);
        if !OURS.contains(&flag) {
            passed_on.push(word.to_owned());
        } else if !word.contains('=') {
            words.next();
        }
    }
    passed_on.push("--no-tui".into());
    passed_on
}

/// Ends the run of all agents early. Their results are about the time until then. An agent that has failed says so in
/// its next answer.
async fn stop(agents: &mut [RemoteAgent]) {
    for agent in agents {
        let _ = agent.peer.send(&AgentRequest::Stop).await;
    }
}

/// Collects what all agents sent, and whether any node promised replay to any of them. Stops the agents if a signal
/// comes meanwhile.
async fn gather(
    agents: &mut [RemoteAgent],
    messages: usize,
    interrupt: &Interrupt,
) -> anyhow::Result<(Vec<Option<Sent>>, bool, Completion)> {
    let (mut all, mut any, mut course) = (vec![None; messages], false, Completion::default());
    let mut is_stopped = false;
    for index in 0..agents.len() {
        let answer = loop {
            tokio::select! {
                answer = agents[index].receive() => break answer?,
                () = interrupt.requested(), if !is_stopped => {
                    stop(agents).await;
                    is_stopped = true;
                }
            }
        };
        let AgentAnswer::Played { sent, replay, cut_short, failed, .. } = answer else {
            bail!("agent {}: the response does not say what was sent", agents[index].name)
        };
        all.iter_mut().zip(sent).filter(|(_, sent)| sent.is_some()).for_each(|(all, sent)| *all = sent);
        any |= replay;
        course.cut_short |= cut_short;
        course.failed |= failed;
    }
    Ok((all, any, course))
}

async fn judge(
    agents: &mut [RemoteAgent],
    sent: Vec<Option<Sent>>,
    replay: bool,
) -> anyhow::Result<(Tally, Vec<crate::report::GeneratorCost>)> {
    let order = AgentRequest::Judge { sent, replay };
    let (mut sum, mut costs) = (Tally::default(), Vec::new());
    for agent in agents {
        agent.peer.send(&order).await?;
        let AgentAnswer::Judged { tally, own } = agent.receive().await? else {
            bail!("agent {}: the response has no tally", agent.name)
        };
        sum.merge(&tally);
        costs.push(own);
    }
    Ok((sum, costs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_receives_only_the_flags_of_the_run() {
        let got = flags("coordinate --agents a:1,b:2 --url ws://h --json x --slo=lost==0 --terminals 7 --key ***");
        assert_eq!(got, ["--url", "ws://h", "--terminals", "7", "--no-tui"]);
    }
}
