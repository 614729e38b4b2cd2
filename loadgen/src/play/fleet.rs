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

use super::{
    FrameReceiver, LiveCounters, PlayedTerminal,
    socket::{DialTarget, Dialer, TlsTarget},
};
use crate::{
    config::{Acks, Config, FleetConfig, ServerKind, SessionTickets},
    journal::Journal,
    plan::{Behaviour, Partition, Plan},
};

/// The validity of the tokens that a run signs: 30 days. Sessions end with their tokens, and a run does not renew them.
const VALIDITY: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long the look-up of a name may take.
const LOOKUP: Duration = Duration::from_secs(10);

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
    let kind = FleetTargets { target: config.target, tickets: config.tls_tickets };
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
                targets: targets(&resolved, kind, &id),
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

/// Returns the endpoints of one terminal, with its own session tickets. The terminal's id is put into the query for Muster
/// only; a raw server is called by its URL as given.
fn targets(resolved: &[ResolvedUrl], kind: FleetTargets, id: &TerminalId) -> Arc<[DialTarget]> {
    let target = |url: &ResolvedUrl| {
        let query = match (url.uri.query(), kind.target) {
            (Some(query), ServerKind::Muster) => format!("?{query}&terminal_id={id}"),
            (None, ServerKind::Muster) => format!("?terminal_id={id}"),
            (Some(query), ServerKind::Raw) => format!("?{query}"),
            (None, ServerKind::Raw) => String::new(),
        };
        let scheme = if url.tls.is_some() { "wss" } else { "ws" };
        let authority = url.uri.authority().map_or("", |authority| authority.as_str());
        let uri = format!("{scheme}://{authority}{}{query}", url.uri.path());
        let tls = url.tls.as_ref().map(|tls| TlsTarget { host: url.host.clone(), tls: kind.own(tls) });
        DialTarget { addresses: url.addresses.clone(), tls, uri: uri.parse().expect("an id needs no escaping") }
    };
    resolved.iter().map(target).collect()
}

/// What decides how a terminal's endpoints are made.
#[derive(Clone, Copy)]
struct FleetTargets {
    target: ServerKind,
    tickets: SessionTickets,
}

impl FleetTargets {
    fn own(self, tls: &Tls) -> Tls {
        match self.tickets {
            SessionTickets::On => tls.with_own_tickets(),
            SessionTickets::Off => tls.without_tickets(),
        }
    }
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
    let raw = FleetTargets { target: ServerKind::Raw, tickets: SessionTickets::Off };
    let targets = targets(&resolve(fleet).await?, raw, &id);
    Ok(Dialer { token: token(fleet, &id)?, id, targets, source: None, v1: false, slow: false })
}
