//! Builds the terminals of the plan and starts one task for each. The terminals share no state that affects their
//! behaviour.

use std::sync::Arc;

use muster_client::{Backoff, Policy};
use tokio::task::JoinSet;

use super::{FrameReceiver, LiveCounters, PlayedTerminal, ProgramPipe, endpoints::Endpoints, socket::Dialer};
use crate::{
    config::{Config, SessionTickets},
    journal::Journal,
    plan::{Behaviour, Partition, Plan},
};

/// Starts the terminals of this part, which speak by `program` if there is one. They run until the plan ends or the
/// returned set is shut down. Fails if a URL can't be resolved or a token can't be signed.
pub async fn start(
    config: &Config,
    plan: &Plan,
    partition: Partition,
    journal: &Arc<Journal>,
    live: &Arc<LiveCounters>,
    program: Option<&ProgramPipe>,
) -> anyhow::Result<JoinSet<()>> {
    let endpoints = Endpoints::new(config, program).await?;
    let mut fleet = JoinSet::new();
    for number in (0..plan.terminals.len()).filter(|number| partition.has(*number)) {
        let planned = plan.terminals[number].clone();
        let receiver = FrameReceiver {
            number,
            run: partition.run,
            binary: config.adapter.raw.binary,
            messages: plan.messages.len(),
            journal: journal.clone(),
            live: live.clone(),
        };
        let slow = planned.behaviour == Behaviour::Slow;
        let first = config.churn.backoff;
        let policy = Policy { first, cap: first.max(Policy::default().cap), ..Policy::default() };
        let seed = plan.seed.wrapping_add(number as u64);
        let terminal = PlayedTerminal {
            dialer: Dialer {
                source: config.fleet.source.get(number % config.fleet.source.len().max(1)).copied(),
                slow,
                ..endpoints.dialer(number, &partition.id(number), seed)?
            },
            rate: config.slow.filter(|_| slow).map(|slow| slow.rate),
            backoff: Backoff::new(policy, seed),
            planned,
            receiver,
            resume: None,
            // Each terminal starts at another endpoint and address, so that the first one does not receive all
            // connections.
            next_target: number,
            black_hole: None,
            replaced: JoinSet::new(),
        };
        fleet.spawn(terminal.live());
    }
    Ok(fleet)
}

/// Returns the settings of all connections that attack. Their numbers follow those of terminals and of publishers.
pub async fn attackers(
    config: &Config,
    partition: Partition,
    program: Option<&ProgramPipe>,
) -> anyhow::Result<Vec<Dialer>> {
    let count = config.disturb.connections();
    if count == 0 {
        return Ok(Vec::new());
    }
    let endpoints = Endpoints::new(config, program).await?;
    let first = config.fleet.terminals + partition.of;
    let dialer = |number: usize| {
        let id = format!("load-{:08x}-attacker-{number}", partition.run).parse()?;
        endpoints.dialer(first + number, &id, config.seed.unwrap_or_default())
    };
    (0..count).map(dialer).collect()
}

/// Returns the settings of the connection that publishes messages through the adapter. Its number is that of the
/// terminal after the last one.
pub async fn publisher(config: &Config, partition: Partition, program: Option<&ProgramPipe>) -> anyhow::Result<Dialer> {
    let mut endpoints = Endpoints::new(config, program).await?;
    endpoints.tickets = SessionTickets::Off;
    let id = format!("load-{:08x}-publisher-{}", partition.run, partition.rest).parse()?;
    endpoints.dialer(config.fleet.terminals + partition.rest, &id, config.seed.unwrap_or_default())
}
