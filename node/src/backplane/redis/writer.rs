//! The writing half: what sessions have reported becomes a few calls, each beat. Every one of them may be repeated without
//! harm but events, which a failed write may show twice.

use muster_protocol::{TerminalId, api::TargetState};
use redis::{Pipeline, RedisResult};
use tokio::time;

use super::{Redis, keys};
use crate::{
    backplane::REPORT_BEAT,
    reports::{Batch, Vitals},
};

/// Terminals in one call of a script: it holds Redis for about a millisecond.
const PORTION: usize = 1000;
/// Events kept.
const EVENTS_MAX: usize = 10_000;

impl Redis {
    /// Takes reports for ever. What can't be written is tried again, while new ones gather in their bounded table.
    pub(super) async fn write_reports(&self) {
        let mut beat = time::interval(REPORT_BEAT);
        loop {
            beat.tick().await;
            let batch = self.reports.drain();
            while let Err(error) = self.write(batch.clone()).await {
                tracing::debug!(%error, "reports wait");
                time::sleep(10 * REPORT_BEAT).await;
            }
        }
    }

    pub(super) async fn write(&self, batch: Batch) -> RedisResult<()> {
        let mut connection = self.connection.clone();
        let sent = batch.sent.iter().map(|(command, terminals)| (*command, TargetState::Sent, &terminals[..]));
        let steps = batch.steps.iter().map(|((command, state), terminals)| (*command, *state, &terminals[..]));
        for (command, state, terminals) in sent.chain(steps) {
            for portion in terminals.chunks(PORTION) {
                let mut call = self.scripts.raise.prepare_invoke();
                call.key(keys::command(command)).key(keys::targets(command)).arg(name(state));
                call.arg(portion.iter().map(TerminalId::as_str).collect::<Vec<_>>());
                let _: u64 = call.invoke_async(&mut connection).await?;
            }
        }
        let mut pipe = redis::pipe();
        batch.vitals.iter().for_each(|(terminal, vitals)| write_vitals(&mut pipe, terminal, vitals));
        for happening in &batch.happenings {
            pipe.cmd("XADD").arg(keys::EVENTS).arg("MAXLEN").arg("~").arg(EVENTS_MAX).arg("*");
            pipe.arg("kind").arg(happening.kind).arg("data").arg(happening.data()).ignore();
        }
        if pipe.is_empty() { Ok(()) } else { pipe.query_async(&mut connection).await }
    }
}

fn write_vitals(pipe: &mut Pipeline, terminal: &TerminalId, vitals: &Vitals) {
    if let Some((at, rtt)) = vitals.seen {
        pipe.hset(keys::SEEN, terminal.as_str(), format!("{} {rtt}", at.as_millisecond())).ignore();
    }
    if let Some(health) = &vitals.health {
        let health = serde_json::to_string(health).expect("health is JSON");
        pipe.hset(keys::HEALTH, terminal.as_str(), health).ignore();
    }
}

fn name(state: TargetState) -> &'static str {
    match state {
        TargetState::Queued => "queued",
        TargetState::Sent => "sent",
        TargetState::Acked => "acked",
    }
}
