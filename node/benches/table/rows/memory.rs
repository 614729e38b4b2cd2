//! What a session at rest holds.

use async_trait::async_trait;

use crate::{
    kernel_memory::kernel_memory,
    row::{Measurement, RowGoal, RowUnit, RowValue, TableRow, known},
    stage::BenchStage,
    subjects::{NODE_REDIS, NODE_REDIS_V1},
};

/// The rows.
pub const ROWS: &[TableRow] = &[
    TableRow {
        name: "RSS per idle session",
        unit: RowUnit::Kib,
        goals: &[RowGoal::at_most(NODE_REDIS, 1.4), RowGoal::at_most(NODE_REDIS_V1, 1.7)],
    },
    TableRow { name: "kernel memory per session, both ends", unit: RowUnit::Kib, goals: &[] },
];

/// Memory with idle sessions, less the memory before they came. To be measured before anything is delivered.
pub struct IdleMemory;

#[async_trait(?Send)]
impl Measurement for IdleMemory {
    fn rows(&self) -> &'static [TableRow] {
        ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        let sessions = stage.crowd.size() as f64;
        let kib = |now: u64, before: u64| (now as f64 - before as f64) / 1024.0 / sessions;
        vec![known(kib(stage.server.memory(), stage.empty)), known(kib(kernel_memory(), stage.kernel_empty))]
    }
}
