//! The terminals: each comes and goes by its plan, and writes down what it gets. In between the shipped client decides.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use muster_client::{Config as Client, Incoming, Listener, Terminal, Token};
use muster_protocol::{TerminalId, api::Protocol, token::TerminalClaims};
use serde::Deserialize;
use tokio::{task::JoinSet, time};

use crate::{
    config::{Config, Line},
    log::{Arrival, Log},
    plan::Plan,
};

/// How long the tokens of a run are valid.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a broadcast of a run carries, beside its padding.
#[derive(Debug, Deserialize)]
struct Content {
    run: u64,
    number: usize,
}

/// Starts all terminals; they run until the set is shut down.
pub fn start(config: &Config, plan: Arc<Plan>, log: Arc<Log>) -> anyhow::Result<JoinSet<()>> {
    let mut fleet = JoinSet::new();
    let tag: u32 = rand::random();
    for number in 0..config.line.terminals {
        let terminal = format!("load-{tag:08x}-{number}").parse()?;
        let client = client(&config.line, terminal, plan.seed, number)?;
        fleet.spawn(live(number, client, plan.clone(), log.clone()));
    }
    Ok(fleet)
}

/// One terminal's client, with a token if there is a secret to sign it with.
pub fn client(line: &Line, terminal: TerminalId, seed: u64, number: usize) -> anyhow::Result<Client> {
    let mut client = Client::new(line.url.iter().cloned(), terminal.clone());
    client.token = token(line, terminal)?;
    client.protocol = if line.plain { Protocol::Plain } else { Protocol::V1 };
    client.sdk = "muster-loadgen".into();
    client.source = (!line.source.is_empty()).then(|| line.source[number % line.source.len()]);
    client.seed = seed.wrapping_add(number as u64);
    Ok(client)
}

fn token(line: &Line, sub: TerminalId) -> anyhow::Result<Option<Token>> {
    let Some(secret) = &line.secret else { return Ok(None) };
    let exp = (SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)? + DAY).as_secs();
    let header = Header { kid: Some(secret.kid.clone()), ..Header::new(Algorithm::HS256) };
    let claims = TerminalClaims { sub, exp, aud: None, labels: Default::default() };
    Ok(Some(encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes()))?.parse()?))
}

/// One terminal: each stay is a connection that is opened, held by the client's own policy, and closed politely.
async fn live(number: usize, client: Client, plan: Arc<Plan>, log: Arc<Log>) {
    for stay in &plan.stays[number] {
        time::sleep_until(log.began + stay.from).await;
        log.terminal(number).ready.push(None);
        let witness = Witness { number, run: plan.seed, online: AtomicBool::new(false), log: log.clone() };
        // The URL was checked with the first terminal; a bad one has ended the run.
        let Ok(terminal) = Terminal::start(client.clone(), witness) else { return };
        time::sleep_until(log.began + stay.to).await;
        terminal.close().await;
    }
}

/// Writes down what one stay of one terminal sees.
struct Witness {
    number: usize,
    run: u64,
    online: AtomicBool,
    log: Arc<Log>,
}

impl Listener for Witness {
    async fn on(&self, incoming: Incoming) {
        match incoming {
            Incoming::Online { at, .. } => self.online(at),
            Incoming::Command { command, received_at } => self.arrived(command.payload.as_json(), received_at),
            Incoming::Text { text, received_at } => self.arrived(&text, received_at),
            Incoming::Repeated(_) => self.log.terminal(self.number).repeated += 1,
            Incoming::Offline { end, .. } => {
                tracing::info!(number = self.number, %end, "offline");
                self.offline(1);
            }
            Incoming::Gone(end) => self.offline(u64::from(end != muster_client::End::Left)),
            Incoming::Gap(_) | Incoming::Complaint(_) | Incoming::Expired(_) => {
                self.log.terminal(self.number).strange += 1
            }
        }
    }
}

impl Witness {
    fn online(&self, at: std::time::Instant) {
        let at = self.log.time(at);
        if !self.online.swap(true, Ordering::Relaxed) {
            self.log.online(1);
        }
        if let Some(first) = self.log.terminal(self.number).ready.last_mut() {
            first.get_or_insert(at);
        }
    }

    fn offline(&self, unplanned: u64) {
        if self.online.swap(false, Ordering::Relaxed) {
            self.log.online(-1);
            self.log.terminal(self.number).unplanned += unplanned;
        }
    }

    fn arrived(&self, payload: &str, at: std::time::Instant) {
        let at = self.log.time(at);
        let mut lines = self.log.terminal(self.number);
        match serde_json::from_str::<Content>(payload) {
            Ok(content) if content.run == self.run => lines.arrivals.push(Arrival { number: content.number, at }),
            _ => lines.strange += 1,
        }
        self.log.received();
    }
}
