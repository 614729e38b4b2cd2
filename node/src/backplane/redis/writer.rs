//! Writes what sessions have reported, in a few calls at each interval. Every call may be repeated without harm, except
//! those that write events: after a failed write an event may be shown twice.
//!
//! What Redis refuses for good is dropped and counted, one call at a time, so that it blocks nothing behind it. A Redis
//! without memory (maxmemory) refuses events and replies, and still takes the states of commands and the health of
//! terminals.
//!
//! Only one task writes at a time, and what could not be written comes before what was reported since: a later reply is
//! never replaced by an earlier one, and nothing is lost while Redis is away.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use muster_protocol::{CommandId, Payload, TerminalId};
use redis::{Pipeline, RedisError, RedisResult};
use tokio::{sync::Semaphore, time};

use super::{RedisBackplane, keys, refusal::refused_for_good};
use crate::{
    backplane::{command_record::accepted_ms, rules::EVENTS_MAX},
    reports::{HealthReport, ReportBatch, ReportedEvent, StateReport},
};

/// Terminals in one call of a script: it holds Redis for about a millisecond.
const PORTION: usize = 1000;
/// Events in one call, of 8 KiB at most each.
const PORTION_OF_EVENTS: usize = 100;

/// The shortest time between two warnings about reports that were dropped.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Whose turn it is to write, and what could not be written yet.
#[derive(Debug)]
pub struct Writer {
    turn: Semaphore,
    unwritten: Mutex<Arc<ReportBatch>>,
    /// When a warning about dropped reports was last logged.
    warned_at: Mutex<Option<Instant>>,
}

impl Default for Writer {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), unwritten: Mutex::default(), warned_at: Mutex::default() }
    }
}

impl Writer {
    fn unwritten(&self) -> Arc<ReportBatch> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_unwritten(&self, batch: Arc<ReportBatch>) {
        *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner) = batch;
    }

    /// Whether no warning was logged within [`WARNING_INTERVAL`]. If so, one counts as logged now.
    fn may_warn(&self) -> bool {
        let mut warned_at = self.warned_at.lock().unwrap_or_else(PoisonError::into_inner);
        let may = warned_at.is_none_or(|at| at.elapsed() >= WARNING_INTERVAL);
        if may {
            *warned_at = Some(Instant::now());
        }
        may
    }
}

impl RedisBackplane {
    /// Takes reports for ever. What can't be written is tried again, while new ones gather in their bounded table.
    pub(super) async fn write_reports(&self) {
        let mut beat = time::interval(self.report_interval);
        loop {
            beat.tick().await;
            if let Err(error) = self.flush().await {
                tracing::debug!(%error, "reports wait");
                time::sleep(10 * self.report_interval).await;
            }
        }
    }

    /// Writes everything that was reported until now.
    pub(super) async fn flush(&self) -> RedisResult<()> {
        let _turn = self.writer.turn.acquire().await;
        self.write(&self.writer.unwritten()).await?;
        let batch = Arc::new(self.reports.drain());
        if batch.dropped > 0 {
            tracing::warn!(dropped = batch.dropped, "reports found no room while Redis was away");
            self.metrics.reports_dropped.with_label_values(&["no_room"]).inc_by(batch.dropped);
        }
        self.writer.set_unwritten(batch.clone());
        self.write(&batch).await?;
        self.writer.set_unwritten(Arc::default());
        Ok(())
    }

    async fn write(&self, batch: &ReportBatch) -> RedisResult<()> {
        // Replies first: whoever sees that a command has ended sees its reply too.
        self.reply(&batch.replies).await?;
        for (step, terminals) in batch.all_states() {
            self.raise(step, &terminals).await?;
        }
        self.keep_vitals(&batch.vitals).await?;
        // An answer is due in time also from a Redis that is busy, so that no call carries much.
        for portion in batch.events.chunks(PORTION_OF_EVENTS) {
            let (mut pipe, key) = (redis::pipe(), self.keys.key(keys::EVENTS));
            portion.iter().for_each(|event| write_event(&mut pipe, &key, event));
            let written: RedisResult<()> = pipe.query_async(&mut self.connection.clone()).await;
            self.drop_refused(written, "event_refused", |refused| refused)?;
        }
        Ok(())
    }

