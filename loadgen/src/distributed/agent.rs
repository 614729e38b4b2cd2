//! An agent: plays its part of a run whenever a coordinator connects, one run at a time.

use std::{convert::Infallible, io::Write, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Parser;
use tokio::{net::TcpListener, sync::watch, time::timeout};

use super::{AgentAnswer, AgentConnection, AgentRequest, AgentToken, STRANGER, boot};
use crate::{
    clock::{Clock, monotonic},
    config::Config,
    console::note,
    interrupt::Interrupt,
    plan::{Partition, Plan},
    preflight, run, view,
};

/// How long a coordinator may take to prove that it knows the token. The agent has one peer at a time.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Parser)]
#[command(args_override_self = true)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

/// Serves whoever knows the token until it is interrupted, and prints `agent on IP:PORT` once it listens. The agent takes secrets from its
/// own environment, because the coordinator does not send them. A failed run is reported to the coordinator, and the
/// agent goes on to serve. Fails if the address can't be bound or stdout can't be written.
pub async fn serve(listen: SocketAddr, token: &AgentToken) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("--listen {listen}"))?;
    writeln!(std::io::stdout(), "agent on {}", listener.local_addr()?).context("its address on stdout")?;
    let interrupt = Interrupt::listen(view::leave)?;
    while !interrupt.is_requested() {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = interrupt.requested() => break,
        };
        let mut peer_line = AgentConnection::new(stream);
        let served = async {
            let late = |_| Err(anyhow!("it has not said within {PATIENCE:?} who it is"));
            timeout(PATIENCE, admit(&mut peer_line, token)).await.unwrap_or_else(late)?;
            serve_coordinator(&mut peer_line, &interrupt).await
        };
        if let Err(error) = served.await {
            note(format!("muster-loadgen: the run for {peer} failed: {error:#}"));
            let _ = peer_line.send(&AgentAnswer::Failed(format!("{error:#}"))).await;
        }
    }
    Ok(())
}

/// Fails if the agent has a token, and the coordinator does not prove that it knows it.
async fn admit(peer: &mut AgentConnection, token: &AgentToken) -> anyhow::Result<()> {
    let AgentRequest::Hello = peer.receive_at_most(STRANGER).await? else { bail!("it did not say hello") };
    let challenge = token.challenge();
    peer.send(&AgentAnswer::Challenge(challenge.clone())).await?;
    let Some(challenge) = challenge else { return Ok(()) };
    match peer.receive_at_most(STRANGER).await? {
        AgentRequest::Proof(proof) if token.accepts(&challenge, &proof) => peer.send(&AgentAnswer::Welcome).await,
        _ => bail!("--agent-token (or MUSTER_AGENT_TOKEN) of the coordinator is not the agent's"),
    }
}

async fn serve_coordinator(peer: &mut AgentConnection, interrupt: &Interrupt) -> anyhow::Result<()> {
    loop {
        let order = tokio::select! {
            order = peer.receive() => order?,
            () = interrupt.requested() => bail!("the agent was interrupted"),
        };
        match order {
            AgentRequest::Clock => peer.send(&AgentAnswer::Clock { boot: boot(), now: monotonic() }).await?,
            AgentRequest::Start { flags, seed, run, of, rest, zero } => {
                let config = Flags::try_parse_from(std::iter::once("agent".to_owned()).chain(flags))?.config;
                return play_partition(peer, config, seed, Partition { run, of, rest }, Clock::at(zero), interrupt)
                    .await;
            }
            AgentRequest::Hello | AgentRequest::Proof(_) | AgentRequest::Stop | AgentRequest::Judge { .. } => {
                bail!("the coordinator asked for a tally before the run")
            }
        }
    }
}

async fn play_partition(
    peer: &mut AgentConnection,
    config: Config,
    seed: u64,
    partition: Partition,
    clock: Clock,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    config.validate()?;
    ensure!(
        config.adapter.adapter_cmd.is_none(),
        "an agent starts no program that others name: leave out --adapter-cmd"
    );
    let mut mine = config.fleet.clone();
    mine.terminals = config.fleet.terminals.div_ceil(partition.of);
    // Whoever connects tells an agent what to play, and must not thereby have a shell on its host.
    ensure!(config.disturb.timed.is_empty(), "--at is not for agents, which run no commands: use --events");
    preflight::check(&mine, config.disturb.connections())?;
    let plan = Arc::new(Plan::new(&config, seed));
    let (stop, stopped) = Interrupt::by_message();
    let mut played = tokio::select! {
        played = run::play(&config, &plan, partition, clock, &stopped, None) => played?,
        never = forward_stop(peer, interrupt, stop) => match never {},
    };
    let replay = played.owes_replay();
    let (sent, over) = (played.journal.all_sent(), played.over);
    let (cut_short, failed) = (played.cut_short, played.failed);
    peer.send(&AgentAnswer::Played { sent, replay, over, cut_short, failed }).await?;
    let (sent, replay) = loop {
        match peer.receive().await? {
            AgentRequest::Judge { sent, replay } => break (sent, replay),
            // It was sent before the coordinator knew that this part was over.
            AgentRequest::Stop => {}
            _ => bail!("the coordinator did not ask for the tally"),
        }
    };
    played.journal.learn(sent);
    let tally = played.judge(replay);
    let own = played.own(&tally);
    peer.send(&AgentAnswer::Judged { tally: Box::new(tally), own }).await
}

/// Sends to `stop` when a signal or the coordinator ends the run. A coordinator that has gone ends it, too: nobody
/// would get the results. The call does not return.
async fn forward_stop(peer: &mut AgentConnection, interrupt: &Interrupt, stop: watch::Sender<bool>) -> Infallible {
    tokio::select! {
        () = interrupt.requested() => {}
        // Nothing but `AgentRequest::Stop` is sent while the run goes on.
        _ = peer.receive::<AgentRequest>() => {}
    }
    stop.send_replace(true);
    std::future::pending().await
}
