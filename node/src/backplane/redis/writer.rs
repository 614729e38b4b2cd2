//! The writing half: what sessions have reported becomes a few calls, each beat. Every one of them may be repeated without
//! harm but events, which a failed write may show twice.

use muster_protocol::{TerminalId, frame::Condition};
use redis::{Pipeline, RedisResult};
use tokio::time;

use super::{Redis, keys};
use crate::{
    backplane::{REPORT_BEAT, life::accepted_ms},
    reports::{Batch, Happening, Step, Vitals},
};

/// Terminals in one call of a script: it holds Redis for about a millisecond.
const PORTION: usize = 1000;
/// Events kept.
const EVENTS_MAX: usize = 10_000;
/// Conditions that terminals are counted by; the others are `ok`.
const CONDITIONS: [(Condition, &str); 2] = [(Condition::Degraded, "degraded"), (Condition::Failing, "failing")];

impl Redis {
    /// Takes reports for ever. What can't be written is tried again, while new ones gather in their bounded table.
    pub(super) async fn write_reports(&self) {
        let mut beat = time::interval(REPORT_BEAT);
        loop {
            beat.tick().await;
            let batch = self.reports.drain();
            while let Err(error) = self.write(&batch).await {
                tracing::debug!(%error, "reports wait");
                time::sleep(10 * REPORT_BEAT).await;
            }
        }
    }

    pub(super) async fn write(&self, batch: &Batch) -> RedisResult<()> {
        for (step, terminals) in batch.all_steps() {
            self.raise(step, &terminals).await?;
        }
        for (command, terminal, payload) in &batch.replies {
            let mut call = self.scripts.reply();
            call.arg(command.to_string()).arg(terminal.as_str()).arg(payload.as_json());
            let () = call.invoke_async(&mut self.connection.clone()).await?;
        }
        let mut pipe = redis::pipe();
        batch.vitals.iter().for_each(|(terminal, vitals)| write_vitals(&mut pipe, terminal, vitals));
        batch.happenings.iter().for_each(|happening| write_event(&mut pipe, happening));
        if pipe.is_empty() { Ok(()) } else { pipe.query_async(&mut self.connection.clone()).await }
    }

    async fn raise(&self, step: Step, terminals: &[(&TerminalId, u64)]) -> RedisResult<()> {
        let begun = accepted_ms(step.command);
        for portion in terminals.chunks(PORTION) {
            let mut call = self.scripts.raise();
            call.arg(step.command.to_string()).arg(step.state.name()).arg(if step.settled { "settled" } else { "" });
            for (terminal, at) in portion {
                call.arg(terminal.as_str()).arg(at.saturating_sub(begun));
            }
            let _: u64 = call.invoke_async(&mut self.connection.clone()).await?;
        }
        Ok(())
    }
}

fn write_vitals(pipe: &mut Pipeline, terminal: &TerminalId, vitals: &Vitals) {
    let terminal = terminal.as_str();
    if let Some((at, rtt)) = vitals.seen {
        let at = at.as_millisecond();
        pipe.hset(keys::SEEN, terminal, format!("{at} {rtt}")).ignore();
        // Only of those who are on the line.
        pipe.cmd("ZADD").arg(keys::PULSE).arg("XX").arg(at).arg(terminal).ignore();
    }
    if let Some(health) = &vitals.health {
        pipe.hset(keys::HEALTH, terminal, serde_json::to_string(health).expect("health is JSON")).ignore();
        for (condition, name) in CONDITIONS {
            let set = format!("{}{name}", keys::CONDITION);
            if health.condition == condition {
                pipe.sadd(set, terminal).ignore();
            } else {
                pipe.srem(set, terminal).ignore();
            }
        }
    }
}

fn write_event(pipe: &mut Pipeline, happening: &Happening) {
    pipe.cmd("XADD").arg(keys::EVENTS).arg("MAXLEN").arg("~").arg(EVENTS_MAX).arg("*");
    pipe.arg("kind").arg(happening.kind).arg("data").arg(happening.data()).ignore();
}
