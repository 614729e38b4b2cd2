//! Builds the terminals of the plan and starts one task for each. The terminals share no state that affects their
//! behaviour.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, bail};
use muster_client::{Backoff, Policy};
use muster_net::{Tls, lookup::lookup};
use muster_protocol::{
    TerminalId,
    token::{TerminalClaims, sign},
};
use tokio::{task::JoinSet, time::Instant};
use tokio_tungstenite::tungstenite::http::Uri;

use super::{FrameReceiver, LiveCounters, PlayedTerminal, ProgramPipe, endpoints::Endpoints, socket::Dialer};
use crate::{
    config::{Config, FleetConfig, SessionTickets},
    journal::Journal,
    plan::{Behaviour, Partition, Plan},
};

/// The validity of the tokens that a run signs: 30 days. Sessions end with their tokens, and a run does not renew them.
const VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long the look-up of a name may take.
const LOOKUP: Duration = Duration::from_secs(10);

/// Starts the terminals of this part, which speak by `program` if there is one. They run until the plan ends or the returned set is shut down. Fails if a URL
/// can't be resolved or a token can't be signed.
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
            // Each terminal starts at another endpoint and address, so that the first one does not receive all connections.
            next_target: number,
            black_hole: None,
            replaced: JoinSet::new(),
        };
        fleet.spawn(terminal.live());
    }
    Ok(fleet)
}

/// A URL with what all terminals share.
pub(super) struct ResolvedUrl {
    pub uri: Uri,
    pub host: Arc<str>,
    pub addresses: Arc<[SocketAddr]>,
    /// `None` without TLS.
    pub tls: Option<Tls>,
}

/// Looks up all addresses of each URL's host, once for all terminals.
pub(super) async fn resolve(fleet: &FleetConfig) -> anyhow::Result<Vec<ResolvedUrl>> {
    let mut resolved = Vec::new();
    for url in &fleet.url {
        let uri: Uri = url.parse().with_context(|| format!("--url {url}"))?;
        let host =
            uri.host().with_context(|| format!("--url {url} names no host"))?.trim_matches(['[', ']']).to_owned();
        let tls = fleet.tls.of(&uri)?;
        let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let found = lookup(&host, port, Instant::now() + LOOKUP).await.with_context(|| format!("--url {url}"))?;
        if let Some(source) = fleet.source.iter().find(|source| found.iter().all(|to| to.is_ipv4() != source.is_ipv4()))
        {
            bail!("--source {source}: no address of --url {url} can be reached from it");
        }
        resolved.push(ResolvedUrl { uri, host: host.into(), addresses: found.into(), tls });
    }
    Ok(resolved)
}

/// Signs a token for a terminal. Returns `None` if no secret is set.
pub fn token(fleet: &FleetConfig, id: &TerminalId) -> anyhow::Result<Option<String>> {
    let Some(secret) = &fleet.secret else { return Ok(None) };
    let exp = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + VALIDITY).as_secs();
    let claims = TerminalClaims::new(id.clone(), exp);
    Ok(Some(sign(secret, &claims)))
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

/// Returns the settings of the connection that publishes messages through the adapter. Its number is that of the terminal
/// after the last one.
pub async fn publisher(config: &Config, partition: Partition, program: Option<&ProgramPipe>) -> anyhow::Result<Dialer> {
    let mut endpoints = Endpoints::new(config, program).await?;
    endpoints.tickets = SessionTickets::Off;
    let id = format!("load-{:08x}-publisher-{}", partition.run, partition.rest).parse()?;
    endpoints.dialer(config.fleet.terminals + partition.rest, &id, config.seed.unwrap_or_default())
}
