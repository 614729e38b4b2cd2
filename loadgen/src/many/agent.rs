//! An agent: plays its part of a run whenever a coordinator connects, one run at a time.

use std::{io::Write, net::SocketAddr, sync::Arc};

use anyhow::{Context, bail};
use clap::Parser;
use tokio::net::TcpListener;

use super::{Answer, Order, Peer, boot};
use crate::{
    clock::{Clock, monotonic},
    config::Config,
    console::note,
    interrupt::Interrupt,
    measure::promises_replay,
    plan::Plan,
    play::fleet::Part,
    preflight, run, view,
};

#[derive(Parser)]
#[command(args_override_self = true)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

/// Serves until it is interrupted, and prints `agent on IP:PORT` once it listens. The agent takes secrets from its
/// own environment, because the coordinator does not send them. A failed run is reported to the coordinator, and the
/// agent goes on to serve. Fails if the address can't be bound or stdout can't be written.
pub async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("--listen {listen}"))?;
    writeln!(std::io::stdout(), "agent on {}", listener.local_addr()?).context("its address on stdout")?;
    let interrupt = Interrupt::listen(view::leave)?;
    while !interrupt.is_requested() {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = interrupt.requested() => break,
        };
        let mut peer_line = Peer::new(stream);
        if let Err(error) = obey(&mut peer_line, &interrupt).await {
            note(format!("muster-loadgen: the run for {peer} failed: {error:#}"));
            let _ = peer_line.say(&Answer::Failed(format!("{error:#}"))).await;
        }
    }
    Ok(())
}

async fn obey(peer: &mut Peer, interrupt: &Interrupt) -> anyhow::Result<()> {
    loop {
        let order = tokio::select! {
            order = peer.hear() => order?,
            () = interrupt.requested() => bail!("the agent was interrupted"),
        };
        match order {
            Order::Clock => peer.say(&Answer::Clock { boot: boot(), now: monotonic() }).await?,
            Order::Start { flags, seed, run, of, rest, zero } => {
                let config = Flags::try_parse_from(std::iter::once("agent".to_owned()).chain(flags))?.config;
                return part(peer, config, seed, Part { run, of, rest }, Clock::at(zero), interrupt).await;
            }
            Order::Judge { .. } => bail!("the coordinator asked for a tally before the run"),
        }
    }
}

async fn part(
    peer: &mut Peer,
    config: Config,
    seed: u64,
    part: Part,
    clock: Clock,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    config.validate()?;
    let mut mine = config.line.clone();
    mine.terminals = config.line.terminals.div_ceil(part.of);
    preflight::check(&mine)?;
    let plan = Arc::new(Plan::new(&config, seed));
    let played = run::play(&config, &plan, part, clock, interrupt).await?;
    let replay = promises_replay(&config, &plan, &played.journal);
    let (sent, over) = (played.journal.all_sent(), played.over);
    let (cut_short, failed) = (played.cut_short, played.failed);
    peer.say(&Answer::Played { sent, replay, over, cut_short, failed }).await?;
    let Order::Judge { sent, replay } = peer.hear().await? else { bail!("the coordinator did not ask for the tally") };
    let tally = played.judge(&config, &plan, part, sent, replay);
    let own = played.own(&tally);
    peer.say(&Answer::Judged { tally: Box::new(tally), own }).await
}
