//! The coordinator: starts all agents at one moment, converted to each agent's clock, and makes one report of their
//! results. The coordinator itself reads the servers' metrics and costs.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail, ensure};
use jiff::Timestamp;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{AgentAnswer, AgentConnection, AgentRequest, AgentToken, boot};
use crate::{
    clock::{Clock, Nanos, SECOND, monotonic},
    config::{Config, without_secrets},
    console::note,
    health::ServerSnapshot,
    interrupt::Interrupt,
    journal::{SendOutcome, Sent},
    marks,
    measure::Tally,
    plan::Plan,
    play::{operator, tls_check},
    report::{GeneratorCost, baseline},
    run::{self, Completion, RunFacts, outputs},
    verdict::RunOutcome,
};

/// The time that all agents have to build their fleets before the run begins.
const HEAD_START: Duration = Duration::from_secs(1);
/// How often an agent's clock is asked. The answer with the shortest round trip counts.
const ASKED: usize = 20;

/// How long an agent may take to accept the connection, and to say what its clock shows.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an agent may take after the run to say what it sent.
const GATHERED: Duration = Duration::from_secs(60);
/// How long an agent may take to judge its terminals.
const JUDGED: Duration = Duration::from_secs(300);

/// A connected agent and the offset of its clock.
struct RemoteAgent {
    name: String,
    /// Whether it failed, so that the report leaves it out.
    failed: bool,
    peer: AgentConnection,
    /// The agent's clock minus the coordinator's, in nanoseconds.
    offset: i64,
    /// The greatest possible error of `offset`, in nanoseconds.
    error: Nanos,
}

/// Runs the configuration on the agents at the addresses `names`, and returns the outcome. `words` is the command line.
/// Fails if an agent can't be reached, or if all of them fail during the run. An agent that fails is left out of the
/// report, which says so.
pub async fn run(
    names: Vec<String>,
    token: &AgentToken,
    config: Config,
    words: Vec<String>,
) -> anyhow::Result<RunOutcome> {
    config.validate()?;
    ensure!(config.outputs.logs.is_none(), "--logs is not available with several generators: leave it out");
    ensure!(!config.costs.floor, "--floor is not available with several generators: measure it with `run`");
    ensure!(config.adapter.adapter_cmd.is_none(), "--adapter-cmd is not available with several generators");
    ensure!(config.outputs.live_metrics.is_none(), "--live-metrics is not available with several generators");
    outputs::check(&config)?;
    let baseline = baseline::read_for(&config.baseline, config.fleet.terminals)?;
    tls_check::check(&config).await?;
    operator::ask(&config).await?;
    let mut agents = Vec::new();
    for name in names {
        agents.push(RemoteAgent::connect(name, token).await?);
    }
    let plan = Arc::new(Plan::new(&config, config.seed.unwrap_or_else(rand::random)));
    note(format!("seed {}, schedule {:016x}, {} agents", plan.seed, plan.hash(), agents.len()));
    let (before, started_at) = (ServerSnapshot::look(&config).await, Timestamp::now());
    let clock = Clock::start_in(HEAD_START + run::head_start(&config));
    let marks = marks::listen(config.events.as_deref(), clock)?;
    let interrupt = Interrupt::listen(|| {})?;
    start(&mut agents, &plan, clock, &words).await?;
    tokio::select! {
        () = clock.wait_until(plan.end + SECOND) => {}
        () = interrupt.requested() => stop(&mut agents).await,
    }
    let costs = ServerSnapshot::look(&config).await.since(&before);
    let over = clock.instant(plan.last) + GATHERED;
    let (sent, replay, mut course) = gather(&mut agents, &plan, over, &interrupt).await;
    let (tally, own) = judge(&mut agents, sent, replay).await;
    ensure!(!own.is_empty(), "no agent has a result: see their own output");
    course.failed |= own.len() < agents.len();
    let marks = marks.lock().map(|marks| marks.clone()).unwrap_or_default();
    let clock_ms = agents.iter().map(|agent| agent.error).max().unwrap_or(0) as f64 / 1e6;
    let command = without_secrets(&words).join(" ");
    let facts = RunFacts { command, started_at, floor: None, replay, generators: own.len(), clock_ms, course };
    let mut report = run::assemble(&config, &plan, &tally, &own, &marks, costs, facts);
    report.verdict.regressed(baseline::regressions(&report, &baseline));
    let written = outputs::write(&config, &report, &tally, |_| Ok(()));
    Ok(report.verdict.outcome.with_outputs(written))
}

