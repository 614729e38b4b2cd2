//! A command that is accepted at one node and delivered by another.

use std::time::Instant;

use async_trait::async_trait;

use crate::{
    row::{Measurement, RowUnit, RowValue, TableRow, known},
    stage::BenchStage,
};

/// The rows.
pub const ROWS: &[TableRow] = &[
    TableRow { name: "a command from node to node, p50", unit: RowUnit::Millis, goals: &[] },
    TableRow { name: "a command from node to node, p99", unit: RowUnit::Millis, goals: &[] },
    TableRow { name: "commands from node to node, 32 at once", unit: RowUnit::PerSecond, goals: &[] },
];

/// Commands of each measurement.
const COMMANDS: usize = 1_000;
/// Commands under way at once, where they are counted by time.
const AT_ONCE: usize = 32;

/// The time until a command is both accepted and delivered; and how many there are in a second. The stage has one terminal.
pub struct NodeToNode;

#[async_trait(?Send)]
impl Measurement for NodeToNode {
    fn rows(&self) -> &'static [TableRow] {
        ROWS
    }

    async fn measure(&self, stage: &mut BenchStage<'_>) -> Vec<RowValue> {
        let mut times = Vec::new();
        for _ in 0..COMMANDS {
            let began = Instant::now();
            stage.broadcast(1).await;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let many = async |stage: &mut BenchStage<'_>| {
            for _ in 0..COMMANDS.div_ceil(AT_ONCE) {
                stage.broadcast(AT_ONCE).await;
            }
        };
        let took = stage.time(many).await;
        let commands = (COMMANDS.div_ceil(AT_ONCE) * AT_ONCE) as f64;
        vec![
            known(times[COMMANDS / 2]),
            known(times[COMMANDS * 99 / 100]),
            took.map(|took| commands / took.as_secs_f64()),
        ]
    }
}
