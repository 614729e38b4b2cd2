//! How terminals fare: when they were last heard, their health, and who of them is silent.

use muster_protocol::{NodeId, TerminalId, frame::Condition};
use redis::RedisResult;

use super::StorePartition;
use crate::reports::HealthReport;

/// The most reports of one call, and the bytes of health at which a call gets no more.
const REPORTS_MAX: usize = 512;
const BYTES_MAX: usize = 256 << 10;

impl StorePartition {
    /// Stores reports of terminals, in calls of at most 512 reports and about 256 KiB. What is reported of a terminal
    /// that is not known is dropped.
    ///
    /// # Errors
    /// If Redis does not answer or refuses a call. Calls before it were carried out.
    pub async fn vitals(&self, reports: &[(TerminalId, HealthReport)]) -> RedisResult<()> {
        let mut left = reports.iter();
        while !left.as_slice().is_empty() {
            let (mut call, mut bytes) = (self.scripts.vitals(&self.keys), 0);
            for (terminal, report) in left.by_ref().take(REPORTS_MAX) {
                let (health, condition) = health(report);
                bytes += health.len();
                let (seen, rtt) =
                    report.seen.map_or((String::new(), 0), |(at, rtt)| (at.as_millisecond().to_string(), rtt));
                call.arg(terminal.as_str()).arg(seen).arg(rtt).arg(health).arg(condition);
                if bytes >= BYTES_MAX {
                    break;
                }
            }
            let () = call.invoke_async(&mut self.connection.clone()).await?;
        }
        Ok(())
    }

    /// Says which of a node's sessions did not answer their last ping, by the ordinals of their terminals. All others
    /// have answered.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn set_stale(&self, node: &NodeId, ordinals: &[u32]) -> RedisResult<()> {
        let key = self.keys.key(&format!("stale:{node}"));
        let bitmap = super::bitmap::bitmap(ordinals.iter().copied());
        redis::cmd("SET").arg(key).arg(bitmap).query_async(&mut self.connection.clone()).await
    }
}

/// Returns the health of a report as JSON, and the word of its condition; both empty without health.
fn health(report: &HealthReport) -> (String, &'static str) {
    let Some(health) = &report.health else { return Default::default() };
    let condition = match health.condition {
        Condition::Ok => "ok",
        Condition::Degraded => "degraded",
        Condition::Failing => "failing",
    };
    (serde_json::to_string(health).expect("health is JSON"), condition)
}