impl RemoteAgent {
    async fn connect(name: String, token: &AgentToken) -> anyhow::Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(&name)).await;
        let stream =
            stream.map_err(Into::into).and_then(|stream| stream).with_context(|| format!("--agents {name}"))?;
        let peer = AgentConnection::new(stream);
        let mut agent = Self { name, failed: false, peer, offset: 0, error: Nanos::MAX };
        agent.greet(token).await?;
        for _ in 0..ASKED {
            agent.ask().await?;
        }
        Ok(agent)
    }

    /// Proves to the agent that it is asked by whom it obeys, if it wants to know.
    async fn greet(&mut self, token: &AgentToken) -> anyhow::Result<()> {
        self.peer.send(&AgentRequest::Hello).await?;
        let challenge = match self.receive(PATIENCE).await? {
            AgentAnswer::Challenge(None) => return Ok(()),
            AgentAnswer::Challenge(Some(challenge)) => challenge,
            _ => bail!("agent {}: its answer is no challenge: run the same version everywhere", self.name),
        };
        let proof = token.proof(&challenge);
        let proof =
            proof.with_context(|| format!("agent {} needs --agent-token (or MUSTER_AGENT_TOKEN)", self.name))?;
        self.peer.send(&AgentRequest::Proof(proof)).await?;
        match self.receive(PATIENCE).await? {
            AgentAnswer::Welcome => Ok(()),
            _ => bail!("agent {}: it did not take the proof", self.name),
        }
    }

    /// Asks for the agent's clock once. An agent on the same kernel has the same clock. On another kernel the offset
    /// is known to half of the round-trip time.
    async fn ask(&mut self) -> anyhow::Result<()> {
        let asked = monotonic();
        self.peer.send(&AgentRequest::Clock).await?;
        let AgentAnswer::Clock { boot: theirs, now } = self.receive(PATIENCE).await? else {
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

    async fn receive(&mut self, within: Duration) -> anyhow::Result<AgentAnswer> {
        let received = timeout(within, self.peer.receive()).await;
        let received = received.unwrap_or_else(|_| bail!("it says nothing: does another coordinator use it?"));
        match received.with_context(|| format!("agent {}", self.name))? {
            AgentAnswer::Failed(why) => bail!("agent {}: {why}", self.name),
            answer => Ok(answer),
        }
    }

    async fn judged(&mut self, order: &AgentRequest) -> anyhow::Result<(Box<Tally>, GeneratorCost)> {
        self.peer.send(order).await?;
        match self.receive(JUDGED).await? {
            AgentAnswer::Judged { tally, own } => Ok((tally, own)),
            _ => bail!("its answer has no tally"),
        }
    }

    /// Leaves the agent out of the report, and says why.
    fn leave_out(&mut self, why: &anyhow::Error) {
        self.failed = true;
        note(format!("muster-loadgen: the report leaves out agent {}: {why:#}", self.name));
    }
}

async fn start(agents: &mut [RemoteAgent], plan: &Plan, clock: Clock, words: &[String]) -> anyhow::Result<()> {
    let (run, of) = (rand::random(), agents.len());
    for (rest, agent) in agents.iter_mut().enumerate() {
        let zero = clock.zero().saturating_add_signed(agent.offset);
        let order = AgentRequest::Start { flags: flags(words), seed: plan.seed, run, of, rest, zero };
        agent.peer.send(&order).await?;
    }
    Ok(())
}

/// Returns the run's flags without those that are only for the coordinator. Secrets are left out, too: agents take
/// them from their own environment.
fn flags(words: &[String]) -> Vec<String> {
    const OURS: [&str; 16] = [
        "--agents",
        "--agent-token",
        "--baseline",
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
    let mut words = words.iter().skip(1);
    let mut passed_on = Vec::new();
    while let Some(word) = words.next() {
        let flag = word.split('=').next().unwrap_or(word);
        if !OURS.contains(&flag) {
            passed_on.push(word.clone());
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
/// comes meanwhile. An agent that has not answered by `over` has failed.
async fn gather(
    agents: &mut [RemoteAgent],
    plan: &Plan,
    over: Instant,
    interrupt: &Interrupt,
) -> (Vec<Option<Sent>>, bool, Completion) {
    let (mut all, mut any, mut course) = (vec![None; plan.messages.len()], false, Completion::default());
    let mut is_stopped = false;
    for index in 0..agents.len() {
        let answer = loop {
            let left = over.saturating_duration_since(Instant::now());
            tokio::select! {
                answer = agents[index].receive(left) => break answer,
                () = interrupt.requested(), if !is_stopped => {
                    stop(agents).await;
                    is_stopped = true;
                }
            }
        };
        match answer {
            Ok(AgentAnswer::Played { sent, replay, cut_short, failed, .. }) => {
                all.iter_mut().zip(sent).filter(|(_, sent)| sent.is_some()).for_each(|(all, sent)| *all = sent);
                any |= replay;
                course.cut_short |= cut_short;
                course.failed |= failed;
            }
            Ok(_) => agents[index].leave_out(&anyhow!("its answer does not say what it sent")),
            Err(error) => agents[index].leave_out(&error),
        }
        if agents[index].failed {
            forget(&mut all, plan, index, agents.len());
        }
    }
    (all, any, course)
}

/// Marks the messages of a failed agent: it may have sent them, and terminals of others may have got them.
fn forget(sent: &mut [Option<Sent>], plan: &Plan, index: usize, of: usize) {
    for (sent, message) in sent.iter_mut().zip(&plan.messages).skip(index).step_by(of) {
        let fate = SendOutcome::Unknown("the agent that sends it failed".into());
        *sent = Some(Sent { at: message.due, answered: Nanos::MAX, fate, endpoint: 0, acked: None, done: None });
    }
}

/// Merges the tallies of all agents that have one.
async fn judge(agents: &mut [RemoteAgent], sent: Vec<Option<Sent>>, replay: bool) -> (Tally, Vec<GeneratorCost>) {
    let order = AgentRequest::Judge { sent, replay };
    let (mut sum, mut costs) = (Tally::default(), Vec::new());
    for agent in agents.iter_mut().filter(|agent| !agent.failed) {
        match agent.judged(&order).await {
            Ok((tally, own)) => {
                sum.merge(&tally);
                costs.push(own);
            }
            Err(error) => agent.leave_out(&error),
        }
    }
    (sum, costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_receives_only_the_flags_of_the_run() {
        let words =
            "coordinate --agents a:1,b:2 --url ws://h --json x --slo=lost==0 --terminals 7 --agent-token *** --key ***";
        let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        assert_eq!(flags(&words), ["--url", "ws://h", "--terminals", "7", "--no-tui"]);
        words.extend(["--title", "the build of today", "--source", "127.0.0.2"].map(str::to_owned));
        assert_eq!(flags(&words)[4..], ["--source", "127.0.0.2", "--no-tui"], "a title may have blanks");
    }
}
