//! What stays of bursts.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::sleep;

use crate::{
    row::{Measurement, RowGoal, RowUnit, RowValue, TableRow, known},
    stage::BenchStage,
    subjects::{NODE, NODE_REDIS, NODE_REDIS_V1, NODE_V1},
};

/// The rows.
pub const ROWS: &[TableRow] = &[
    TableRow { name: "RSS after 5 s of bursts, to idle", unit: RowUnit::Ratio, goals: &[] },
    TableRow {
        name: "RSS 10 s after the bursts, to idle",
        unit: RowUnit::Ratio,
        goals: &[
            RowGoal::at_most(NODE, 1.1),
            RowGoal::at_most(NODE_V1, 1.1),
            RowGoal::at_most(NODE_REDIS, 1.1),
            RowGoal::at_most(NODE_REDIS_V1, 1.1),
        ],
    },
];

/// How long the bursts last at least.
const LASTING: Duration = Duration::from_secs(5);
/// Commands of one burst.
const BURST: usize = 16;
/// More than the 5 s until a node's command expires, the second for which the nodes of the table store it then, and the second until a node
/// looks for what it may forget.
const RETENTION: Duration = Duration::from_secs(10);

/// Memory after bursts as a ratio to the memory before, with the sessions.
pub struct BurstMemory;

#[async_trait(?Send)]
impl Measurement for BurstMemory {
    fn rows(&self) -> &'static [TableRow] {
        ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        // Buffers that each session needs once are not what stays of bursts; and what was delivered before is forgotten.
        stage.broadcast(BURST).await;
        sleep(RETENTION).await;
        let idle = stage.server.memory() as f64;
        let began = Instant::now();
        while began.elapsed() < LASTING {
            stage.broadcast(BURST).await;
        }
        let after = stage.server.memory() as f64;
        sleep(RETENTION).await;
        vec![known(after / idle), known(stage.server.memory() as f64 / idle)]
    }
}
