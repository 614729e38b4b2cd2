//! Measures the generator itself against the null server: once with terminals, and once with a loop that only reads.
//! The part of a result above this floor is due to the server under test.

use std::{process::Stdio, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{
    bare,
    play::{head_start, play},
};
use crate::{
    clock::Clock,
    config::{Arrivals, Churn, Config, ServerKind},
    interrupt::Interrupt,
    names,
    plan::{Partition, Plan},
    report::Floor,
};

/// The maximum number of terminals. A run with fewer terminals uses its own number.
const TERMINALS: usize = 2000;

/// Measures the floor, in about 10 s. Returns `None` if a signal came before or meanwhile. Fails if the null server
/// does not start or nothing is delivered.
pub async fn floor(config: &Config, interrupt: &Interrupt) -> anyhow::Result<Option<Floor>> {
    let readers = async {
        let (child, address) = server_process().await?;
        let config = calm(config, &address)?;
        let plan = Arc::new(Plan::new(&config, 1));
        let bare_us_per_frame = bare::cpu_us_per_frame(&config, &plan, &address).await?;
        anyhow::Ok((child, config, plan, bare_us_per_frame))
    };
    let (mut child, config, plan, bare_us_per_frame) = tokio::select! {
        biased;
        () = interrupt.requested() => return Ok(None),
        measured = readers => measured?,
    };
    let partition = Partition { run: rand::random(), of: 1, rest: 0 };
    let mut played = play(&config, &plan, partition, Clock::start_in(head_start(&config)), interrupt, None).await?;
    if played.cut_short {
        return Ok(None);
    }
    let tally = played.judge(false);
    child.kill().await?;
    let live = tally.latencies.get(names::LIVE).context("nothing was delivered")?;
    Ok(Some(Floor { live: live.into(), cpu_us_per_frame: played.own(&tally).cpu_us_per_frame, bare_us_per_frame }))
}

/// Returns the configuration without disturbances: no terminal leaves, and there are enough messages to measure their
/// cost.
fn calm(config: &Config, address: &str) -> anyhow::Result<Config> {
    let mut config = config.clone();
    config.target = ServerKind::Raw;
    config.adapter = Default::default();
    config.handshake = Default::default();
    config.send = Default::default();
    config.fleet.url = vec![format!("ws://{address}/")];
    config.fleet.terminals = config.fleet.terminals.min(TERMINALS);
    config.fleet.secret = None;
    config.api = Vec::new();
    config.post = Some(format!("http://{address}/").parse()?);
    config.ramp = Duration::from_secs(1);
    config.warm = Duration::ZERO;
    config.duration = Duration::from_secs(3);
    config.grace = Duration::from_millis(500);
    config.broadcasts = Arrivals::Constant(10.0);
    config.commands = Arrivals::Constant(0.0);
    config.churn.when = Churn::Poisson(0.0);
    config.slow = None;
    config.mute = Default::default();
    config.disturb = Default::default();
    config.events = None;
    config.costs = Default::default();
    config.outputs.live_metrics = None;
    config.no_tui = true;
    config.title = "floor".into();
    Ok(config)
}

/// Starts the null server as a process, so that its CPU time does not count as ours. To drop the child kills it. The
/// child also ends when this process does, in whatever way, because its stdin then ends. Ctrl-C reaches this process
/// alone, which then ends the child.
async fn server_process() -> anyhow::Result<(Child, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["null-server", "--until-stdin-ends"]).process_group(0).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("the null server can't be started")?;
    let mut lines = BufReader::new(child.stdout.take().context("the null server has no stdout")?).lines();
    let line = lines.next_line().await?.context("the null server ended without an address")?;
    let address = line.strip_prefix("ready on ").context("the null server did not print its address")?.to_owned();
    Ok((child, address))
}
