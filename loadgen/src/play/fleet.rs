//! Builds the terminals and lets them go. They know nothing of each other.

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

/// How long the tokens of a run are valid.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Which of the plan's terminals this process plays, and under which mark.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The run's mark, in messages and ids.
    pub run: u32,
    /// This process is one of so many...
    pub of: usize,
    /// ...and plays each terminal and message whose number leaves this rest.
    pub rest: usize,
}

impl Part {
    /// Whether this process plays it.
    pub fn has(&self, number: usize) -> bool {
        number % self.of == self.rest
    }

    /// A terminal's id.
    pub fn id(&self, number: usize) -> TerminalId {
        format!("load-{:08x}-{number}", self.run).parse().expect("letters, digits and dashes")
    }
}

/// Starts this part's terminals; they live until the set is shut down.
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
            // Not all at the first one.
            turn: number,
            black_hole: None,
            replaced: JoinSet::new(),
        };
        fleet.spawn(terminal.live());
    }
    Ok(fleet)
}

/// Each URL with its address, looked up once for all terminals.
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

/// A raw server is called by its URL alone.
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

/// A token for a terminal, if there is a secret to sign it with.
pub fn token(line: &Line, id: &TerminalId) -> anyhow::Result<Option<String>> {
    let Some(secret) = &line.secret else { return Ok(None) };
    let exp = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + DAY).as_secs();
    let claims = TerminalClaims { sub: id.clone(), exp, aud: None, labels: Default::default() };
    Ok(Some(sign(secret, &claims)))
}

/// The caller of the connection that sends, for servers that relay to all what they receive.
pub async fn publisher(line: &Line) -> anyhow::Result<Caller> {
    let id: TerminalId = "load-publisher".parse()?;
    let doors = doors(&targets(line).await?, Target::Raw, &id);
    Ok(Caller { token: token(line, &id)?, id, doors, source: None, v1: false, slow: false })
}
