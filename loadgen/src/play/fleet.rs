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
    Ear, Live, Terminal,
    socket::{Caller, Door},
};
use crate::{
    config::{Acks, Config, Line, Target},
    journal::Journal,
    plan::{Plan, Temper},
};

/// The validity of the tokens that a run signs: one day.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The part of the plan that this process plays. Several processes can share a plan; each takes every `of`-th
/// terminal and message.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The run's random id, which is part of each message and of each terminal's id.
    pub run: u32,
    /// The number of processes that share the plan.
    pub of: usize,
    /// This process's index among them: it plays each terminal and message whose number modulo `of` equals `rest`.
    pub rest: usize,
}

impl Part {
    /// Returns true if this process plays the terminal or message with this number.
    pub fn has(&self, number: usize) -> bool {
        number % self.of == self.rest
    }

    /// Returns the id of the terminal with this number.
    pub fn id(&self, number: usize) -> TerminalId {
        format!("load-{:08x}-{number}", self.run).parse().expect("letters, digits and dashes")
    }
}

/// Starts the terminals of this part. They run until the plan ends or the returned set is shut down. Fails if a URL
/// can't be resolved or a token can't be signed.
pub async fn start(
    config: &Config,
    plan: &Plan,
    part: Part,
    journal: &Arc<Journal>,
    live: &Arc<Live>,
) -> anyhow::Result<JoinSet<()>> {
    let targets = targets(&config.line).await?;
    let v1 = config.target == Target::Muster && !config.line.plain;
    let mut fleet = JoinSet::new();
    for number in (0..plan.lives.len()).filter(|number| part.has(*number)) {
        let life = plan.lives[number].clone();
        let ear = Ear {
            number,
            run: part.run,
            v1,
            acks_all: config.acks == Acks::All,
            messages: plan.messages.len(),
            journal: journal.clone(),
            live: live.clone(),
        };
        let id = part.id(number);
        let slow = life.temper == Temper::Slow;
        let policy =
            Policy { first: config.backoff, cap: config.backoff.max(Policy::default().cap), ..Policy::default() };
        let terminal = Terminal {
            caller: Caller {
                doors: doors(&targets, config.target, &id),
                token: token(&config.line, &id)?,
                source: config.line.source.get(number % config.line.source.len().max(1)).copied(),
                v1,
                slow,
                id,
            },
            rate: config.slow.filter(|_| slow).map(|slow| slow.rate),
            backoff: Backoff::new(policy, plan.seed.wrapping_add(number as u64)),
            life,
            ear,
            cursor: None,
            // Each terminal starts at another endpoint, so that the first one does not receive all connections.
            turn: number,
            black_hole: None,
            replaced: JoinSet::new(),
        };
        fleet.spawn(terminal.live());
    }
    Ok(fleet)
}

/// Resolves each URL to an address, once for all terminals.
async fn targets(line: &Line) -> anyhow::Result<Vec<(Uri, SocketAddr)>> {
    let mut targets = Vec::new();
    for url in &line.url {
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
fn doors(targets: &[(Uri, SocketAddr)], target: Target, id: &TerminalId) -> Arc<[Door]> {
    let door = |(uri, address): &(Uri, SocketAddr)| {
        let query = match (uri.query(), target) {
            (Some(query), Target::Muster) => format!("?{query}&terminal_id={id}"),
            (None, Target::Muster) => format!("?terminal_id={id}"),
            (Some(query), Target::Raw) => format!("?{query}"),
            (None, Target::Raw) => String::new(),
        };
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let uri = format!("ws://{authority}{}{query}", uri.path()).parse().expect("an id needs no escaping");
        Door { address: *address, uri }
    };
    targets.iter().map(door).collect()
}

/// Signs a token for a terminal. Returns `None` if no secret is set.
pub fn token(line: &Line, id: &TerminalId) -> anyhow::Result<Option<String>> {
    let Some(secret) = &line.secret else { return Ok(None) };
    let exp = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + DAY).as_secs();
    let claims = TerminalClaims { sub: id.clone(), exp, aud: None, labels: Default::default() };
    Ok(Some(sign(secret, &claims)))
}

/// Returns the settings of the connection that sends messages to a server which relays to all terminals what it
/// receives.
pub async fn publisher(line: &Line) -> anyhow::Result<Caller> {
    let id: TerminalId = "load-publisher".parse()?;
    let doors = doors(&targets(line).await?, Target::Raw, &id);
    Ok(Caller { token: token(line, &id)?, id, doors, source: None, v1: false, slow: false })
}
