//! What a delivery costs more when there are more sessions.

use async_trait::async_trait;
use rustix::process::{Resource, getrlimit};

use crate::{
    row::{FLOOR, Measurement, RowGoal, RowUnit, RowValue, TableRow},
    servers::delivery,
    stage::BenchStage,
    subjects::NODE,
};

/// The row.
pub const ROWS: &[TableRow] = &[TableRow {
    name: "growth of CPU per delivery, 1,000 to 19,000 sessions",
    unit: RowUnit::Ratio,
    goals: &[RowGoal::over_at_most(NODE, FLOOR, 1.0)],
}];

/// Few sessions, and many.
const SESSIONS: [usize; 2] = [1_000, 19_000];
/// Files that a process needs besides.
const OTHER_FILES: u64 = 300;

/// CPU per delivery with many sessions, as a ratio to that with few. The stage itself may have next to no terminals.
pub struct Growth;

#[async_trait(?Send)]
impl Measurement for Growth {
    fn rows(&self) -> &'static [TableRow] {
        ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        let needed = SESSIONS[1] as u64 + OTHER_FILES + stage.crowd.size() as u64;
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        if files < needed {
            return vec![Err(format!("a process may open {files} files (ulimit -n), and {needed} are needed"))];
        }
        let mut costs = Vec::new();
        for sessions in SESSIONS {
            let mut stage = stage.another(sessions).await;
            costs.push(delivery::measure(&mut *stage.server, &mut stage.crowd, 1).await);
        }
        vec![Ok(costs[1] / costs[0])]
    }
}