    /// Drops what Redis refused for good. `count` tells, from the number of calls that were refused, how many reports
    /// these were; they are counted under `reason`. Passes any other failure on.
    fn drop_refused(
        &self,
        written: RedisResult<()>,
        reason: &str,
        count: impl Fn(usize) -> usize,
    ) -> Result<(), RedisError> {
        let Err(error) = written else { return Ok(()) };
        let Some(refused) = refused_for_good(&error) else { return Err(error) };
        self.metrics.reports_dropped.with_label_values(&[reason]).inc_by(count(refused) as u64);
        if self.writer.may_warn() {
            tracing::warn!(
                %error, reason,
                "Redis refuses reports, which are dropped and counted in muster_reports_dropped_total: check maxmemory, \
                 the rights of this node's Redis user, and who else writes to its keys"
            );
        }
        Ok(())
    }

    async fn raise(&self, step: StateReport, terminals: &[(&TerminalId, u64)]) -> RedisResult<()> {
        let begun = accepted_ms(step.command);
        for portion in terminals.chunks(PORTION) {
            let mut call = self.scripts.raise();
            call.arg(step.command.to_string()).arg(step.state.name()).arg(if step.last { "settled" } else { "" });
            for (terminal, at) in portion {
                call.arg(terminal.as_str()).arg(at.saturating_sub(begun));
            }
            let written = call.invoke_async::<u64>(&mut self.connection.clone()).await;
            self.drop_refused(written.map(drop), "state_refused", |_| portion.len())?;
        }
        Ok(())
    }

    async fn reply(&self, replies: &[(CommandId, TerminalId, Payload)]) -> RedisResult<()> {
        let mut by_command: HashMap<CommandId, Vec<(&TerminalId, &Payload)>> = HashMap::new();
        for (command, terminal, payload) in replies {
            by_command.entry(*command).or_default().push((terminal, payload));
        }
        for (command, replies) in by_command {
            for portion in replies.chunks(PORTION) {
                let mut call = self.scripts.reply();
                call.arg(command.to_string());
                for (terminal, payload) in portion {
                    call.arg(terminal.as_str()).arg(payload.as_json());
                }
                let written: RedisResult<()> = call.invoke_async(&mut self.connection.clone()).await;
                self.drop_refused(written, "reply_refused", |_| portion.len())?;
            }
        }
        Ok(())
    }

    async fn keep_vitals(&self, vitals: &HashMap<TerminalId, HealthReport>) -> RedisResult<()> {
        let vitals: Vec<_> = vitals.iter().collect();
        for portion in vitals.chunks(PORTION) {
            let mut call = self.scripts.vitals();
            for (terminal, vitals) in portion {
                let (seen, rtt) =
                    vitals.seen.map(|(at, rtt)| (at.as_millisecond().to_string(), rtt)).unwrap_or_default();
                let health = vitals.health.as_ref();
                let condition = health.and_then(|health| serde_json::to_value(health.condition).ok());
                call.arg(terminal.as_str()).arg(seen).arg(rtt);
                call.arg(
                    health.map(|health| serde_json::to_string(health).expect("health is JSON")).unwrap_or_default(),
                );
                call.arg(condition.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default());
            }
            let written: RedisResult<()> = call.invoke_async(&mut self.connection.clone()).await;
            self.drop_refused(written, "health_refused", |_| portion.len())?;
        }
        Ok(())
    }
}

fn write_event(pipe: &mut Pipeline, key: &str, event: &ReportedEvent) {
    pipe.cmd("XADD").arg(key).arg("MAXLEN").arg("~").arg(EVENTS_MAX).arg("*");
    pipe.arg("kind").arg(event.kind).arg("data").arg(event.data()).ignore();
}
