//! Builds the terminals of the plan and starts one task for each. The terminals share no state that affects their
//! behaviour.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context, ensure};
use muster_client::{Backoff, Policy};
use muster_protocol::{
    TerminalId,
    token::{TerminalClaims, sign},
};
use tokio::{net::lookup_host, task::JoinSet};
use tokio_tungstenite::tungstenite::http::Uri;

use super::{
    FrameReceiver, LiveCounters, PlayedTerminal,
    socket::{DialTarget, Dialer},
};
use crate::{
    config::{Acks, Config, FleetConfig, ServerKind},
    journal::Journal,
    plan::{Behaviour, Partition, Plan},
};

/// The validity of the tokens that a run signs: 30 days. Sessions end with their tokens, and a run does not renew them.
const VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

/// Starts the terminals of this part. They run until the plan ends or the returned set is shut down. Fails if a URL
/// can't be resolved or a token can't be signed.
pub async fn start(
    config: &Config,
    plan: &Plan,
    partition: Partition,
    journal: &Arc<Journal>,
    live: &Arc<LiveCounters>,
) -> anyhow::Result<JoinSet<()>> {
    let resolved = resolve(&config.fleet).await?;
    let v1 = config.target == ServerKind::Muster && !config.fleet.plain;
    let mut fleet = JoinSet::new();
    for number in (0..plan.terminals.len()).filter(|number| partition.has(*number)) {
        let planned = plan.terminals[number].clone();
        let receiver = FrameReceiver {
            number,
            run: partition.run,
            v1,
            acks_all: config.acks == Acks::All,
            messages: plan.messages.len(),
            journal: journal.clone(),
            live: live.clone(),
        };
        let id = partition.id(number);
        let slow = planned.behaviour == Behaviour::Slow;
        let policy =
            Policy { first: config.backoff, cap: config.backoff.max(Policy::default().cap), ..Policy::default() };
        let terminal = PlayedTerminal {
            dialer: Dialer {
                targets: targets(&resolved, config.target, &id),
                token: token(&config.fleet, &id)?,
                source: config.fleet.source.get(number % config.fleet.source.len().max(1)).copied(),
                v1,
                slow,
                id,
            },
            rate: config.slow.filter(|_| slow).map(|slow| slow.rate),
            backoff: Backoff::new(policy, plan.seed.wrapping_add(number as u64)),
            planned,
            receiver,
            cursor: None,
            // Each terminal starts at another endpoint, so that the first one does not receive all connections.
            next_target: number,
            black_hole: None,
            replaced: JoinSet::new(),
        };
        fleet.spawn(terminal.live());
    }
    Ok(fleet)
}

/// Resolves each URL to an address, once for all terminals.
async fn resolve(fleet: &FleetConfig) -> anyhow::Result<Vec<(Uri, SocketAddr)>> {
    let mut targets = Vec::new();
    for url in &fleet.url {
        let uri: Uri = url.parse().with_context(|| format!("--url {url}"))?;
        ensure!(uri.scheme_str() == Some("ws"), "--url {url} must begin with ws://");
        let host =
            uri.host().with_context(|| format!("--url {url} names no host"))?.trim_matches(['[', ']']).to_owned();
        let mut addresses = lookup_host((host, uri.port_u16().unwrap_or(80))).await?;
        let address = addresses.next().with_context(|| format!("--url {url}: the host has no address"))?;
        drop(addresses);
        targets.push((uri, address));
    }
    Ok(targets)
}

/// Returns the endpoints of one terminal. The terminal's id is put into the query for Muster only; a raw server is
/// called by its URL as given.
fn targets(resolved: &[(Uri, SocketAddr)], target: ServerKind, id: &TerminalId) -> Arc<[DialTarget]> {
    let target = |(uri, address): &(Uri, SocketAddr)| {
        let query = match (uri.query(), target) {
            (Some(query), ServerKind::Muster) => format!("?{query}&terminal_id={id}"),
            (None, ServerKind::Muster) => format!("?terminal_id={id}"),
            (Some(query), ServerKind::Raw) => format!("?{query}"),
            (None, ServerKind::Raw) => String::new(),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let uri = format!("ws://{authority}{}{query}", uri.path()).parse().expect("an id needs no escaping");
        DialTarget { address: *address, uri }
    };
    resolved.iter().map(target).collect()
}

/// Signs a token for a terminal. Returns `None` if no secret is set.
pub fn token(fleet: &FleetConfig, id: &TerminalId) -> anyhow::Result<Option<String>> {
    let Some(secret) = &fleet.secret else { return Ok(None) };
    let exp = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + VALIDITY).as_secs();
    let claims = TerminalClaims::new(id.clone(), exp);
    Ok(Some(sign(secret, &claims)))
}

/// Returns the settings of the connection that sends messages to a server which relays to all terminals what it
/// receives.
pub async fn publisher(fleet: &FleetConfig) -> anyhow::Result<Dialer> {
    let id: TerminalId = "load-publisher".parse()?;
    let targets = targets(&resolve(fleet).await?, ServerKind::Raw, &id);
    Ok(Dialer { token: token(fleet, &id)?, id, targets, source: None, v1: false, slow: false })
}
